"""Entities, as a kind of instances: their operations are done, and nothing is replayed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import inf

from host.core.entities.executor import EntityExecutor, EntityOutput
from host.core.entities.live_entity import LiveEntity
from host.core.entities.turns import PlannedOperations
from host.core.incoming import ActivityResult
from host.core.records import Commit, Effects, Instance, Message, Snapshot
from host.engine.kinds import Ask
from host.errors import ExecutorError


class Entities:
    """The `Kind` of entities."""

    planned = PlannedOperations

    def __init__(self, executor: EntityExecutor) -> None:
        self._executor = executor

    def has(self, name: str) -> bool:
        """Whether this host has the function of this entity."""
        return self._executor.find(name) is not None

    def knows(self, row: Instance, /) -> bool:
        """Whether this host has the entity's function."""
        return self.has(row.entity_name)

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
        """Do them; how long they may take is the executor's affair. Raises `ExecutorError`."""
        if not planned.operations:
            return live.finish(planned, EntityOutput(planned.state, ()))
        operate = self._executor.find(live.state.row.entity_name)
        if operate is None:
            raise ExecutorError(f"The entity '{live.state.row.entity_name}' has gone.")
        operating = operate(live.state.instance_id, planned.state, planned.operations)
        output = await ask(live, operating, patience_s=inf)
        return None if output is None else live.finish(planned, output)
