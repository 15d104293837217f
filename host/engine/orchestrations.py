"""Orchestrations, as a kind of instances: code that is replayed, in this process or elsewhere."""

from __future__ import annotations

from host.clock import Clock
from host.core.executors import AwaitedCode, OrchestratorExecutor
from host.core.live_instance import LED_ELSEWHERE, LiveInstance
from host.core.notices import NO_NOTICES
from host.core.records import Commit, Instance, NoticeKind, Snapshot
from host.core.turns import PlannedTurn
from host.core.versions import Versioning
from host.engine.apart import close
from host.engine.kinds import Ask
from host.engine.other_data import OtherDataLog
from host.engine.slices import Slices
from host.errors import Conflict


class Orchestrations:
    """The `Kind` of orchestrations."""

    planned = PlannedTurn

    def __init__(
        self,
        executor: OrchestratorExecutor,
        slices: Slices,
        clock: Clock,
        versioning: Versioning,
        wanted: frozenset[NoticeKind] = NO_NOTICES,
    ) -> None:
        """`wanted` is what is told of instances outside of the hub."""
        self._wanted = wanted
        self._executor = executor
        self._reason_to_wait = versioning.reason_to_wait
        self._slices = slices
        self._clock = clock
        self._other_data = OtherDataLog()
        self.take_turn = slices.take_turn
        """Nothing is between a session and a turn of code in this process."""

    def knows(self, row: Instance, /) -> bool:
        """Whether this host, or who runs its orchestrators, has the function."""
        return self._executor.knows(row.name, row.version)

    def waits_for_slot(self, _row: Instance, /) -> bool:
        """An orchestration waits before it is loaded, and keeps its slot from then on."""
        return False

    async def revive(self, snapshot: Snapshot, ask: Ask, *, runs_code: bool) -> LiveInstance:
        """Replay the instance."""
        live = LiveInstance(
            snapshot,
            self._executor,
            is_replayed=False,
            runs_code=runs_code,
            reason_to_wait=self._reason_to_wait,
            wanted=self._wanted,
        )
        try:
            if live.awaited is None:
                await self._slices.replay(live)
            else:
                await self._replay_elsewhere(live, live.awaited, snapshot, ask)
        except BaseException:
            close(live)
            raise
        if live.other_data is not None:
            row = snapshot.instance
            self._other_data.tell(row.instance_id, row.name, live.other_data)
        return live

    async def finish(self, live: LiveInstance, planned: PlannedTurn, ask: Ask) -> Commit | None:
        """Ask who runs the code elsewhere. Raises `Conflict` if nobody does any more."""
        if live.awaited is None:
            raise Conflict(LED_ELSEWHERE)
        answer = await ask(live, live.awaited.turn(planned.new))
        return None if answer is None else live.finish(planned, answer)

    async def _replay_elsewhere(
        self, live: LiveInstance, code: AwaitedCode, snapshot: Snapshot, ask: Ask
    ) -> None:
        """Have it led through what is recorded. An order to end the instance needs none of it."""
        recorded = live.take_recorded()
        if recorded and not live.is_to_end(self._clock.now(), snapshot.inbox):
            answer = await ask(live, code.replay(recorded))
            if answer is not None:
                live.learn(answer)
