"""The lives of instances: created, replaced, removed.

Rules of this file: a life begins and ends with the item of its row, by one conditional write. What
else was stored of an ended life is deleted after that; all of it carries the run, so that nothing
of a later life is hit, and nothing that is left is seen. A batch that was deleted before the row
would leave its key free: a host that woke up late could store the same turn once more. If the
removal breaks off, whoever does the same again, or reads the instance, goes on with it. What cannot
be read is judged by its stand-in: it keeps nobody from starting others, or from its purge.
"""

from __future__ import annotations

from collections.abc import Callable

from bindings.client import ReusePolicy
from bindings.errors import ClientError
from host.core import codec
from host.core.records import Instance, Start
from host.errors import DamagedDataError, StorageError
from host.storage import rules
from host.storage.aws.table.alarms import Alarms
from host.storage.aws.table.bodies import MAX_INLINE_ROW_BYTES, Body, Chunks
from host.storage.aws.table.heads import head_of
from host.storage.aws.table.hub_table import Found, HubTable, everything_of
from host.storage.aws.table.inboxes import Inboxes
from host.storage.aws.table.items import new_row, run_or_none
from host.storage.aws.table.keys import MESSAGES, META, BatchKey, Item, key_of, sort_key_of, text
from host.storage.aws.table.leftovers import COLUMNS, Leftovers
from host.storage.aws.table.table import MISSING, Expression, together
from host.storage.aws.wire.errors import ConditionFailedError
from host.storage.protocol import Created
from host.storage.rules import Verdict

_ATTEMPTS = 20
"""How often a start tries again because others start and purge the same id at the same time."""


class Instances:
    """Creates and removes the instances of a hub."""

    def __init__(
        self, hub: HubTable, alarms: Alarms, inboxes: Inboxes, leftovers: Leftovers
    ) -> None:
        self._hub = hub
        self._alarms = alarms
        self._inboxes = inboxes
        self._leftovers = leftovers

    async def create(self, instance: Instance, reuse: ReusePolicy, replaces: str | None) -> Created:
        """Store a new, Pending instance."""
        verdict = await self._store(
            instance,
            lambda row: rules.judge_create(row, instance, reuse, replaces),
            may_be_first=replaces is None,
        )
        return rules.CREATED[verdict]

    async def start(self, start: Start) -> bool:
        """Store a sub-orchestration; False if it is refused."""
        new = start.instance
        verdict = await self._store(new, lambda row: rules.judge_start(row, new))
        return verdict is not Verdict.KEEP

    async def purge(self, instance_id: str, execution_id: str | None) -> bool:
        """Remove everything of a finished or stuck instance; False if there is no such instance."""
        found = await self._hub.find_seen(instance_id, even_damaged=True)
        if found is None:
            await self._leftovers.sweep(instance_id)
            return False
        if execution_id not in {None, found.row.execution_id}:
            return False
        is_same = "#r = :r"
        if not await self._is_stuck(found, instance_id):
            rules.check_purge(found.row, instance_id)
            is_same += " AND (attribute_not_exists(#u) OR attribute_exists(#e))"
        self._hub.heads.forget(instance_id)
        condition = Expression(is_same, {":r": text(found.run)})
        try:
            await self._hub.table.delete(key_of(instance_id, META), condition)
        except ConditionFailedError as error:
            if not error.may_be_own or await self._hub.look(instance_id) is not None:
                return False
        await self._remove_rest(instance_id, found)
        await self._hub.delete_chunks(instance_id, [found.chunks])
        return True

    async def _is_stuck(self, found: Found, instance_id: str) -> bool:
        """Whether it can neither be led nor terminated, since it cannot be read."""
        if found.row.is_finished or found.damage is not None:
            return not found.row.is_finished
        try:
            await self._inboxes.read(instance_id)
        except DamagedDataError:
            return True
        return False

    async def _store(
        self,
        new: Instance,
        judge: Callable[[Instance | None], Verdict],
        *,
        may_be_first: bool = True,
    ) -> Verdict:
        await self._hub.parts.look_by_the_way()
        body = await self._hub.make_body(codec.encode(new), MAX_INLINE_ROW_BYTES)
        try:
            await self._hub.write_chunks(new.instance_id, new.execution_id, body)
            verdict, stored = await self._decide(new, body, judge, may_be_first=may_be_first)
        except ClientError:
            await self._hub.delete_chunks(new.instance_id, [body.chunks])
            raise
        except BaseException:  # the row may land yet, and name them
            if body.chunks is not None:
                self._leftovers.expect(new.instance_id)
            raise
        if stored != body.chunks:
            await self._hub.delete_chunks(new.instance_id, [body.chunks])
        await self._leftovers.sweep_expected()
        return verdict

    async def _decide(
        self,
        new: Instance,
        body: Body,
        judge: Callable[[Instance | None], Verdict],
        *,
        may_be_first: bool,
    ) -> tuple[Verdict, Chunks | None]:
        """What became of the new instance, and the chunks of the row that is stored now."""
        for _ in range(_ATTEMPTS):
            if may_be_first and await self._put(new, body, MISSING):
                return Verdict.ADD, body.chunks
            found = await self._hub.find_seen(new.instance_id, even_damaged=True)
            if found is None:
                judge(None)  # raises if it is no first
                continue
            verdict = judge(found.row)
            if verdict is Verdict.REPLACE:
                is_found = Expression("#r = :r", {":r": text(found.run)})
                if not await self._put(new, body, is_found):
                    continue
                found = Found(new, new.execution_id, self._item(new, body))
            if found.row.execution_id == new.execution_id:
                # Also if this start was stored before: then the host may have died right after.
                self._alarms.notice(new.instance_id, new.scheduled_start_at)
                await self._leftovers.sweep(new.instance_id)
            return verdict, found.chunks
        raise StorageError(
            f"Too many others start and remove '{new.instance_id}' at the same time."
        )

    async def _put(self, new: Instance, body: Body, condition: Expression) -> bool:
        seen_at = self._hub.now()
        item = self._item(new, body)
        try:
            await self._hub.table.put(item, condition)
        except ConditionFailedError:
            return False
        reached = BatchKey(new.execution_id, -1)
        self._hub.heads.put(head_of(new.instance_id, item, seen_at, reached))
        self._alarms.notice(new.instance_id, new.scheduled_start_at)
        return True

    def _item(self, new: Instance, body: Body) -> Item:
        return new_row(new, body, self._hub.parts.placing_of(new.instance_id))

    async def _remove_rest(self, instance_id: str, found: Found) -> None:
        """Delete all that is stored of a run but its row, and what is left of those before it."""
        self._alarms.notice(instance_id, None)
        kept_keys = {META, *(found.chunks.sort_keys if found.chunks else ())}
        items = await self._hub.table.query_all(everything_of(instance_id), columns=COLUMNS)
        of_run = [item for item in items if run_or_none(item) == found.run]
        mine = [key for key in map(sort_key_of, of_run) if key not in kept_keys]
        # A run that replaces this one meanwhile may have messages of the same ids.
        is_mine = Expression("#r = :r", {":r": text(found.run)})
        messages = [key_of(instance_id, each) for each in mine if each.startswith(MESSAGES)]
        await together([self._hub.table.delete_if(key, is_mine) for key in messages])
        await self._hub.table.write_all(
            deletes=[key_of(instance_id, x) for x in mine if not x.startswith(MESSAGES)]
        )
        others = [item for item in items if run_or_none(item) != found.run]
        await self._leftovers.remove(instance_id, others)
