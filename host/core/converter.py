"""Python values to JSON texts and back: the one place where payloads are made and read.

The type of a value comes from an annotation, never from the data. A value that leaves a function is
always read back from its JSON, so the first run and every replay see the same thing.
"""

from __future__ import annotations

import re
import typing
from codecs import BOM_UTF8
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pydantic
import pydantic_core

from bindings.errors import PayloadTooLargeError, ResultMismatchError, SerializationError
from bindings.strict_json import read_json
from host.core.collisions import MAX_OF_ONE_HASH, has_colliding_numbers, hashes_numbers
from host.core.failures import message_of
from host.core.fidelity import (
    forget_models,
    is_plain,
    place_of_failure,
    what_is_lost,
    what_to_write,
)
from host.core.history import Payload

DEFAULT_MAX_PAYLOAD_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 200
"""Values that are nested less deeply than this can be read by any of our parsers."""


MAX_DIGITS = 4300
"""No parser of ours reads a longer whole number: it would take time with the square of them."""
_LONG_NUMBER = re.compile(rb"(?<![0-9])[0-9]{%d}" % (MAX_DIGITS + 1))


class Converter:
    """JSON by pydantic, with a limit on the size of one payload in bytes."""

    def __init__(self, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES) -> None:
        self.max_payload_bytes = max_payload_bytes

    def to_payload(self, value: Any, what: str, read_as: Any = None) -> Payload:
        """The value as JSON text; None for None. `what` names the value in errors.

        `read_as` is the type that it will be read as, where that is known. Raises
        `SerializationError`, also for what would be read back as another value, or
        `PayloadTooLargeError`.
        """
        if value is None:
            return None
        try:
            data = pydantic_core.to_json(value)
        except BaseException as error:
            place = place_of_failure(value, pydantic_core.to_json)
            reason = what_to_write(value) or (
                f"{message_of(error)}. Use plain values, dataclasses or pydantic models."
            )
            raise SerializationError(
                f"{what} cannot be written as JSON{f' at {place}' if place else ''}: {reason}"
            ) from error
        if type(value) is not str:  # a text is read back as it is, whatever it says
            self._refuse_changed(value, data, what, read_as)
        if len(data) > self.max_payload_bytes:
            raise PayloadTooLargeError(what, len(data), self.max_payload_bytes)
        return data.decode()

    def from_payload(self, payload: Payload, expected_type: Any, what: str) -> Any:
        """The value of a JSON text, rebuilt as `expected_type` unless that is None or Any.

        Raises `SerializationError`.
        """
        try:
            if expected_type is None or expected_type is Any:
                return None if payload is None else pydantic_core.from_json(payload)
            return _reader(expected_type)("null" if payload is None else payload)
        except BaseException as error:
            raise SerializationError(f"{what} does not fit: {message_of(error)}") from error

    def check_fit(self, payload: Payload, expected_type: Any, what: str) -> None:
        """Raise `ResultMismatchError` if the payload does not fit the type; None is any type.

        What pydantic cannot make a reader of is not checked.
        """
        if expected_type is None or expected_type is Any:
            return
        try:
            read = _reader(expected_type)
        except Exception:  # noqa: BLE001 - building it runs the author's code
            return
        try:
            read("null" if payload is None else payload)
        except Exception as error:  # an author's type or validator may raise anything
            name = getattr(expected_type, "__name__", None) or repr(expected_type)
            raise ResultMismatchError(
                f"{what} does not fit its return annotation, {name}: {error}"
            ) from error

    def check_json(self, text: bytes, what: str) -> Payload:
        """JSON that came from outside, as a payload; None for an empty text.

        Raises `SerializationError` if it is not JSON (NaN and lone surrogates are not), or
        `PayloadTooLargeError`.
        """
        self.check_size(len(text), what)
        if not text.removeprefix(BOM_UTF8).strip():
            return None
        try:
            return None if read_json(text) is None else text.decode("utf-8-sig")
        except ValueError as error:
            raise SerializationError(f"{what} is not JSON: {error}") from error

    def check_size(self, size: int, what: str) -> None:
        """Raise `PayloadTooLargeError` for more than the limit."""
        if size > self.max_payload_bytes:
            raise PayloadTooLargeError(what, size, self.max_payload_bytes)

    def _refuse_changed(self, value: Any, data: bytes, what: str, read_as: Any) -> None:
        """Whatever JSON does not hold as it is, or nobody can read, must not be written."""
        if not is_plain(value):
            self._refuse_loss(value, read_as, what)
        if b"NaN" in data or b"Infinity" in data:
            self._refuse_constants(data, what)
        if data.count(b"[") + data.count(b"{") >= MAX_DEPTH:
            self._refuse_depth(data, what)
        if len(data) > MAX_DIGITS and _LONG_NUMBER.search(data):
            self._refuse_long_numbers(data, what)

    @staticmethod
    def _refuse_loss(value: Any, read_as: Any, what: str) -> None:
        """What is read back as another value must not be written."""
        lost = what_is_lost(value, read_as)
        if lost is not None:
            raise SerializationError(f"{what} cannot be read back: {lost}.")

    @staticmethod
    def _refuse_depth(data: bytes, what: str) -> None:
        """What is nested deeper than it can be read again must not be written."""
        try:
            pydantic_core.from_json(data)
        except ValueError as error:
            raise SerializationError(f"{what} is nested too deeply: {error}") from error

    @staticmethod
    def _refuse_long_numbers(data: bytes, what: str) -> None:
        """A text may hold as many digits."""
        try:
            pydantic_core.from_json(data)
        except ValueError as error:
            raise SerializationError(
                f"{what} holds a whole number of more than {MAX_DIGITS:,} digits, which cannot be "
                "read again: write it as a text."
            ) from error

    @staticmethod
    def _refuse_constants(data: bytes, what: str) -> None:
        try:
            pydantic_core.from_json(data, allow_inf_nan=False)
        except ValueError as error:
            raise SerializationError(
                f"{what} cannot be written as JSON: it holds NaN or an infinity."
            ) from error


def unreadable_reason(expected_type: Any) -> str | None:
    """Why no value can ever be read as this type; None if it can, or any type will do."""
    if expected_type is None or expected_type is Any:
        return None
    try:
        _reader(expected_type)
    except Exception as error:  # noqa: BLE001 - building it runs the author's code
        return message_of(error).partition("\n")[0]
    return None


def forget_types() -> None:
    """Let go of all that is kept by type; it is worked out again where it is needed.

    A class keeps its whole module alive, and a changed app has other classes. Python itself keeps
    the last of `Optional[Order]` and the like: what its own tests clear is cleared here.
    """
    _reader.cache_clear()
    forget_models()
    for clear in getattr(typing, "_cleanups", ()):
        clear()


@lru_cache(maxsize=4096)
def _reader(expected_type: Any) -> Callable[[str], Any]:
    """Reads JSON as this type; the validator itself, because the adapter's method costs as much."""
    adapter = pydantic.TypeAdapter(expected_type)
    read: Callable[[str], Any] = adapter.validator.validate_json
    if not hashes_numbers(adapter.core_schema):
        return read

    def guarded(payload: str) -> Any:
        if has_colliding_numbers(payload):
            raise ValueError(f"more than {MAX_OF_ONE_HASH} of its numbers have one hash")
        return read(payload)

    return guarded
