"""One instance as a line of JSON: all that a hub stores of it, for another hub, or for a look.

Rules of this file: a line is read for ever, so `FORMAT` changes with its meaning; what a record
gains has a default, as in the hub itself. A line comes from anywhere: what it says is of the right
types when it was read here, and true only when `foreign.check` has passed it. A member that this
version does not know is refused: to leave it out would lose what a newer version stored.

What is left out is of its hub alone: who runs an activity, until when, when the instance is to be
woken, and when it was imported. Of an activity without a result only this is said, that somebody
had begun it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, get_args, get_type_hints

import msgspec

from bindings.errors import InvalidArgumentError
from bindings.exports import MAX_END_BYTES
from bindings.strict_json import check_count
from host.core.chain import chain_of
from host.core.codec import CodecError
from host.core.history import EVENT_TYPES
from host.core.records import ANYBODY, LET_GO, Instance, Lease, Message, Snapshot, StoredBatch

FORMAT = 1
"""The format that is written."""
MAX_LINE_BYTES = 64 * 1024 * 1024
"""No longer line is read, so none is written, either."""


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """An activity that has no result, and that somebody may have begun to run."""

    execution_id: str
    task_id: int


class Exported(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a line says. `unawaited` are leases that say what is to be run, for nobody.

    `exported` is in the last line of an export only: how many lines there are.
    """

    format: int
    instance: Instance
    history: tuple[StoredBatch, ...] = ()
    inbox: tuple[Message, ...] = ()
    begun: tuple[Begun, ...] = ()
    unawaited: tuple[Lease, ...] = ()
    exported: int | None = None


class UnreadableError(InvalidArgumentError):
    """The line stands for an instance that its hub could not read."""


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """The line of an instance that could not be exported."""

    format: int
    instance_id: str
    error: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def to_line(snapshot: Snapshot) -> bytes:
    """The instance as a line, with its end. Raises `CodecError` for what none can be made of."""
    row, chain = snapshot.instance, chain_of(snapshot)
    line = Exported(
        format=FORMAT,
        instance=msgspec.structs.replace(row, imported_at=None),
        history=tuple(x for each in chain for x in snapshot.batches if x.execution_id == each),
        inbox=snapshot.inbox,
        begun=tuple(
            Begun(execution_id=each.execution_id, task_id=each.task_id)
            for each in snapshot.leases
            if each.scheduled is None and each.owner != ANYBODY
        ),
        unawaited=tuple(each for each in snapshot.leases if each.scheduled is not None),
    )
    try:
        written = _encode(line) + b"\n"
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CodecError(f"'{row.instance_id}' cannot be written as JSON: {error}") from error
    if len(written) + MAX_END_BYTES > MAX_LINE_BYTES:
        raise CodecError(
            f"'{row.instance_id}' has {len(written):,} bytes as a line, and no import takes more "
            f"than {MAX_LINE_BYTES:,}."
        )
    return written


def unreadable_line(instance_id: str, error: str) -> bytes:
    """The line in place of an instance that cannot be read."""
    return _encode(Unreadable(format=FORMAT, instance_id=instance_id, error=error)) + b"\n"


def from_line(line: bytes | str) -> Snapshot:
    """The instance that a line is of. Raises `InvalidArgumentError`, which says what is wrong.

    It is an `UnreadableError` where the line is whole and its instance was not.

    Activities that somebody had begun have leases that are over: who is to run them knows of that.
    """
    said = _read(line)
    if "error" in said:
        raise UnreadableError(f"The export could not read this one: {said['error']!s:.500}")
    _refuse_unknown(said, Exported, "")
    try:
        exported = msgspec.convert(said, Exported, str_keys=True)
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"The line is no exported instance: {error}") from error
    return _snapshot_of(exported)


def instance_id_of(line: bytes | str) -> str | None:
    """The id that a line names, as far as it can be read; for messages about it."""
    try:
        said = _read(line)
    except InvalidArgumentError:
        return None
    row = said.get("instance")
    found = row.get("instance_id") if isinstance(row, dict) else said.get("instance_id")
    return found[:300] if isinstance(found, str) else None


def _read(line: bytes | str) -> dict[str, Any]:
    try:
        check_count(line if isinstance(line, bytes) else line.encode())
        said = _decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"The line is not JSON: {error}") from error
    if not isinstance(said, dict) or type(said.get("format")) is not int:
        raise InvalidArgumentError("The line is no exported instance: it names no format.")
    if said["format"] != FORMAT:
        raise InvalidArgumentError(
            f"The line is of format {said['format']!s:.20}, and this version knows {FORMAT}: a "
            "newer version wrote it."
        )
    return said


def _snapshot_of(exported: Exported) -> Snapshot:
    row = exported.instance
    begun = (_let_go(row, each) for each in exported.begun)
    return Snapshot(
        instance=row,
        batches=exported.history,
        inbox=exported.inbox,
        leases=(*begun, *exported.unawaited),
    )


def _let_go(row: Instance, begun: Begun) -> Lease:
    """A lease that says that somebody had the activity, and has it no more."""
    return Lease(
        instance_id=row.instance_id,
        execution_id=begun.execution_id,
        task_id=begun.task_id,
        owner=LET_GO,
        expires_at=row.created_at,
    )


# ---- members that this version does not know ---------------------------------------------------


def _refuse_unknown(said: object, kind: Any, place: str) -> None:
    """Raise `InvalidArgumentError` for a member that is no field of this record, or of one in it.

    What is of another type than it should be is left to whoever converts it.
    """
    if isinstance(said, list):
        for number, each in enumerate(said):
            _refuse_unknown(each, kind, f"{place}[{number}]")
    if not isinstance(said, dict) or kind is None:
        return
    tag = said.get("type")
    record = kind if kind is not _EVENT else _EVENTS.get(tag) if isinstance(tag, int) else None
    if record is None:
        return
    fields = _fields_of(record)
    for name, value in said.items():
        if name not in fields:
            raise InvalidArgumentError(
                f"The line has '{name[:100]}' at {place or 'its top'}, which this version does "
                "not know: a newer version wrote it."
            )
        if isinstance(value, dict | list):
            _refuse_unknown(value, fields.get(name), f"{place}.{name}")


_EVENT = object()
"""Stands for any event: its type says which."""
_EVENTS: dict[int, Any] = {msgspec.inspect.type_info(kind).tag: kind for kind in EVENT_TYPES}  # type: ignore[attr-defined]


@lru_cache(maxsize=100)
def _fields_of(kind: Any) -> dict[str, Any]:
    """The members of a record, each with the record that it holds; None for plain values."""
    hints = get_type_hints(kind)
    if dataclasses.is_dataclass(kind):
        names = {field.name: field.name for field in dataclasses.fields(kind)}
    else:
        fields = msgspec.structs.fields(kind)
        names = {field.name: field.encode_name for field in fields}
    found = {encoded: _record_in(hints[name]) for name, encoded in names.items()}
    return found | ({"type": None} if kind in EVENT_TYPES else {})


def _record_in(hint: Any) -> Any:
    """The record that a hint speaks of: alone, or None, or in a tuple."""
    kinds = [each for each in _leaves(hint) if each not in {type(None), ..., str, int, datetime}]
    events = [each for each in kinds if each in EVENT_TYPES]
    if len(events) > 1:
        return _EVENT
    records = [x for x in kinds if dataclasses.is_dataclass(x) or hasattr(x, "__struct_fields__")]
    return records[0] if records else None


def _leaves(hint: Any) -> Iterable[Any]:
    arguments = get_args(hint)
    if not arguments:
        return [hint]
    return [leaf for each in arguments for leaf in _leaves(each)]
