"""Entities, as a kind of instances: their operations are done, and nothing is replayed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import inf

from host.core.entities.executor import EntityExecutor, EntityOutput
from host.core.entities.live_entity import LiveEntity
from host.core.entities.turns import PlannedOperations
from host.core.functions import LimitUse
from host.core.incoming import ActivityResult
from host.core.records import Commit, Effects, Instance, Message, Snapshot
from host.engine.kinds import Ask, NoSlotError
from host.engine.limits.entities import LimitedEntities
from host.errors import ExecutorError


class Entities:
    """The `Kind` of entities."""

    planned = PlannedOperations

    def __init__(self, executor: EntityExecutor, limited: LimitedEntities | None = None) -> None:
        """`limited` gives the slots of limits; None if there are no limits."""
        self._executor = executor
        self._limited = limited

    def has(self, name: str) -> bool:
        """Whether this host has the function of this entity."""
        return self._executor.find(name) is not None

    def knows(self, row: Instance, /) -> bool:
        """Whether this host has the entity's function."""
        return self.has(row.entity_name)

    def waits_for_slot(self, row: Instance, /) -> bool:
        """Whether the entity keeps to a limit."""
        return self._limited is not None and self.limit_of(row.entity_name) is not None

    async def revive(self, snapshot: Snapshot, _ask: Ask, *, runs_code: bool) -> LiveEntity:
        """Take in what is stored."""
        return LiveEntity(snapshot, self._executor, runs_code=runs_code)

    async def take_turn(
        self,
        live: LiveEntity,
        now: datetime,
        inbox: Sequence[Message],
        _results: Sequence[ActivityResult],
        /,
    ) -> PlannedOperations | Effects | None:
        """The operations that are to be done."""
        return live.plan(now, inbox)

    async def finish(self, live: LiveEntity, planned: PlannedOperations, ask: Ask) -> Commit | None:
        """Do them; how long they may take is the executor's affair.

        Raises `ExecutorError` and `NoSlotError`.
        """
        row = live.state.row
        use = None if self._limited is None else self.limit_of(row.entity_name)
        if self._limited is None or use is None or not planned.operations:
            return await self._do(live, planned, ask)
        free = planned.up_to(0)
        if free.steps or free.put_off:  # locks and delays need no slot, and nobody waits for them
            return await self._do(live, free, ask)
        with self._limited.asking(row.instance_id, use, planned.since) as asking:
            if not await ask(live, asking.answer, patience_s=inf, is_idle=True):
                raise NoSlotError
            begun = planned.up_to(asking.at_most).begun_at(asking.granted_at or planned.now)
            return await self._do(live, begun, ask)

    def limit_of(self, name: str) -> LimitUse | None:
        """The limit that an entity keeps to."""
        return self._executor.limit_of(name)

    async def _do(self, live: LiveEntity, planned: PlannedOperations, ask: Ask) -> Commit | None:
        if not planned.operations:
            return live.finish(planned, EntityOutput(planned.content, ()))
        operate = self._executor.find(live.state.row.entity_name)
        if operate is None:
            raise ExecutorError(f"The entity '{live.state.row.entity_name}' has gone.")
        operating = operate(live.state.instance_id, planned.content, planned.operations)
        output = await ask(live, operating, patience_s=inf)
        return None if output is None else live.finish(planned, output)
