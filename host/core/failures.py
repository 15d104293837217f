"""Exceptions as data: what of an error is written into the history, and what a log says of it.

Rules of this file: an author's error may do anything when it is looked at (its `__str__` may raise,
refer to itself, or be a megabyte long), and nothing of that may come between the end of a function
and its result. So `caught` never raises, and what it gives is bounded.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

from bindings.errors import (
    DataMismatchError,
    FailureDetails,
    FunchostError,
    ResultMismatchError,
    SerializationError,
    TaskFailedError,
)
from host.core.frames import frames_of, place_of, runs_authors, traceback_of, without_host

MAX_CAUSES = 10
MAX_STACK_CHARS = 20_000
MAX_MESSAGE_CHARS = 20_000
MAX_NAME_CHARS = 200
MAX_BASE_TYPES = 20
MAX_NOTES = 20
MAX_NOTE_CHARS = 2_000
MAX_FAILURES = 50
"""How many failures one may hold in all: causes, sub-failures, and theirs."""
MAX_CHARS = 200_000
"""How long all texts of a failure may be together, but for a few characters of each."""
MIN_CHARS = 200
MAX_SUMMARY_CHARS = 500

T = TypeVar("T")

_CLASS_NAME = type.__dict__["__name__"].__get__
"""A class's own name, whatever its metaclass says."""

ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]


@dataclass(frozen=True, slots=True)
class Caught:
    """An error that ended code of an author: as data, and as a log wants it."""

    error: BaseException
    details: FailureDetails
    traceback: TracebackType | None = None
    place: str = ""
    """Where in the author's code it was raised; empty if that is not known."""

    @property
    def exc_info(self) -> ExcInfo | None:
        """The error with a traceback without the host's frames, for a log record.

        Where data do not fit, the message is all that there is to know: None if no line of the
        author's is in it, and the parser's error, in which there is none either, is left out.
        """
        for each in _chain_of(self.error):
            if issubclass(type(each), SerializationError):
                _guarded(partial(_forget_parser, each), None)
        if self.traceback is None and issubclass(type(self.error), SerializationError):
            return None
        return type(self.error), self.error, self.traceback

    def __str__(self) -> str:
        return summary(self.details) + (f", at {self.place}" if self.place else "")


def caught(error: BaseException, *, is_non_retriable: bool = False) -> Caught:
    """All that is to be known of an error. Never raises."""
    trace = _guarded(lambda: _authors_traceback(error), None)
    place = _guarded(lambda: _clean(place_of(trace), MAX_NAME_CHARS * 5), "")
    return Caught(error, failure_of(error, is_non_retriable=is_non_retriable), trace, place)


def failure_of(error: BaseException, *, is_non_retriable: bool = False) -> FailureDetails:
    """Type, message, notes, stack, causes and sub-exceptions of an exception, bounded in size.

    The cause of a `TaskFailedError` is the failure it carries, so that an error keeps its origin
    through any number of sub-orchestrations. Never raises.
    """
    return _guarded(
        lambda: _failure(error, _Room(), depth=0, is_non_retriable=is_non_retriable),
        FailureDetails(error_type=_name_of(error), message="(it cannot be shown)"),
    )


def misfit(error: SerializationError) -> DataMismatchError:
    """What the code gets at its await for data that is not what it asked for. Never raises."""
    message = _clean(message_of(error), MAX_MESSAGE_CHARS)
    details = FailureDetails(
        error_type=DataMismatchError.__name__, message=message, is_non_retriable=True
    )
    return DataMismatchError(message, details)


def summary(failure: FailureDetails) -> str:
    """Type and message, as one short text for a log."""
    message = _clean(" ".join(failure.message.split()), MAX_SUMMARY_CHARS, mark=" … ")
    return f"{failure.error_type}: {message}" if message else failure.error_type


def in_words(error: BaseException) -> str:
    """Type and message of an error, whatever its own `__str__` does. Never raises."""
    return summary(FailureDetails(error_type=_name_of(error), message=message_of(error)))


def message_of(error: BaseException) -> str:
    """The error's own text, or why there is none. Never raises."""
    try:
        return str.__str__(str(error))  # a text, not what an author derived from it
    except BaseException as broken:  # noqa: BLE001 - an author's __str__ may raise anything
        return f"(its message cannot be shown: {_name_of(broken)})"


class _Room:
    """How much of an error may still be written: an author decides how much hangs together."""

    def __init__(self) -> None:
        self.failures = MAX_FAILURES
        self._chars = MAX_CHARS

    def fitted(self, text: str, limit: int) -> str:
        """The text, cut to its own limit and to what is left for all."""
        text = _clean(text, max(MIN_CHARS, min(limit, self._chars)))
        self._chars -= len(text)
        return text


def _failure(
    error: BaseException, room: _Room, *, depth: int, is_non_retriable: bool = False
) -> FailureDetails:
    room.failures -= 1
    stack = _guarded(lambda: "".join(traceback.format_tb(_authors_traceback(error))), "")
    return _without_twin(
        FailureDetails(
            error_type=_name_of(error),
            base_types=_base_types_of(error),
            message=room.fitted(message_of(error), MAX_MESSAGE_CHARS),
            notes=tuple(room.fitted(note, MAX_NOTE_CHARS) for note in _notes_of(error)),
            stack_trace=room.fitted(stack, MAX_STACK_CHARS),
            cause=_cause_of(error, room, depth),
            sub_failures=_sub_failures_of(error, room, depth),
            is_non_retriable=is_non_retriable or _is_final(error),
        )
    )


def _without_twin(failure: FailureDetails) -> FailureDetails:
    """The same without a cause that says nothing but the same again.

    An error that carries a failure (`TaskFailedError`) may have been made of nothing else.
    """
    twin = failure.cause
    if twin is None or twin.stack_trace or twin.notes or twin.sub_failures:
        return failure
    is_same = (twin.error_type, twin.message) == (failure.error_type, failure.message)
    return replace(failure, cause=twin.cause) if is_same else failure


def _is_final(error: BaseException) -> bool:
    """Whether the same would happen again; what a function returns may be another value then."""
    return issubclass(type(error), SerializationError) and not issubclass(
        type(error), ResultMismatchError
    )


def _cause_of(error: BaseException, room: _Room, depth: int) -> FailureDetails | None:
    if issubclass(type(error), TaskFailedError):
        return _guarded(lambda: _within(_shortened(_details_of(error)), room), None)
    cause = _guarded(lambda: _raised_from(error), None)
    if cause is None or depth >= MAX_CAUSES or room.failures <= 0:
        return None
    return _failure(cause, room, depth=depth + 1)


def _chain_of(error: BaseException) -> list[BaseException]:
    """The error and its causes, the outermost first; as far as they are looked at."""
    found = [error]
    while len(found) < MAX_CAUSES:
        cause = _guarded(partial(_raised_from, found[-1]), None)
        if cause is None:
            break
        found.append(cause)
    return found


def _forget_parser(error: BaseException) -> None:
    """Let go of the cause of an error, if no code of the author raised it."""
    cause = _raised_from(error)
    if cause is not None and not any(
        runs_authors(frame) for frame, _ in frames_of(traceback_of(cause))
    ):
        error.__cause__, error.__suppress_context__ = None, True


def _details_of(error: BaseException) -> FailureDetails:
    assert isinstance(error, TaskFailedError)  # noqa: S101 - the caller has looked
    return error.details


def _raised_from(error: BaseException) -> BaseException | None:
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return cause if isinstance(cause, BaseException) else None


def _sub_failures_of(error: BaseException, room: _Room, depth: int) -> tuple[FailureDetails, ...]:
    found: list[FailureDetails] = []
    parts: Sequence[BaseException] = ()
    for each in _guarded(lambda: _parts_of(error), parts):
        if depth >= MAX_CAUSES or room.failures <= 0:
            break
        found.append(_failure(each, room, depth=depth + 1))
    return tuple(found)


def _parts_of(error: BaseException) -> Sequence[BaseException]:
    if not issubclass(type(error), BaseExceptionGroup):
        return ()
    parts: Sequence[Any] = getattr(error, "exceptions", ())
    return [each for each in parts[:MAX_FAILURES] if isinstance(each, BaseException)]


def _notes_of(error: BaseException) -> list[str]:
    """The texts of `add_note`; whatever else an author put there is left out."""

    def read() -> list[str]:
        notes = getattr(error, "__notes__", ())
        if not isinstance(notes, list | tuple):
            return []
        return [note for note in notes[:MAX_NOTES] if type(note) is str]

    return _guarded(read, [])


def _authors_traceback(error: BaseException) -> TracebackType | None:
    return without_host(traceback_of(error), is_deliberate=issubclass(type(error), FunchostError))


def _shortened(details: FailureDetails) -> FailureDetails:
    """The failure with its outermost and innermost causes, without those in the middle.

    Every sub-orchestration that lets a failure through adds one.
    """
    chain: list[FailureDetails] = [details]
    while (cause := chain[-1].cause) is not None:
        chain.append(cause)
    if len(chain) <= MAX_CAUSES:
        return details
    half = MAX_CAUSES // 2
    shortened = chain[-half]
    for failure in reversed(chain[:half]):
        shortened = replace(failure, cause=shortened)
    return shortened


def _within(details: FailureDetails, room: _Room) -> FailureDetails:
    """A failure that another one holds, cut to the room that is left.

    An author may have made it, of anything: what is no text is left out.
    """
    room.failures -= 1
    message = room.fitted(_text(details.message), MAX_MESSAGE_CHARS)
    stack = room.fitted(_text(details.stack_trace), MAX_STACK_CHARS)
    cause = details.cause
    parts: list[FailureDetails] = []
    cause = _within(cause, room) if isinstance(cause, FailureDetails) else None
    for each in _listed(details.sub_failures, FailureDetails):
        if room.failures <= 0:
            break
        parts.append(_within(each, room))
    return FailureDetails(
        error_type=_clean(_text(details.error_type), MAX_NAME_CHARS),
        message=message,
        stack_trace=stack,
        cause=cause,
        is_non_retriable=bool(details.is_non_retriable),
        notes=tuple(_clean(_text(x), MAX_NOTE_CHARS) for x in _listed(details.notes, str)),
        sub_failures=tuple(parts),
        base_types=tuple(
            _clean(_text(x), MAX_NAME_CHARS) for x in _listed(details.base_types, str)
        ),
    )


def _text(value: object) -> str:
    return str.__str__(value) if isinstance(value, str) else ""


def _listed(values: object, kind: type[T]) -> list[T]:
    """What is of this class in a tuple or list, up to as much as is ever written of a list."""
    items: Sequence[Any] = values if isinstance(values, list | tuple) else ()
    return [each for each in items[:MAX_FAILURES] if isinstance(each, kind)]


def _name_of(error: BaseException) -> str:
    return _class_name(type(error))


def _base_types_of(error: BaseException) -> tuple[str, ...]:
    """The names of the classes that an `except` clause would find the error by, but its own."""
    bases = type.mro(type(error))[1 : MAX_BASE_TYPES + 1]
    return tuple(_class_name(each) for each in bases if each is not object)


def _class_name(kind: type) -> str:
    return _guarded(lambda: _clean(_CLASS_NAME(kind), MAX_NAME_CHARS), "BaseException")


def _guarded(look: Callable[[], T], otherwise: T) -> T:
    """What a look at an author's error gives; `otherwise` if that raises anything."""
    try:
        return look()
    except BaseException:  # noqa: BLE001 - see the rules of this file
        return otherwise


def _clean(text: str, limit: int, *, mark: str = "\n") -> str:
    """Text that can be stored: bounded, and without lone surrogates."""
    if len(text) > limit:
        half = limit // 2
        left_out = f"… {len(text) - limit:,} characters left out …" if mark == "\n" else "…"
        text = f"{text[:half]}{mark}{left_out}{mark}{text[-half:]}"
    return text.encode("utf-8", "backslashreplace").decode()
