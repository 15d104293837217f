"""Whether an instance that comes from outside may be planted here: nothing of it is taken on trust.

Rules of this file: pure. What is refused is an `InvalidArgumentError`, which says what is wrong.
What a hub of ours exported passes, and what passes harms at most its own instance: a history that
its code does not follow fails it, as any other does. Ids keep the rules of a start. What the row
says and its history says as well is taken from the history.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
from msgspec.structs import replace

from bindings.client import RuntimeStatus
from bindings.entity_ids import EntityId
from bindings.errors import FunchostError, InvalidArgumentError
from host.core import arguments, history, ids
from host.core.chain import batches_by_execution, chain_of
from host.core.converter import Converter
from host.core.foreign_entities import check_entity, planted_entity
from host.core.foreign_rules import check_unique, dated, wrong
from host.core.history import Batch
from host.core.instance_state import InstanceState
from host.core.ledger import Ledger
from host.core.records import LET_GO, Instance, Lease, Message, Snapshot
from host.core.rewound import is_rewind

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)
_MAX_NUMBER = 2_147_483_647
_ENDS = (history.ExecutionCompleted, history.ContinueAsNew)
_EXECUTION_ID = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_MESSAGE_ID = re.compile(r"[!-~]{1,300}", re.ASCII)
_RECENT = re.compile(r"[!-~]{1,10000}", re.ASCII)
_PAYLOADS = frozenset({"input", "output", "result", "custom_status", "state"})


def check(snapshot: Snapshot, converter: Converter) -> None:
    """Raise `InvalidArgumentError` for what this hub must not hold."""
    _Values(converter).check(snapshot)
    row, executions = snapshot.instance, batches_by_execution(snapshot)
    if ids.is_entity(row.instance_id):
        check_entity(snapshot)
        _fold(snapshot)
        return
    _check_row(row)
    chain = chain_of(snapshot)
    _check_numbers(snapshot, chain)
    told = row
    for execution_id in chain:
        _check_batches(row, executions.get(execution_id, []))
        _check_start(told, executions.get(execution_id, []))
        told = _told_after(told, executions.get(execution_id, []))
    for each in chain[:-1]:
        if not isinstance(executions[each][-1].events[-1], history.ContinueAsNew):
            raise wrong("one execution follows another that did not continue as new")
    _check_end(row, executions.get(chain[-1], []), executions.get(row.execution_id, []))
    check_unique([each.message_id for each in snapshot.inbox], "message")
    check_unique([(x.execution_id, x.task_id) for x in snapshot.leases], "activity")
    _check_leases(row, snapshot.leases)
    _fold(snapshot)


def planted(snapshot: Snapshot, now: datetime, *, is_held: bool = False) -> Snapshot:
    """What is to be stored of an instance that passed `check`.

    What was held against it where it comes from is forgotten, and who had its activities. An
    unfinished one is looked at as soon as it is there. With `is_held` it is suspended before all
    that waits for it, unless it is an entity: nothing holds that.
    """
    if ids.is_entity(snapshot.instance.instance_id):
        return planted_entity(snapshot, now)
    state = _fold(snapshot)
    row = _row(snapshot, state, now)
    if row.is_finished:
        left = tuple(_free(each, now) for each in snapshot.leases if each.scheduled is not None)
        wake_at = now if left else None
        return replace(snapshot, instance=row, inbox=(), leases=left, wake_at=wake_at)
    due = None if snapshot.batches else row.scheduled_start_at
    leases = [x for x in snapshot.leases if x.scheduled is not None or _is_open(x, state.ledger)]
    return replace(
        snapshot,
        instance=row,
        inbox=(_suspension(row, snapshot), *snapshot.inbox) if is_held else snapshot.inbox,
        leases=tuple(_free(each, now) for each in leases),
        wake_at=now if due is None else max(now, due),
    )


def _row(snapshot: Snapshot, state: InstanceState, now: datetime) -> Instance:
    view = state.view()
    row = view if snapshot.instance.is_finished else snapshot.instance
    row = replace(row.acquitted(), is_quarantined=False, blocked_reason=None, imported_at=now)
    row = _as_it_was_started(dated(row, now), batches_by_execution(snapshot))
    if row.is_finished:
        return row
    status = RuntimeStatus.RUNNING if view.is_finished else view.status
    if not state.ledger.next_number and state.ledger.started is None:
        status = RuntimeStatus.PENDING if row.last_number < 0 else RuntimeStatus.RUNNING
    return replace(row, status=status, output=None, failure=None)


def _as_it_was_started(row: Instance, executions: Mapping[str, Sequence[Batch]]) -> Instance:
    """The row as the start of its execution has it, if that is recorded."""
    for start in _starts_in(executions.get(row.execution_id, ()))[-1:]:
        row = replace(row, name=start.name, input=start.input)
        if not row.generation:
            row = replace(row, scheduled_start_at=start.scheduled_start_at)
    return row


def _is_open(lease: Lease, ledger: Ledger) -> bool:
    return lease.execution_id == ledger.execution_id and lease.task_id in ledger.open_activities


def _free(lease: Lease, now: datetime) -> Lease:
    """The lease as one that is over; what it says of the activity's beginning stays."""
    return replace(lease, owner=lease.owner and LET_GO, expires_at=now, tries=0)


def _suspension(row: Instance, snapshot: Snapshot) -> Message:
    """An order that comes before all that waits: no message, and no timer, is older."""
    moments = [row.created_at, *(each.event.timestamp for each in snapshot.inbox)]
    event = history.ExecutionSuspended(timestamp=min(moments), reason="Imported.")
    return Message(message_id=f"{row.execution_id}.imported", event=event)


def _fold(snapshot: Snapshot) -> InstanceState:
    try:
        return InstanceState(snapshot)
    except Exception as error:  # a hostile history may be anything
        raise wrong(f"its history makes no sense ({type(error).__name__}: {error})") from error


# ---- the parts ---------------------------------------------------------------------------------


def _check_row(row: Instance) -> None:
    ids.checked_instance_id(row.instance_id)
    arguments.short_text(row.name, "A function's name")
    arguments.tags(row.tags)
    arguments.optional_text(row.version, "A version")
    if row.last_number < 0 and row.is_finished:
        raise wrong("its row is finished before its first turn")
    if row.status is RuntimeStatus.CONTINUED_AS_NEW:
        raise wrong(f"no instance is {row.status}: one that continues as new is Running")
    if not row.generation and row.first_execution_id not in {"", row.execution_id}:
        raise wrong("its run began with another execution, and it has not continued as new")
    if row.parent is not None and row.parent.instance_id == row.instance_id:
        raise wrong("it is its own parent")


def _check_numbers(snapshot: Snapshot, chain: Sequence[str]) -> None:
    """The batches are those of the row's execution and of those that follow it, without a gap."""
    stored = [(each.execution_id, each.number) for each in snapshot.batches]
    counts = {each: sum(execution_id == each for execution_id, _ in stored) for each in chain}
    expected = [(each, number) for each in chain for number in range(counts[each])]
    if stored != expected:
        raise wrong("its batches are not those of its execution, in order and without a gap")
    if snapshot.instance.last_number >= counts[snapshot.instance.execution_id]:
        raise wrong("its row speaks of a turn that its history has not")


def _check_batches(row: Instance, batches: Sequence[Batch]) -> None:
    for batch, following in pairwise((*batches, None)):
        assert batch is not None  # noqa: S101 - only the last one is
        if not batch.events:
            raise wrong("it has a turn without events")
        if not (isinstance(batch.events[0], history.OrchestratorStarted) or is_rewind(batch)):
            raise wrong("a turn of it does not begin with OrchestratorStarted")
        ends = [place for place, x in enumerate(batch.events) if isinstance(x, _ENDS)]
        if ends not in ([], [len(batch.events) - 1]):
            raise wrong("an execution of it goes on after its end")
        if ends and following is not None and not is_rewind(following):
            raise wrong("an execution of it goes on after its end")
    starts = _starts_in(batches)
    if batches and not _starts_in(batches[:1]):
        raise wrong("its history does not begin with ExecutionStarted")
    if any(each.name.casefold() != row.name.casefold() for each in starts):
        raise wrong("its history is one of another function than its row")
    if len(starts) > 1 and not any(map(is_rewind, batches)):
        raise wrong("an execution of it begins twice")


def _starts_in(batches: Sequence[Batch]) -> list[history.ExecutionStarted]:
    events = (event for batch in batches for event in batch.events)
    return [event for event in events if isinstance(event, history.ExecutionStarted)]


def _told_after(row: Instance, batches: Sequence[Batch]) -> Instance:
    """The row of the next execution, as far as it says how that was started."""
    end = batches[-1].events[-1] if batches else None
    version = end.version if isinstance(end, history.ContinueAsNew) else None
    return replace(
        row,
        generation=row.generation + 1,
        version=row.version if version is None else version,
    )


def _check_start(row: Instance, batches: Sequence[Batch]) -> None:
    """What the row says, and its history as well."""
    if row.generation and not batches:
        raise wrong("it has continued as new, and no turn of it is there")
    told = (row.tags, row.version, row.parent, row.generation)
    for start in _starts_in(batches):
        if (start.tags, start.version, start.parent, start.generation) != told:
            raise wrong("its row and its history differ in how it was started")


def _check_end(row: Instance, latest: Sequence[Batch], own: Sequence[Batch]) -> None:
    last = latest[-1].events[-1] if latest else None
    ended = last.status if isinstance(last, history.ExecutionCompleted) else None
    if row.is_finished and not (latest is own and ended is row.status):
        raise wrong(f"its row says {row.status}, and its history does not")
    if ended is not None and not ended.is_finished:
        raise wrong(f"its history ends in {ended}")
    if row.rewinds > sum(map(is_rewind, own)):
        raise wrong("its row speaks of a rewind that its history has not")


def _check_leases(row: Instance, leases: Sequence[Lease]) -> None:
    for each in leases:
        if each.instance_id != row.instance_id:
            raise wrong("an activity of it is another instance's")
        if each.scheduled is not None and each.scheduled.task_id != each.task_id:
            raise wrong("an activity of it is to be run for another task")


# ---- single values -----------------------------------------------------------------------------


class _Values:
    """Checks each value of a record, and of those in it, by the name of its field."""

    def __init__(self, converter: Converter) -> None:
        self._converter = converter

    def check(self, record: Any, place: str = "") -> None:
        """Raise `InvalidArgumentError` for the first value that cannot be used."""
        kind: type[Any] = type(record)
        for name in record.__struct_fields__:
            value = getattr(record, name)
            if value is not None:
                known: str = _OTHER_NAMES.get((kind, name), name)
                self._check(value, known, f"{place}{name}")

    def _check(self, value: Any, name: str, place: str) -> None:
        if isinstance(value, msgspec.Struct):
            self.check(value, f"{place}.")
        elif isinstance(value, tuple):
            for number, each in enumerate(value):
                self._check(each, name, f"{place}[{number}]")
        elif isinstance(value, dict):
            for each in value.items():
                self._check(each, name, place)
        elif isinstance(value, str):
            self._check_text(value, name, place)
        else:
            _check_plain(value, place, -1 if name == "last_number" else 0)

    def _check_text(self, value: str, name: str, place: str) -> None:
        try:
            if name in _PAYLOADS:
                if not value.strip():
                    raise wrong(f"{place} is empty, and so no JSON")
                self._converter.check_json(value.encode(), place)
            elif name in _TEXTS:
                _TEXTS[name](value, place)
        except (FunchostError, UnicodeError) as error:
            raise InvalidArgumentError(f"{place}: {error}") from error


def _check_plain(value: object, place: str, least: int) -> None:
    if isinstance(value, datetime):
        if value.utcoffset() != timedelta(0) or not _EARLIEST <= value < _LATEST:
            raise wrong(f"{place} is no time in UTC from 1970 to 9000")
    elif isinstance(value, int) and not least <= value <= _MAX_NUMBER:
        raise wrong(f"{place} is out of range")


def _check_id(value: str, _place: str) -> None:
    ids.checked_instance_id(value)


def _check_entity(value: str, _place: str) -> None:
    EntityId.parse(value)


def _check_own_id(value: str, place: str) -> None:
    (_check_entity if ids.is_entity(value) else _check_id)(value, place)


def _check_operation(value: str, place: str) -> None:
    arguments.text(value, place, may_be_empty=True)


def _check_execution(value: str, place: str) -> None:
    if _EXECUTION_ID.fullmatch(value) is None:
        raise wrong(f"{place} is no execution's id")


def _check_run(value: str, place: str) -> None:
    if value:  # most rows do not say
        _check_execution(value, place)


def _check_message_id(value: str, place: str) -> None:
    if _MESSAGE_ID.fullmatch(value) is None:
        raise wrong(f"{place} is no message's id")


def _check_recent(value: str, place: str) -> None:
    if _RECENT.fullmatch(value) is None:
        raise wrong(f"{place} names no messages")


def _check_name(value: str, place: str) -> None:
    if value:  # of a parent it may be unknown
        arguments.short_text(value, place)


def _check_version(value: str, place: str) -> None:
    arguments.short_text(value, place)


def _check_addressee(value: str, place: str) -> None:
    if not 0 < len(value) <= ids.MAX_INSTANCE_ID:
        raise wrong(f"{place} can be no instance's id")


_OTHER_NAMES: dict[tuple[type[Any], str], str] = {
    (history.ExecutionTerminated, "reason"): "result",
    (history.EventSent, "instance_id"): "addressee",
    (history.EntityOperationCalled, "instance_id"): "entity",
    (history.EntityOperationSignaled, "instance_id"): "entity",
    (history.EntityUnlockSent, "instance_id"): "entity",
    (Instance, "instance_id"): "own_id",
}
"""Fields that hold something else than others of their name."""
_TEXTS: dict[str, Callable[[str, str], None]] = {
    "instance_id": _check_id,
    "addressee": _check_addressee,
    "entity": _check_entity,
    "entities": _check_entity,
    "rest": _check_entity,
    "own_id": _check_own_id,
    "operation": _check_operation,
    "execution_id": _check_execution,
    "first_execution_id": _check_run,
    "message_id": _check_message_id,
    "consumed": _check_message_id,
    "recent": _check_recent,
    "name": _check_name,
    "version": _check_version,
}
