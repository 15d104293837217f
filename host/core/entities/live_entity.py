"""One entity as it is led: its facts, and who does its operations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from host.core.entities.executor import EntityExecutor, EntityOutput
from host.core.entities.turns import PlannedOperations, finish_operations, plan_operations
from host.core.instance_state import InstanceState
from host.core.projection import reason_without_entity
from host.core.records import Commit, Effects, Message, Snapshot
from host.core.turns import NoTurn


class LiveEntity:
    """One entity in memory. Not thread-safe; no method awaits."""

    error = None
    """An entity never ends."""
    has_code_here = False
    hears_while_asked = False
    """Nor does mail: all of it waits, and may be very much."""

    def __init__(self, snapshot: Snapshot, executor: EntityExecutor, *, runs_code: bool) -> None:
        """Without `runs_code` nothing is done but what needs none."""
        self.state = state = InstanceState(snapshot)
        name = snapshot.instance.entity_name
        is_known = executor.find(name) is not None
        state.is_led = runs_code and is_known and not state.row.is_quarantined
        state.missing_function = None if is_known else reason_without_entity(name)
        state.recorded = []

    def plan(self, now: datetime, inbox: Sequence[Message]) -> PlannedOperations | Effects | None:
        """The operations that are to be done; `Effects` alone delete what nobody wants."""
        self.state.has_left_mail = False
        planned = plan_operations(self.state, inbox, now)
        return self.state.forget(planned.stale) if isinstance(planned, NoTurn) else planned

    def turn(self, now: datetime, inbox: Sequence[Message]) -> Effects | None:
        """Delete what nobody wants: nothing else is done without the entity's code."""
        planned = self.plan(now, inbox)
        return None if isinstance(planned, PlannedOperations) else planned

    def finish(self, planned: PlannedOperations, output: EntityOutput) -> Commit:
        """What is to be stored of them."""
        return finish_operations(self.state, planned, output)

    def is_to_end(self, _now: datetime, _inbox: Sequence[Message]) -> bool:
        """Nothing ends an entity."""
        return False

    def close(self) -> None:
        """There is no code in memory between two batches."""
