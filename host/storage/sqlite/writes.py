"""The writes of the contract, as plans: check the condition, then collect what is to be done.

Rules of this file: `plan` runs in the writer thread. It raises the contract's error before it has
planned anything, so a write that is refused fails alone. Bytes are made in the constructor, by the
caller, so that a value that cannot be stored never gets as far as the writer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from msgspec.structs import replace

from bindings.client import ReusePolicy
from bindings.errors import InstanceNotFoundError
from host.core import ids
from host.core.records import (
    UNCHANGED,
    Commit,
    Effects,
    Envelope,
    Instance,
    Lease,
    Message,
    Notice,
    Start,
    Unawaited,
)
from host.errors import Conflict
from host.storage import rules
from host.storage.protocol import Applied, Created, Removal
from host.storage.rules import Verdict
from host.storage.sqlite import sealed
from host.storage.sqlite.group import Group
from host.storage.sqlite.heads import Head
from host.storage.sqlite.records import PutNotices

T_co = TypeVar("T_co", covariant=True)

NOTHING_APPLIED = Applied()


class Write(Protocol[T_co]):
    """One write of the contract; `T` is what its caller gets."""

    @property
    def instance_ids(self) -> Iterable[str]:
        """The instances whose heads the plan needs."""

    def plan(self, group: Group) -> T_co:
        """Check, then plan. Raises the contract's errors."""


class CreateWrite:
    """`HubStore.create`."""

    def __init__(self, instance: Instance, reuse: ReusePolicy, replaces: str | None = None) -> None:
        self._instance = instance
        self._reuse = reuse
        self._replaces = replaces
        self._data = sealed.seal_instance(instance)
        self.instance_ids = (instance.instance_id,)

    def plan(self, group: Group) -> Created:
        """What becomes of it."""
        existing = group.head(self._instance.instance_id)
        verdict = rules.judge_create(existing, self._instance, self._reuse, self._replaces)
        _obey(group, verdict, existing, self._instance, self._data)
        return rules.CREATED[verdict]


class SendWrite:
    """`HubStore.send`."""

    def __init__(self, instance_id: str, message: Message, of: str | None = None) -> None:
        self._instance_id = instance_id
        self._of = of
        self._message = message
        self._data = sealed.seal_message(instance_id, message)
        self.instance_ids = (instance_id,)

    def plan(self, group: Group) -> None:
        """Put the message into the inbox."""
        head = group.head(self._instance_id) or _bear(group, self._instance_id, self._message)
        if head is None:
            raise InstanceNotFoundError(self._instance_id)
        rules.check_send(head, self._instance_id, self._of)
        if head.is_damaged:
            raise sealed.damaged_row(self._instance_id)
        group.add_message(head, self._message, self._data)


class ApplyWrite:
    """`HubStore.apply`, and the second half of `HubStore.commit`."""

    _starts: Sequence[_EncodedStart] = ()
    _messages: Sequence[_EncodedMessage] = ()
    _left: Sequence[tuple[Unawaited, bytes]] = ()
    _notices: PutNotices | None = None
    _concerns_others = False

    def __init__(self, effects: Effects) -> None:
        self._effects = effects
        self._row = sealed.seal_instance(effects.row) if effects.row else b""
        if effects.starts or effects.messages or effects.unawaited or effects.notices:
            self._seal_others(effects)

    def _seal_others(self, effects: Effects) -> None:
        """What few turns have."""
        self._concerns_others = bool(effects.starts or effects.messages or effects.notices)
        self._notices = PutNotices(effects.notices)
        self._starts = [_EncodedStart(start, effects.instance_id) for start in effects.starts]
        self._messages = [_EncodedMessage(envelope) for envelope in effects.messages]
        self._left = [
            (left, sealed.seal_scheduled(left.lease.instance_id, left.lease.scheduled))
            for left in effects.unawaited
            if left.lease.scheduled is not None
        ]

    @property
    def instance_ids(self) -> Iterable[str]:
        """The instance itself and all that it addresses."""
        if not self._concerns_others:
            return (self._effects.instance_id,)
        return (
            self._effects.instance_id,
            *(start.instance.instance_id for start in self._effects.starts),
            *(envelope.instance_id for envelope in self._effects.messages),
        )

    def plan(self, group: Group) -> Applied:
        """Plan what the contract allows of the effects."""
        head = group.head(self._effects.instance_id)
        if head is not None and rules.is_of_run(self._effects, head):
            self._plan_own(group, head)
        if not self._concerns_others:
            return NOTHING_APPLIED
        if self._notices is not None:
            self._notices.plan(group)
        refused = [start for start in self._starts if start.is_refused(group)]
        for start in refused:
            if start.refusal is not None:
                start.refusal.deliver(group)
        dropped = tuple(each.message_id for each in self._messages if not each.deliver(group))
        return Applied(
            refused_starts=tuple(start.instance.instance_id for start in refused), dropped=dropped
        )

    def _plan_own(self, group: Group, head: Head) -> None:
        effects = self._effects
        if effects.consumed:
            head = group.end_messages(head, effects.consumed)
        if effects.drop_execution is not None:
            group.end_execution(head, effects.drop_execution)
        if head.status.is_finished and not rules.revives(effects.row, head):
            if head.has_alarm and effects.wake_at is not UNCHANGED:
                group.set_alarm(head, effects.wake_at)  # it is for unawaited activities
            return
        head = self._plan_left(group, head)
        if effects.row is not None and rules.row_wins(effects.row, head):
            head = group.put_row(head, effects.row, self._row)
        if not head.status.is_finished:
            self._plan_next(group, head)
        elif effects.wake_at is not UNCHANGED and group.has_unawaited(head):
            group.set_alarm(head, effects.wake_at)

    def _plan_next(self, group: Group, head: Head) -> None:
        """What only an unfinished instance takes."""
        wake_at = rules.new_alarm(self._effects)
        if wake_at is not UNCHANGED:
            head = group.set_alarm(head, wake_at)
        for lease in self._effects.leases:
            stored = group.find_lease(head, lease)
            if rules.lease_wins(lease, head, stored.expires_at if stored else None):
                head = group.put_lease(head, lease)

    def _plan_left(self, group: Group, head: Head) -> Head:
        """See to it that unawaited activities have leases that say what to run."""
        for left, data in self._left:
            stored = group.find_lease(head, left.lease)
            if stored is None:
                head = head if left.was_leased else group.put_lease(head, left.lease, data)
            else:
                held = replace(left.lease, owner=stored.owner, expires_at=stored.expires_at)
                head = group.put_lease(head, held, data)
        return head


class _EncodedMessage:
    """A message on its way to an instance."""

    def __init__(self, envelope: Envelope) -> None:
        self._instance_id = envelope.instance_id
        self._message = envelope.message
        self._data = sealed.seal_message(envelope.instance_id, envelope.message)

    @property
    def message_id(self) -> str:
        """What names it in its inbox."""
        return self._message.message_id

    def deliver(self, group: Group) -> bool:
        """Put it into the inbox; False if there is nobody to read it."""
        head = group.head(self._instance_id) or _bear(group, self._instance_id, self._message)
        if head is None or head.status.is_finished:
            return False
        group.add_message(head, self._message, self._data)
        return True


class _EncodedStart:
    """An orchestration to start."""

    def __init__(self, start: Start, starter_id: str) -> None:
        self.instance = start.instance
        refusal = start.refusal
        self.refusal = None if refusal is None else _EncodedMessage(Envelope(starter_id, refusal))
        self._data = sealed.seal_instance(start.instance)

    def is_refused(self, group: Group) -> bool:
        """Plan the start unless another has the id."""
        existing = group.head(self.instance.instance_id)
        verdict = rules.judge_start(existing, self.instance)
        _obey(group, verdict, existing, self.instance, self._data)
        return verdict is Verdict.KEEP


class CommitWrite:
    """`HubStore.commit`."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._data = sealed.seal_batch(
            commit.instance_id, commit.execution_id, commit.number, commit.batch
        )
        self._leaves_work = rules.leaves_work(commit)
        self._effects = ApplyWrite(commit.effects)

    @property
    def instance_ids(self) -> Iterable[str]:
        """The instance, and those that its effects concern."""
        if self._commit.effects.instance_id == self._commit.instance_id:
            return self._effects.instance_ids
        return (self._commit.instance_id, *self._effects.instance_ids)

    def plan(self, group: Group) -> Applied:
        """Append the batch; whether its key is free, the table itself says in the end."""
        commit = self._commit
        head = group.head(commit.instance_id)
        if head is None or head.execution_id != commit.row_execution_id:
            raise Conflict(f"'{commit.instance_id}' was purged or replaced.")
        if commit.is_whole:
            group.end_batch_before(head, commit.execution_id, commit.number)
        group.add_batch(
            head, commit.execution_id, commit.number, self._data, leaves_work=self._leaves_work
        )
        return self._effects.plan(group)


class ChangeRowWrite:
    """`HubStore.change_row`."""

    def __init__(self, seen: Instance, new: Instance, notices: Sequence[Notice]) -> None:
        self._seen = seen
        self._new = new
        self._notices = PutNotices(notices)
        self._data = sealed.seal_instance(new)
        self.instance_ids = (seen.instance_id,)

    def plan(self, group: Group) -> bool:
        """Put the row, if the stored one is the one that was seen."""
        head = group.head(self._seen.instance_id)
        if head is None or not rules.is_unchanged(head, self._seen):
            return False
        head = group.put_row(head, self._new, self._data)
        if (due := rules.moved_start(self._seen, self._new)) is not UNCHANGED:
            group.set_alarm(head, due)
        self._notices.plan(group)
        return True


class RenewLeaseWrite:
    """`HubStore.renew_lease`."""

    def __init__(self, lease: Lease, heir: str | None) -> None:
        self._lease = lease
        self._new = rules.inherited(lease, heir)
        self.instance_ids = (lease.instance_id,)

    def plan(self, group: Group) -> bool:
        """Set the new expiry if the lease is still this owner's."""
        head = _leased(group, self._lease)
        if head is None:
            return False
        group.put_lease(head, self._new)
        return True


class FinishLeaseWrite:
    """`HubStore.finish_lease`."""

    def __init__(self, lease: Lease, message: Message, *, keep: bool) -> None:
        self._lease = lease
        self._keep = keep
        self._message = message
        self._data = sealed.seal_message(lease.instance_id, message)
        self.instance_ids = (lease.instance_id,)

    def plan(self, group: Group) -> bool:
        """End the lease and deliver the message, if the lease is still this owner's."""
        head = _leased(group, self._lease)
        if head is None:
            return False
        stored = group.find_lease(head, self._lease)
        if not self._keep:
            group.end_lease(head, self._lease)
        if stored is not None and stored.is_unawaited:
            return False
        group.add_message(head, self._message, self._data)
        return True


class ClaimLeaseWrite:
    """`HubStore.claim_lease`."""

    def __init__(self, lease: Lease, number: int) -> None:
        self._lease = lease
        self._number = number
        self.instance_ids = (lease.instance_id,)

    def plan(self, group: Group) -> bool:
        """Store the lease if the task has none, and the instance has not gone beyond the turn."""
        lease = self._lease
        head = group.head(lease.instance_id)
        if head is None or head.status.is_finished or head.execution_id != lease.execution_id:
            return False
        if group.has_batch(head, lease.execution_id, self._number + 1):
            return False
        stored = group.find_lease(head, self._lease)
        if stored is not None:
            return stored.owner == self._lease.owner
        group.put_lease(head, self._lease)
        return True


class TakeLeaseWrite:
    """`HubStore.take_lease`."""

    def __init__(self, lease: Lease, now: datetime) -> None:
        self._lease = lease
        self._now = now
        self.instance_ids = (lease.instance_id,)

    def plan(self, group: Group) -> bool:
        """Put the lease in place of one that may be taken over."""
        head = group.head(self._lease.instance_id)
        if head is None:
            return False
        stored = group.find_lease(head, self._lease)
        if stored is None or not rules.can_take(
            self._lease, stored.owner, stored.expires_at, self._now
        ):
            return False
        group.put_lease(head, self._lease)
        return True


class PurgeWrite:
    """`HubStore.purge`."""

    def __init__(self, instance_id: str, execution_id: str | None) -> None:
        self._instance_id = instance_id
        self._execution_id = execution_id
        self.instance_ids = (instance_id,)

    def plan(self, group: Group) -> bool:
        """Remove the run if it is the one that is meant, and finished or never to be."""
        head = group.head(self._instance_id)
        if head is None or self._execution_id not in {None, head.execution_id}:
            return False
        if not head.status.is_finished and not group.is_stuck(head):
            rules.check_purge(head, self._instance_id)
        group.remove(head)
        return True


class RemoveEntityWrite:
    """`HubStore.remove_entity`."""

    def __init__(self, instance_id: str, execution_id: str, number: int) -> None:
        self._execution_id = execution_id
        self._number = number
        self.instance_ids = (instance_id,)

    def plan(self, group: Group) -> Removal:
        """Remove the entity if it is as it was thought to be, and has no mail."""
        head = group.head(*self.instance_ids)
        if head is None or head.execution_id != self._execution_id:
            return Removal.KEPT
        if not (ids.is_entity(head.instance_id) and self._is_idle(group, head)):
            return Removal.KEPT
        group.remove(head)
        return Removal.GONE

    def _is_idle(self, group: Group, head: Head) -> bool:
        if group.has_mail(head):
            return False
        if self._number < 0:
            return not head.has_batches
        return group.has_batch(head, self._execution_id, self._number)


class ProbeWrite:
    """Writes the first page as it is, to see whether the disk takes anything."""

    instance_ids: tuple[str, ...] = ()

    def plan(self, group: Group) -> None:
        """Touch the page."""
        group.probe()


def _obey(
    group: Group, verdict: Verdict, existing: Head | None, new: Instance, data: bytes
) -> None:
    if verdict is Verdict.REPLACE and existing is not None:
        group.remove(existing)
    if verdict in {Verdict.ADD, Verdict.REPLACE}:
        group.add_instance(new, data)


def _bear(group: Group, instance_id: str, message: Message) -> Head | None:
    """Store the row that the message brings about, since there is none; None if it brings none."""
    born = rules.born_of(instance_id, message)
    return None if born is None else group.add_instance(born, sealed.seal_instance(born))


def _leased(group: Group, lease: Lease) -> Head | None:
    head = group.head(lease.instance_id)
    stored = head and group.find_lease(head, lease)
    return head if stored and stored.owner == lease.owner else None
