"""The effects of a turn, done one after the other, each so that doing it again changes nothing.

Rules of this file, for a host may die between any two steps: what is sent goes first, and notices
before that, since the row says which turn's sending is done. The row is written before the batches
of an execution that it no longer speaks of are dropped.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Any

import msgspec

from host.core import codec
from host.core.records import (
    UNCHANGED,
    Effects,
    Envelope,
    Instance,
    Lease,
    Message,
    Start,
    Unchanged,
)
from host.errors import Conflict
from host.storage import rules
from host.storage.aws.table.alarms import Alarms
from host.storage.aws.table.bodies import MAX_INLINE_ROW_BYTES, Body, chunks_of
from host.storage.aws.table.heads import Head
from host.storage.aws.table.hub_table import HubTable, between, chunk_keys, within
from host.storage.aws.table.inboxes import Inboxes
from host.storage.aws.table.instances import Instances
from host.storage.aws.table.items import is_unawaited, run_of
from host.storage.aws.table.keys import (
    BATCHES,
    LEASES,
    MESSAGES,
    META,
    Item,
    end_of,
    key_of,
    sort_key_of,
)
from host.storage.aws.table.leases import Leases
from host.storage.aws.table.named_records import NamedRecords
from host.storage.aws.table.row_changes import (
    Change,
    alarm_change,
    replacement,
    revival,
    row_change,
)
from host.storage.aws.table.table import together
from host.storage.aws.wire.errors import ConditionFailedError
from host.storage.protocol import Applied

NOTHING_APPLIED = Applied()
_COLUMNS = "#pk, #sk, #r, #n, #c"

_Step = Coroutine[Any, Any, None]


class EffectsWriter:
    """Applies effects."""

    def __init__(
        self,
        hub: HubTable,
        instances: Instances,
        inboxes: Inboxes,
        alarms: Alarms,
        leases: Leases,
        *,
        records: NamedRecords,
    ) -> None:
        self._hub = hub
        self._leases = leases
        self._instances = instances
        self._inboxes = inboxes
        self._alarms = alarms
        self._records = records

    async def apply(self, effects: Effects, *, are_new: bool = False) -> Applied:
        """Apply effects.

        Those of a turn that was appended just now `are_new`: that raises `Conflict` if another host
        has led the instance into another execution. The turn's may have been over and gone by then,
        and nothing more of it is done.
        """
        if not effects.notices:
            return await self._apply(effects, are_new=are_new)
        await self._records.keep(effects.notices)
        try:
            return await self._apply(effects, are_new=are_new)
        except Conflict:
            await self._records.take_back(effects.notices)  # its turn does not count
            raise

    async def _apply(self, effects: Effects, *, are_new: bool) -> Applied:
        if not effects.starts and not effects.messages:
            await self._apply_own(effects, are_new=are_new)
            return NOTHING_APPLIED
        own_id, row = effects.instance_id, effects.row
        starts_itself = any(each.instance.instance_id == own_id for each in effects.starts)
        is_gone = starts_itself and await self._head(own_id) is None  # what it starts is another
        refused = await self._start(effects.starts)
        undelivered = await self._deliver(
            [each for each in effects.messages if each.instance_id != own_id]
        )
        is_ending = row is not None and row.is_finished
        if is_ending and not is_gone:  # then nobody reads what it sends to itself
            await self._apply_own(effects, are_new=are_new)
        to_self = [each.message for each in effects.messages if each.instance_id == own_id]
        refusals = [start.refusal for start in refused if start.refusal is not None]
        mail = [*refusals, *to_self]
        effects = await self._delete_before(effects, mail)
        if mail and not await self._inboxes.deliver(own_id, mail):
            undelivered |= {own_id}
        if not (is_ending or is_gone):
            await self._apply_own(effects, are_new=are_new)
        return Applied(
            refused_starts=tuple(start.instance.instance_id for start in refused),
            dropped=tuple(
                each.message.message_id
                for each in effects.messages
                if each.instance_id in undelivered
            ),
        )

    # ---- on others ------------------------------------------------------------------------------

    async def _start(self, starts: Sequence[Start]) -> list[Start]:
        """Start sub-orchestrations; those that are refused."""
        started = await together([self._instances.start(start) for start in starts])
        return [start for start, is_started in zip(starts, started, strict=True) if not is_started]

    async def _deliver(self, envelopes: Sequence[Envelope]) -> set[str]:
        """Deliver messages; the addressees that do not exist or are finished."""
        mail: dict[str, list[Message]] = {}
        for envelope in envelopes:
            mail.setdefault(envelope.instance_id, []).append(envelope.message)
        delivered = await together([self._inboxes.deliver(*each) for each in mail.items()])
        return {id_ for id_, is_done in zip(mail, delivered, strict=True) if not is_done}

    # ---- on the instance itself -----------------------------------------------------------------

    async def _delete_before(self, effects: Effects, mail: Sequence[Message]) -> Effects:
        """Delete what is delivered anew before that; the effects without these deletions."""
        ids = {message.message_id for message in mail}
        if ids.isdisjoint(effects.consumed):
            return effects
        again = [each for each in effects.consumed if each in ids]
        await self._inboxes.delete(effects.instance_id, again)
        consumed = tuple(each for each in effects.consumed if each not in ids)
        return msgspec.structs.replace(effects, consumed=consumed)

    async def _apply_own(self, effects: Effects, *, are_new: bool) -> None:
        if not _has_own(effects):
            return
        head = await self._head_of_run(effects)
        if head is not None and effects.unawaited and not head.is_finished:
            run = head.run
            await together([self._leases.leave(each, run) for each in effects.unawaited])
        if head is not None and effects.row is not None:
            wake_at = effects.wake_at
            if effects.row.is_finished and not await self._leaves_any(effects, head):
                wake_at = None
            before, head = head, await self._put_row(effects.row, wake_at, head)
            if are_new:
                _check_still_its(effects.row, before, head)
        elif head is not None and effects.wake_at is not UNCHANGED:
            await self._set_alarm(effects.wake_at, head)
        if head is not None:
            await together(self._remaining(effects, head))

    async def _leaves_any(self, effects: Effects, head: Head) -> bool:
        """Whether a finished instance is to be woken for unawaited activities."""
        row = effects.row
        if not isinstance(effects.wake_at, datetime) or (row and rules.ends_all_work(row)):
            return False
        keys = within(head.instance_id, LEASES)
        found = await self._hub.table.query_all(keys, columns="#r, #n")
        return any(is_unawaited(item) and run_of(item) == head.run for item in found)

    async def _head(self, instance_id: str) -> Head | None:
        return self._hub.heads.get(instance_id) or await self._hub.look(instance_id)

    async def _head_of_run(self, effects: Effects) -> Head | None:
        """The head, if the stored run is the one that the effects are of."""
        run = effects.row.run_id if effects.row is not None else effects.run_id
        head = await self._head(effects.instance_id)
        if head is not None and run not in {"", head.run}:
            head = await self._hub.look(effects.instance_id)
        return None if head is None or run not in {"", head.run} else head

    async def change_row(self, seen: Instance, new: Instance) -> bool:
        """Put a row in place of the one that was seen; False if that is not there any more."""
        head = await self._hub.look(seen.instance_id)
        if head is None:
            return False
        body = await self._hub.make_body(codec.encode(new), MAX_INLINE_ROW_BYTES)
        await self._hub.write_chunks(head.instance_id, head.run, body)
        key = key_of(head.instance_id, META)
        placing, now = self._hub.parts.placing_of(head.instance_id), self._hub.now()
        change = replacement(seen, new, body, head, placing=placing, now=now)
        try:
            old = await self._hub.table.update(key, *change, returning=True)
        except ConditionFailedError as error:
            await self._delete_unless_stored(body, head.instance_id)
            is_done = error.may_be_own and await self._is_stored(new)
        else:
            is_done = True
            if chunks_of(old) != body.chunks:
                await self._hub.delete_chunks(head.instance_id, [chunks_of(old)])
        if is_done and (due := rules.moved_start(seen, new)) is not UNCHANGED:
            self._alarms.notice(head.instance_id, due)
        return is_done

    async def _is_stored(self, row: Instance) -> bool:
        """Whether this very row is there."""
        found = await self._hub.find(row.instance_id, even_damaged=True)
        return found is not None and found.row == row

    def _remaining(self, effects: Effects, head: Head) -> list[_Step]:
        """What is to be done when the row is written, in any order."""
        steps: list[_Step] = []
        row, dropped = effects.row, effects.drop_execution
        if row is not None and row.is_finished and head.is_finished:
            steps.append(self._end_work(head, ends_all=rules.ends_all_work(row)))
        elif effects.consumed:
            steps.append(self._inboxes.delete(head.instance_id, effects.consumed))
        if not head.is_finished:
            mine = [each for each in effects.leases if each.execution_id == head.execution_id]
            steps += [self._put_lease(lease, head) for lease in mine]
        if dropped is not None and not _is_needed(dropped, row, head):
            steps.append(self._drop(dropped, head))
        return steps

    async def _put_row(
        self, row: Instance, wake_at: datetime | Unchanged | None, head: Head
    ) -> Head | None:
        """Write the row if it wins; what is true afterwards."""
        body = await self._hub.make_body(codec.encode(row), MAX_INLINE_ROW_BYTES)
        await self._hub.write_chunks(head.instance_id, head.run, body)
        if await self._try_row(row, body, head, wake_at) or (
            wake_at is not UNCHANGED and await self._try_row(row, body, head, UNCHANGED)
        ):
            return self._hub.heads.put(
                msgspec.structs.replace(
                    head, execution_id=row.execution_id, is_finished=row.is_finished
                )
            )
        await self._delete_unless_stored(body, head.instance_id)
        stored = await self._hub.look(head.instance_id)
        is_same = stored is not None and stored.execution_id == row.execution_id
        if stored is None or stored.run != head.run or not (row.run_id or is_same):
            return None
        if wake_at is not UNCHANGED and is_same and not (row.is_finished or stored.is_finished):
            await self._set_alarm(wake_at, head)
        return stored

    async def _try_row(
        self, row: Instance, body: Body, head: Head, wake_at: datetime | Unchanged | None
    ) -> bool:
        placing, now = self._hub.parts.placing_of(head.instance_id), self._hub.now()
        change = row_change(row, body, head, wake_at, placing=placing, now=now)
        old = await self._change(head, change)
        if old is None and row.rewinds:
            change = revival(row, body, head, wake_at, placing=placing, now=now)
            old = await self._change(head, change)
        if old is None:
            return False
        old_chunks = chunks_of(old)
        if old_chunks != body.chunks:
            await self._hub.delete_chunks(head.instance_id, [old_chunks])
        if row.is_finished and not isinstance(wake_at, datetime):
            self._alarms.notice(head.instance_id, None)
        elif wake_at is not UNCHANGED:
            self._alarms.notice(head.instance_id, wake_at)
        return True

    async def _change(self, head: Head, change: Change) -> Item | None:
        """Change the row; the item as it was, or None if it is another than the change is for."""
        try:
            return await self._hub.table.update(
                key_of(head.instance_id, META), *change, returning=True
            )
        except ConditionFailedError:
            return None

    async def _delete_unless_stored(self, body: Body, instance_id: str) -> None:
        """Delete the chunks of a row that lost, if it did: an answer may have been lost instead."""
        if body.chunks is not None:
            stored = await self._hub.table.get(key_of(instance_id, META), "#c")
            if stored is None or chunks_of(stored) != body.chunks:
                await self._hub.delete_chunks(instance_id, [body.chunks])

    async def _set_alarm(self, wake_at: datetime | None, head: Head) -> None:
        try:
            key = key_of(head.instance_id, META)
            placing = self._hub.parts.placing_of(head.instance_id)
            change = alarm_change(head, wake_at, placing=placing, now=self._hub.now())
            await self._hub.table.update(key, *change)
        except ConditionFailedError:
            self._hub.heads.distrust(head)  # another host knows better
        else:
            self._alarms.notice(head.instance_id, wake_at)

    async def _put_lease(self, lease: Lease, head: Head) -> None:
        if not await self._leases.put(lease, head.run):
            await self._leases.prolong(lease, head.run)

    async def _end_work(self, head: Head, *, ends_all: bool) -> None:
        """Delete the inbox and the leases; those of unawaited activities only if all ends."""
        keys = between(head.instance_id, LEASES, end_of(MESSAGES))
        found = await self._hub.table.query_all(keys, columns=_COLUMNS)
        ended = [x for x in found if ends_all or not is_unawaited(x)]
        # It may have been rewound meanwhile: then what is there is for it. What was found before it
        # was seen to be finished still is of before that.
        latest = await self._hub.look(head.instance_id) if ended else None
        if latest is None or latest.is_finished or latest.run != head.run:
            await self._delete(ended, head)

    async def _drop(self, execution_id: str, head: Head) -> None:
        """Delete the batches of an execution, and the leases but those of unawaited activities."""
        found = await together(
            [
                self._hub.table.query_all(
                    within(head.instance_id, f"{kind}{execution_id}#"), columns=_COLUMNS
                )
                for kind in (BATCHES, LEASES)
            ]
        )
        await self._delete([x for items in found for x in items if not is_unawaited(x)], head)

    async def _delete(self, items: Sequence[Item], head: Head) -> None:
        mine = [item for item in items if run_of(item) == head.run]
        keys = [key_of(head.instance_id, sort_key_of(item)) for item in mine]
        keys += chunk_keys(head.instance_id, map(chunks_of, mine))
        if keys:
            await self._hub.table.write_all(deletes=keys)


def _has_own(effects: Effects) -> bool:
    return bool(
        effects.row is not None
        or effects.wake_at is not UNCHANGED
        or effects.consumed
        or effects.leases
        or effects.unawaited
        or effects.drop_execution is not None
    )


def _is_needed(execution_id: str, row: Instance | None, head: Head) -> bool:
    """Whether the row was to move on from this execution, and did not."""
    is_refused = row is not None and row.execution_id != head.execution_id
    return is_refused and head.execution_id == execution_id


def _check_still_its(row: Instance, before: Head, now: Head | None) -> None:
    """Raise `Conflict` if the instance is in an execution that the turn knows nothing of."""
    if now is not None and now.execution_id not in {row.execution_id, before.execution_id}:
        raise Conflict(f"'{row.instance_id}' went on elsewhere, in another execution.")
