"""One instance as it is led: its facts, and its code where that is run.

Replays and turns may be long. So they can be done in steps, between which others get their turn.
Code that lives elsewhere is asked by whoever leads the instance: he is given what is recorded and
what is planned, and tells what was answered.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime
from typing import Any

from host.core.answers import check_standing, check_turn
from host.core.executors import AwaitedCode, OrchestratorCode, OrchestratorExecutor
from host.core.failures import Caught
from host.core.history import Batch
from host.core.incoming import ActivityResult, Steps, do_all
from host.core.instance_state import InstanceState
from host.core.notices import NO_NOTICES
from host.core.projection import reason_without_function
from host.core.records import Commit, Effects, Message, NoticeKind, Snapshot
from host.core.turns import (
    NoTurn,
    PlannedTurn,
    Termination,
    finish_turn,
    plan_again,
    plan_turn,
    terminate,
)
from host.errors import Conflict

FEW = 16
"""So many events are taken in at once: that takes no longer than a step of an author's code."""
NONE = -1
LED_ELSEWHERE = "Its next execution is led by another executor than the one before."


class LiveInstance:
    """One instance in memory. Not thread-safe; no method awaits."""

    hears_while_asked = True
    awaited: AwaitedCode | None = None
    """The code, if it lives elsewhere."""
    _few = FEW

    def __init__(
        self,
        snapshot: Snapshot,
        executor: OrchestratorExecutor,
        *,
        is_replayed: bool = True,
        runs_code: bool = True,
        reason_to_wait: Callable[[str, str | None], str] = reason_without_function,
        wanted: frozenset[NoticeKind] = NO_NOTICES,
    ) -> None:
        """With `is_replayed=False` whoever makes it has to go through `replay` first.

        Without `runs_code` only that is taken in which needs no author code. `reason_to_wait` says
        why an instance of this function and version waits that the executor does not know. `wanted`
        is what is to be told of it outside of the hub.
        """
        self.state = InstanceState(snapshot, wanted)
        self._executor = executor
        self._runs_code = runs_code
        self._reason_to_wait = reason_to_wait
        self._code: OrchestratorCode | None
        self._begin()
        if is_replayed:
            do_all(self.replay())

    @property
    def has_code_here(self) -> bool:
        """Whether the author's code is kept in this process between turns."""
        return self.awaited is None

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
        return len(inbox) + len(results) + len(self.state.ledger.timers) <= self._few

    def replay(self) -> Steps[None]:
        """Lead the code through what is recorded."""
        recorded = self.take_recorded()
        if self._code is not None and recorded:
            self.state.learn((yield from self._code.replay(recorded)))

    def take_recorded(self) -> list[Batch]:
        """What the code is to be led through before its first turn; it is given once."""
        recorded, self.state.recorded = self.state.recorded, []
        return recorded

    def learn(self, answer: object) -> None:
        """How code elsewhere stands after its replay. Raises `ExecutorError` for nonsense."""
        self.state.learn(check_standing(answer))

    def turn(
        self, now: datetime, inbox: Sequence[Message] = (), results: Sequence[ActivityResult] = ()
    ) -> Commit | Effects | None:
        """Take what there is to take; what is to be stored, or None if there is nothing to do.

        `Effects` alone only delete messages that nobody wants.
        """
        planned = self._plan(now, inbox, results)
        if not isinstance(planned, PlannedTurn):
            return self._take_without_code(planned, inbox)
        if self._code is None:
            raise Conflict(LED_ELSEWHERE)
        return finish_turn(self.state, planned, self._code.turn(planned.new))

    def turn_in_steps(
        self, now: datetime, inbox: Sequence[Message] = (), results: Sequence[ActivityResult] = ()
    ) -> Steps[Commit | Effects | None]:
        """The same in steps, one for each event."""
        planned = self._plan(now, inbox, results)
        if not isinstance(planned, PlannedTurn):
            return self._take_without_code(planned, inbox)
        if self._code is None:
            raise Conflict(LED_ELSEWHERE)
        output = yield from self._code.turn_in_steps(planned.new)
        return finish_turn(self.state, planned, output)

    def plan(
        self, now: datetime, inbox: Sequence[Message] = (), results: Sequence[ActivityResult] = ()
    ) -> PlannedTurn | Commit | Effects | None:
        """A turn of the code, or the outcome of one without code.

        What is planned is not taken: it may be planned again, with more.
        """
        planned = self._plan(now, inbox, results)
        if isinstance(planned, PlannedTurn):
            return planned
        return self._take_without_code(planned, inbox)

    def is_to_end(self, now: datetime, inbox: Sequence[Message]) -> bool:
        """Whether the next turn ends the instance, whatever its code says."""
        return isinstance(plan_turn(self.state, inbox, (), now), Termination)

    def finish(self, planned: PlannedTurn, answer: object) -> Commit:
        """What is to be stored of a turn that was answered. Raises `ExecutorError` for nonsense."""
        return finish_turn(self.state, planned, check_turn(self.state, planned.new, answer))

    def close(self) -> None:
        """Let go of the author's code."""
        if self._code is not None:
            self._code.close()
        elif self.awaited is not None:
            awaited, self.awaited = self.awaited, None
            awaited.close()

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
        if state.ledger.has_next:
            if not state.ledger.is_continued:
                return plan_again(state, inbox, results, now)
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
        started, code = state.started, None
        if self._runs_code and not state.row.is_quarantined:
            code = executor.begin(state.instance_id, started)
        state.is_led = code is not None
        if isinstance(code, AwaitedCode):
            self._code, self.awaited, self._few = None, code, NONE
        else:
            self._code = code
        if state.is_led or executor.knows(started.name, started.version):
            state.missing_function = None
        else:
            state.missing_function = self._reason_to_wait(started.name, started.version)
