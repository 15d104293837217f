"""Decisions that every driver takes alike: who may replace whom, which row wins.

Rules of this file: pure functions of records, no storage. A driver asks here and then does what it
was told in its own way, so that drivers differ in how they store and never in what they decide.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Protocol

import msgspec

from bindings.client import ReusePolicy, RuntimeStatus
from bindings.errors import (
    InstanceAlreadyExistsError,
    InstanceNotFoundError,
    InstanceStateError,
)
from host.core import ids
from host.core.history import (
    ContinueAsNew,
    EntityLockRequested,
    EntityOperationCalled,
    EntityOperationSignaled,
    ExecutionRewound,
    ParentInstance,
)
from host.core.records import (
    ANYBODY,
    UNCHANGED,
    Commit,
    Effects,
    Instance,
    Lease,
    Message,
    Unawaited,
    Unchanged,
)
from host.errors import Conflict, DamagedDataError
from host.storage.protocol import Created

_OPERATIONS = (EntityOperationCalled, EntityOperationSignaled, EntityLockRequested)
_GOES_ON = (ContinueAsNew, ExecutionRewound)
SHORT_ALARM = timedelta(seconds=90)
"""Whoever sets an alarm no longer than this before its time rings it himself."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Known(Protocol):
    """What a decision needs to know of a stored instance; an `Instance` will do."""

    @property
    def execution_id(self) -> str:
        """The execution that the row speaks of."""

    @property
    def run_id(self) -> str:
        """The run that the row is of; "" if it does not say."""

    @property
    def status(self) -> RuntimeStatus:
        """The status, as `get` would give it."""

    @property
    def generation(self) -> int:
        """How often it continued as new."""

    @property
    def created_at(self) -> datetime:
        """When the instance was started."""

    @property
    def last_number(self) -> int:
        """The number of the last batch that the row speaks of."""

    @property
    def updated_at(self) -> datetime:
        """When the row was projected."""

    @property
    def rewinds(self) -> int:
        """How often its execution was rewound."""

    @property
    def parent(self) -> ParentInstance | None:
        """Who waits for it."""


class Verdict(Enum):
    """What to do with an instance that wants to be stored."""

    ADD = "add"
    """The id is free."""
    REPLACE = "replace"
    """Remove everything of the one that has the id, then add."""
    DONE = "done"
    """This very instance was stored before."""
    KEEP = "keep"
    """Another has the id and stays."""


CREATED = {
    Verdict.ADD: Created.NEW,
    Verdict.REPLACE: Created.NEW,
    Verdict.DONE: Created.BEFORE,
    Verdict.KEEP: Created.KEPT,
}
"""What a client's start is told of its verdict, once that is obeyed."""


_OF_ACTIVE = {
    ReusePolicy.KEEP: Verdict.KEEP,
    ReusePolicy.KEEP_ACTIVE: Verdict.KEEP,
    ReusePolicy.REPLACE: Verdict.REPLACE,
}
_OF_FINISHED = {
    ReusePolicy.WHEN_FINISHED: Verdict.REPLACE,
    ReusePolicy.KEEP: Verdict.KEEP,
    ReusePolicy.KEEP_ACTIVE: Verdict.REPLACE,
    ReusePolicy.REPLACE: Verdict.REPLACE,
}
"""What becomes of a start whose id an instance has; it is refused where nothing is said."""


def judge_create(
    existing: Known | None, new: Instance, reuse: ReusePolicy, replaces: str | None = None
) -> Verdict:
    """Whether a client's start may store `new`; `replaces`: only in place of this execution.

    Raises `InstanceAlreadyExistsError`, or `InstanceNotFoundError` if what is to be replaced is
    gone.
    """
    if existing is None:
        if replaces is not None:
            raise InstanceNotFoundError(new.instance_id)
        return Verdict.ADD
    if new.execution_id in {existing.execution_id, existing.run_id}:
        return Verdict.DONE
    if replaces is not None and existing.execution_id != replaces:
        raise InstanceAlreadyExistsError(new.instance_id, existing.status)
    verdict = (_OF_FINISHED if existing.status.is_finished else _OF_ACTIVE).get(reuse)
    if verdict is not None:
        return verdict
    raise InstanceAlreadyExistsError(new.instance_id, existing.status)


def born_of(instance_id: str, message: Message) -> Instance | None:
    """The row that a message brings about if there is none of its addressee: that of an entity."""
    if not (ids.is_entity(instance_id) and isinstance(message.event, _OPERATIONS)):
        return None
    sent_at = message.event.timestamp
    return Instance(
        instance_id=instance_id,
        execution_id=ids.entity_execution_id(instance_id, message.message_id),
        name=ids.entity_name_in(instance_id),
        status=RuntimeStatus.PENDING,
        created_at=sent_at,
        updated_at=sent_at,
    )


def first_number(instance_id: str, found: int) -> int:
    """The number of the first batch that is stored of an execution, where this one was found.

    Of an entity only the latest is kept.
    """
    return found if ids.is_entity(instance_id) else 0


def judge_start(existing: Known | None, new: Instance) -> Verdict:
    """Whether an orchestrator's start may store `new`; KEEP means refused.

    A start of the starter's own id is refused even when the starter has just finished. So is one
    that is older than the finished holder of its id: it may be a late copy of a start whose child
    has ended long ago, and would run that child again.
    """
    if existing is None:
        return Verdict.ADD
    if existing.execution_id == new.execution_id or _is_same_task(existing.parent, new.parent):
        return Verdict.DONE
    is_own_id = new.parent is not None and new.parent.instance_id == new.instance_id
    is_late = _is_earlier(new, existing)
    is_free = existing.status.is_finished and not is_own_id and not is_late
    return Verdict.REPLACE if is_free else Verdict.KEEP


def _is_earlier(new: Instance, existing: Known) -> bool:
    """Whether the start came before that of the holder: by time, or by task within a turn's."""
    if new.created_at != existing.created_at or new.parent is None or existing.parent is None:
        return new.created_at < existing.created_at
    is_of_one = new.parent.execution_id == existing.parent.execution_id
    return is_of_one and new.parent.task_id < existing.parent.task_id


def _is_same_task(one: ParentInstance | None, other: ParentInstance | None) -> bool:
    if one is None or other is None:
        return False
    return (one.instance_id, one.execution_id, one.task_id) == (
        other.instance_id,
        other.execution_id,
        other.task_id,
    )


def check_plant(existing: Known | None, instance_id: str) -> None:
    """Raise `InstanceAlreadyExistsError` if there is an instance of the id."""
    if existing is not None:
        raise InstanceAlreadyExistsError(instance_id, existing.status)


def is_of_run(effects: Effects, stored: Known) -> bool:
    """Whether what these effects do to the instance itself is for the run that is stored."""
    if effects.row is not None:
        return _is_same_run(effects.row, stored)
    return not (effects.run_id and stored.run_id) or effects.run_id == stored.run_id


def _is_same_run(new: Instance, stored: Known) -> bool:
    """Whether both are of one life of the instance; an old row says only when that began."""
    if new.run_id and stored.run_id:
        return new.run_id == stored.run_id
    return new.created_at == stored.created_at


def row_wins(new: Instance, stored: Known) -> bool:
    """Whether a projected row replaces the stored one.

    It must be of the same run. A later generation wins. Within one, the row must be of the same
    execution. The one after more rewinds wins, and nothing else over a finished row. Otherwise the
    row must be of no earlier turn, or not older: hosts' clocks differ, and a write may land long
    after it was sent.
    """
    if not _is_same_run(new, stored):
        return False
    if stored.status.is_finished:
        return revives(new, stored)
    if new.generation != stored.generation:
        return new.generation > stored.generation
    if new.execution_id != stored.execution_id:
        return False
    if new.rewinds != stored.rewinds:
        return new.rewinds > stored.rewinds
    is_newer = (new.last_number, new.updated_at) >= (stored.last_number, stored.updated_at)
    return new.is_finished or is_newer


def revives(new: Instance | None, stored: Known) -> bool:
    """Whether a row, if there is one, is of a rewind of the failed instance that is stored."""
    if new is None or stored.status is not RuntimeStatus.FAILED:
        return False
    return new.execution_id == stored.execution_id and new.rewinds > stored.rewinds


def new_alarm(effects: Effects) -> datetime | Unchanged | None:
    """What these effects set the alarm of an unfinished instance to.

    Those of an end do not touch it: they come late where a rewind has followed.
    """
    is_end = effects.row is not None and effects.row.is_finished
    return UNCHANGED if is_end else effects.wake_at


def moved_start(seen: Instance, new: Instance) -> datetime | Unchanged:
    """The alarm that a change of the row sets: that of another start time."""
    due = new.scheduled_start_at
    return UNCHANGED if due is None or due == seen.scheduled_start_at else due


def is_unchanged(stored: Known, seen: Instance) -> bool:
    """Whether the unfinished row is still the one that was seen: no change leaves these as is."""
    return not stored.status.is_finished and (
        (stored.execution_id, stored.last_number, stored.updated_at)
        == (seen.execution_id, seen.last_number, seen.updated_at)
    )


def lease_wins(new: Lease, row: Known, stored_expiry: datetime | None) -> bool:
    """Whether a turn's lease is stored: of the row's execution, and not made earlier.

    A renewal, or a successor's lease, that was made later stays.
    """
    if new.execution_id != row.execution_id:
        return False
    return stored_expiry is None or new.expires_at > stored_expiry


def left_lease(new: Unawaited, stored: Lease | None) -> Lease | None:
    """The lease to store of an unawaited activity; None if there is nothing to be done for it.

    Whoever has it keeps it, and what is to be run is put to his lease. If somebody had one that is
    gone, the activity has ended.
    """
    if stored is None:
        return None if new.was_leased else new.lease
    return msgspec.structs.replace(stored, scheduled=new.lease.scheduled)


def renewed(new: Lease, stored: Lease) -> Lease:
    """The stored lease with a new owner and expiry; what is to be run stays."""
    tries = max(new.tries, stored.tries)
    return msgspec.structs.replace(new, scheduled=stored.scheduled, tries=tries)


def inherited(lease: Lease, heir: str | None) -> Lease:
    """The lease as it is the heir's; as it is without one."""
    return lease if heir is None else msgspec.structs.replace(lease, owner=heir)


def ends_all_work(row: Instance) -> bool:
    """Whether the end of an instance ends its unawaited activities, too."""
    return row.status is RuntimeStatus.TERMINATED


def can_take(new: Lease, owner: str, expires_at: datetime, now: datetime) -> bool:
    """Whether a stored lease may be taken over: it waits for anybody, is over, or is taken."""
    return owner in {ANYBODY, new.owner} or expires_at <= now


def is_short(due: datetime, now: datetime) -> bool:
    """Whether an alarm that is set now is a short one."""
    return due - now <= SHORT_ALARM


def too_late(expires_at: datetime, now: datetime) -> datetime:
    """Later than this no lock can end that is held until then at a time, unless a clock was off."""
    return now + 2 * (expires_at - now)


def can_change(stamp: str, after: str | None, stored: str | None) -> bool:
    """Whether a record with this stamp may take the place of the one with the stamp `stored`.

    None: there is none, or there is to be none.
    """
    return stored in {after, stamp}


def check_copy(stored: Known | None, instance_id: str, execution_id: str) -> None:
    """Raise `Conflict` unless the row is an active one of the execution that a copy believes in."""
    if stored is None or stored.execution_id != execution_id or stored.status.is_finished:
        raise Conflict(f"'{instance_id}' was purged or replaced, or went on elsewhere.")


def check_purge(stored: Known, instance_id: str) -> None:
    """Raise `InstanceStateError` unless the instance is finished."""
    if not stored.status.is_finished:
        raise InstanceStateError(instance_id, stored.status, "purge", finished=False)


def check_send(stored: Known, instance_id: str, of: str | None = None) -> None:
    """Raise `InstanceStateError` for a finished instance: nothing would ever read the message.

    Raises `InstanceNotFoundError` if it is of another run than `of`.
    """
    if of is not None and stored.run_id != of:
        raise InstanceNotFoundError(instance_id)
    if stored.status.is_finished:
        raise InstanceStateError(instance_id, stored.status, "send to", finished=True)


def seen(instance: Instance, *, has_batches: bool) -> Instance:
    """The row as readers see it."""
    status = seen_status(instance.status, has_batches=has_batches)
    if status is instance.status:
        return instance
    return msgspec.structs.replace(instance, status=status)


def seen_status(status: RuntimeStatus, *, has_batches: bool) -> RuntimeStatus:
    """Running instead of Pending once a first batch exists."""
    return RuntimeStatus.RUNNING if has_batches and status is RuntimeStatus.PENDING else status


def stand_in(
    instance_id: str,
    *,
    status: str,
    name: str,
    created_at: int,
    error: DamagedDataError,
    execution_id: str = "",
) -> Instance:
    """A row in place of one that cannot be read, made of what is stored beside its bytes.

    So listings show it, and what concerns it and others only by the way can be done.
    """
    moment = _moment(created_at)
    return Instance(
        instance_id=instance_id,
        execution_id=execution_id,
        name=name,
        status=read_status(status),
        created_at=moment,
        updated_at=moment,
        blocked_reason=str(error),
    )


def read_status(name: str) -> RuntimeStatus:
    """The status of this name; Running for a name that makes no sense."""
    try:
        return RuntimeStatus(name)
    except ValueError:
        return RuntimeStatus.RUNNING


def leaves_work(commit: Commit) -> bool:
    """Whether an execution whose newest batch this is has something to do without a message."""
    events = commit.batch.events
    return commit.open_activities > 0 or (bool(events) and isinstance(events[-1], _GOES_ON))


def micros(moment: datetime) -> int:
    """The moment as microseconds since 1970: exact, and in order as a number."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """The moment that `micros` gave."""
    return _EPOCH + value * _MICROSECOND


def _moment(value: int) -> datetime:
    try:
        return from_micros(value)
    except OverflowError:
        return _EPOCH
