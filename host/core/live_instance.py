"""One instance as it is led: its facts, and its code where that is run.

Replays and turns may be long. So they can be done in steps, between which others get their turn.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any

from host.core.executors import OrchestratorCode, OrchestratorExecutor
from host.core.failures import Caught
from host.core.incoming import ActivityResult, Steps, do_all
from host.core.instance_state import InstanceState
from host.core.records import Commit, Effects, Message, Snapshot
from host.core.turns import (
    NoTurn,
    PlannedTurn,
    Termination,
    finish_turn,
    plan_turn,
    terminate,
)

FEW = 16
"""So many events are taken in at once: that takes no longer than a step of an author's code."""


class LiveInstance:
    """One instance in memory. Not thread-safe; no method awaits."""

    def __init__(
        self,
        snapshot: Snapshot,
        executor: OrchestratorExecutor,
        *,
        is_replayed: bool = True,
        runs_code: bool = True,
    ) -> None:
        """With `is_replayed=False` whoever makes it has to go through `replay` first.

        Without `runs_code` only that is taken in which needs no author code.
        """
        self.state = InstanceState(snapshot)
        self._executor = executor
        self._runs_code = runs_code
        self._code: OrchestratorCode | None = None
        self._begin()
        if is_replayed:
            do_all(self.replay())

    @property
    def error(self) -> Caught | None:
        """What the code raised in the end, if it did that in this object's life."""
        return None if self._code is None else self._code.error

    @property
    def other_data(self) -> str | None:
        """The first deed that had other data on replay than are recorded, in words."""
        return None if self._code is None else self._code.other_data

    @property
    def is_new(self) -> bool:
        """Whether nothing is recorded that would have to be replayed."""
        return not self.state.recorded

    def is_short(self, inbox: Sequence[Message], results: Sequence[ActivityResult]) -> bool:
        """Whether a turn has so little to take in that it need not be done in steps."""
        return len(inbox) + len(results) + len(self.state.ledger.timers) <= FEW

    def replay(self) -> Steps[None]:
        """Lead the code through what is recorded."""
        recorded, self.state.recorded = self.state.recorded, []
        if self._code is not None and recorded:
            self.state.learn((yield from self._code.replay(recorded)))

    def turn(
        self, now: datetime, inbox: Sequence[Message] = (), results: Sequence[ActivityResult] = ()
    ) -> Commit | Effects | None:
        """Take what there is to take; what is to be stored, or None if there is nothing to do.

        `Effects` alone only delete messages that nobody wants.
        """
        planned = self._plan(now, inbox, results)
        if not isinstance(planned, PlannedTurn):
            return self._take_without_code(planned, inbox)
        assert self._code is not None  # noqa: S101 - no turn of the code is planned without it
        return finish_turn(self.state, planned, self._code.turn(planned.new))

    def turn_in_steps(
        self, now: datetime, inbox: Sequence[Message] = (), results: Sequence[ActivityResult] = ()
    ) -> Steps[Commit | Effects | None]:
        """The same in steps, one for each event."""
        planned = self._plan(now, inbox, results)
        if not isinstance(planned, PlannedTurn):
            return self._take_without_code(planned, inbox)
        assert self._code is not None  # noqa: S101 - see `turn`
        output = yield from self._code.turn_in_steps(planned.new)
        return finish_turn(self.state, planned, output)

    def close(self) -> None:
        """Let go of the author's code."""
        if self._code is not None:
            self._code.close()

    def close_generator(self, generator: AsyncGenerator[Any, Any]) -> BaseException | None:
        """See `OrchestratorCode.close_generator`."""
        return None if self._code is None else self._code.close_generator(generator)

    # ---- inside --------------------------------------------------------------------------

    def _plan(
        self, now: datetime, inbox: Sequence[Message], results: Sequence[ActivityResult]
    ) -> PlannedTurn | Termination | NoTurn:
        """What there is to do in the current execution, which begins here if it has not."""
        state = self.state
        state.has_left_mail = False
        if state.ledger.is_continued:
            self.close()
            state.begin_next()
            self._begin()
        return plan_turn(state, inbox, results, now)

    def _take_without_code(
        self, planned: Termination | NoTurn, inbox: Sequence[Message]
    ) -> Commit | Effects | None:
        state = self.state
        if isinstance(planned, Termination):
            self.close()
            return terminate(state, planned)
        if inbox and not state.is_led:
            state.hear_orders(inbox)
        return state.forget(planned.stale)

    def _begin(self) -> None:
        """Have the code of the current execution, if it is here and may run."""
        state, executor = self.state, self._executor
        self._code = None
        if self._runs_code and not state.row.is_quarantined:
            self._code = executor.begin(state.instance_id, state.started)
        started = state.started
        state.is_led = self._code is not None
        state.has_function = state.is_led or executor.knows(started.name, started.version)
