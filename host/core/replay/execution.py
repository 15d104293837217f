"""One execution in memory: leads the author's code through events and collects what it does.

How it works. `replay` takes recorded events, `feed` new ones; both end in `_apply`. An event may
complete a task; then the code runs on until it waits for a task that is not complete. What the code
does (schedule, create, send) becomes an event at once, kept under its task id (`Deeds`). After a
live turn `take_output` hands those out to be written; on replay each recorded one must meet its
equal there, or the code is not deterministic.

Pure: time is the timestamp of the turn's OrchestratorStarted, ids are counted or derived.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

import msgspec

from bindings.client import RuntimeStatus
from bindings.critical_sections import LockTask
from bindings.errors import (
    LockLostError,
    NonDeterminismError,
    SerializationError,
    TaskFailedError,
)
from bindings.tasks import resolve
from host.core import history
from host.core.converter import Converter
from host.core.executors import Deed, Outcome, TurnOutput
from host.core.failures import Caught, caught, misfit
from host.core.functions import FunctionCatalog, OrchestratorFunction
from host.core.history import HistoryEvent
from host.core.replay import determinism
from host.core.replay.author_code import AuthorCode, End, Raised
from host.core.replay.awaits import raised_at
from host.core.replay.context import ReplayContext
from host.core.replay.deeds import Deeds
from host.core.replay.mailbox import Mailbox
from host.core.replay.waits import EventTask
from host.core.timers import Timers
from host.running import end_run

MAX_ACTIONS_PER_TURN = 100_000

_LEADS_ON = (
    history.ExecutionStarted,
    history.TaskCompleted,
    history.TaskFailed,
    history.SubOrchestrationInstanceCompleted,
    history.SubOrchestrationInstanceFailed,
    history.EntityOperationCompleted,
    history.EntityOperationFailed,
    history.EntityLockGranted,
    history.TimerFired,
    history.EventRaised,
)
"""What makes the code run on: it is held while the instance is suspended, and after the end."""


class Execution(Deeds):
    """The in-process executor of one execution. Not reusable, not thread-safe, never awaits."""

    divergence: determinism.Divergence | None = None
    """In what the code went another way than is recorded, if it did."""

    def __init__(
        self,
        instance_id: str,
        function: OrchestratorFunction,
        catalog: FunctionCatalog,
        converter: Converter,
        max_actions: int = MAX_ACTIONS_PER_TURN,
    ) -> None:
        super().__init__(instance_id, function.name, AuthorCode(function.start), max_actions)
        self.error: Caught | None = None
        """What the code raised in the end, if it did that here and now."""
        self.other_data: str | None = None
        """The first deed that had other data on replay than are recorded, in words."""
        self._name = function.name
        self._result_type = function.result_type
        self._catalog = catalog.current()
        self._converter = converter
        self._held: deque[HistoryEvent] = deque()
        self._is_suspended = False
        self._is_held = False
        """Whether what leads on is held: the instance is suspended, or regains its locks."""
        self._has_diverged = False

    # ---- led by the turn -----------------------------------------------------------------

    def replay(self, events: Iterable[HistoryEvent]) -> None:
        """Lead the code through recorded events; a difference becomes the outcome, a failure."""
        for _ in self.replay_in_steps(events):
            pass

    def replay_in_steps(self, events: Iterable[HistoryEvent]) -> Iterator[None]:
        """The same, an event a step."""
        self.is_replaying = self._running.is_replaying = True
        ended_by_history = False
        for event in events:
            if self._has_diverged:
                break
            self.feed(event)
            ended_by_history = isinstance(event, history.ExecutionCompleted | history.ContinueAsNew)
            yield
        if not (ended_by_history or self._has_diverged):
            self._check_replayed()
        self.is_replaying = self._running.is_replaying = False

    def feed(self, event: HistoryEvent) -> None:
        """Lead the code through one event."""
        self._context.lead(self._apply, event)

    def take_output(
        self,
        taken: Sequence[HistoryEvent] = (),
        consumed: Sequence[str] = (),
        *,
        has_left_mail: bool = False,
    ) -> TurnOutput:
        """What the code did since the last call, and how it stands; to be recorded.

        The arguments are what it was fed, and go along with that.
        """
        deeds, self._deeds = tuple(self._deeds.values()), {}
        outcome = self.outcome
        if outcome is not None and isinstance(outcome, history.ContinueAsNew):
            outcome = msgspec.structs.replace(outcome, carryover=self._carryover())
            self.outcome = outcome
        return TurnOutput(
            custom_status=self.custom_status,
            moved=self.take_moved() if self._moved else {},
            outcome=outcome,
            taken=taken,
            consumed=consumed,
            actions=deeds,
            awaited=self._mailbox.awaited_names() if self._mailbox.waits else (),
            has_left_mail=has_left_mail and outcome is None,
        )

    def close(self) -> None:
        """Let go of the code."""
        self._context.run(self._code.close)
        self._context.run(partial(end_run, self._running))
        # The tasks know the execution: memory would be freed later.
        self._open, self._mailbox, self._new_timers = {}, Mailbox(), Timers()

    def close_generator(self, generator: AsyncGenerator[Any, Any]) -> BaseException | None:
        """Let an async generator end that the code left; the error that it ended with."""
        return self._context.close_generator(generator)

    @property
    def is_suspended(self) -> bool:
        """Whether events are held until the instance is resumed."""
        return self._is_suspended

    # ---- events --------------------------------------------------------------------------

    def _apply(self, event: HistoryEvent) -> None:
        """Take in one event and let the code run as far as it can."""
        if (self._is_held or self.outcome is not None) and self._is_to_be_held(event):
            self._held.append(event)
            return
        try:
            self.handlers[type(event)](self, event)
        except NonDeterminismError as error:
            self._diverge(error)
        except BaseException as error:  # noqa: BLE001 - so may an author's retry handler
            self._end(Raised(error))
        if self.outcome is None and (end := self._code.advance()) is not None:
            self._end(end)

    def _on_started(self, event: history.ExecutionStarted) -> None:
        self._execution_id = self._running.execution_id = event.execution_id
        self._trace = event.trace
        if event.trace is not None:
            self._running.trace_id = event.trace.trace_id
        context = ReplayContext(self._instance_id, event, self, self._catalog, self._converter)
        self._end(self._code.start(context))

    def _on_turn(self, event: history.OrchestratorStarted) -> None:
        if self.is_replaying:
            self._check_replayed()
        self.begin_turn(event)

    def _on_completed(
        self,
        event: history.TaskCompleted
        | history.SubOrchestrationInstanceCompleted
        | history.EntityOperationCompleted,
    ) -> None:
        opened = self._open.pop(event.task_id, None)
        if opened is None:
            return
        try:
            what = f"The result of {opened.what}"
            value = self._converter.from_payload(event.result, opened.result_type, what)
        except SerializationError as error:
            resolve(opened.task, error=misfit(error))
        else:
            resolve(opened.task, value)

    def _on_failed(
        self,
        event: history.TaskFailed
        | history.SubOrchestrationInstanceFailed
        | history.EntityOperationFailed,
    ) -> None:
        opened = self._open.pop(event.task_id, None)
        if opened is not None:
            message = f"{opened.what} failed: {event.failure.text}"
            is_lost = event.failure.error_type == LockLostError.__name__
            failed = LockLostError if is_lost else TaskFailedError
            resolve(opened.task, error=failed(message, event.failure))

    def _on_timer(self, event: history.TimerFired) -> None:
        opened = self._open.pop(event.task_id, None)
        if opened is not None:
            resolve(opened.task)

    def _on_event(self, event: history.EventRaised) -> None:
        wait = self._mailbox.add_event(event)
        if wait is not None:
            self._deliver(event, wait)

    def _on_lock_granted(self, event: history.EntityLockGranted) -> None:
        opened = self._open.pop(event.task_id, None)
        has_regained = self._sections.grant(event.task_id)
        if opened is not None and isinstance(opened.task, LockTask):
            resolve(opened.task, opened.task.section)
        elif has_regained:
            self._deeds |= self._sections.take_lost()
            self._let_on()

    def _on_suspended(self, _event: history.ExecutionSuspended) -> None:
        self._is_suspended = self._is_held = True

    def _on_resumed(self, _event: history.ExecutionResumed) -> None:
        self._is_suspended = False
        self._let_on()

    def _let_on(self) -> None:
        """Let the code run on by what was held, unless something else holds it."""
        self._is_held = self._is_suspended or self._sections.is_regaining
        held, self._held = self._held, deque()
        for event in held:
            self._apply(event)

    def _is_to_be_held(self, event: HistoryEvent) -> bool:
        if not isinstance(event, _LEADS_ON):
            return False
        is_for_held = isinstance(event, history.EntityLockGranted) and self._sections.is_regaining
        return self._is_suspended or self.outcome is not None or not is_for_held

    def _on_rewound(self, event: history.ExecutionRewound) -> None:
        """What was asked for in vain is asked for again, under other ids."""
        for old_id, new_id in event.again.items():
            opened = self._open.pop(old_id, None)
            if opened is not None:
                self._open[new_id] = opened
        self._sections.rewind(event.again, event.on_grant)
        self._is_held = self._is_suspended or self._sections.is_regaining
        self._last_task_id = max(self._last_task_id, event.last_task_id)

    def _on_status_set(self, event: history.CustomStatusSet) -> None:
        self.custom_status = event.status

    def _on_recorded_end(self, event: Outcome) -> None:
        if self.outcome is None:
            self.outcome = event

    def _on_terminated(self, _event: history.ExecutionTerminated) -> None:
        """The end, which the turn records; of what is recorded with it the code sees nothing."""
        self._code.close()

    def _on_recorded_deed(self, recorded: Deed) -> None:
        """The code must have done just now what the history records."""
        done = self._deeds.pop(recorded.task_id, None)
        if done is None or not determinism.is_same(recorded, done):
            did = self._end_in_words() if done is None else determinism.describe(done)
            raise self._mismatch(recorded=determinism.describe(recorded), done=did)
        if self.other_data is None and determinism.has_other_data(recorded, done):
            self.other_data = determinism.describe(recorded)
        if isinstance(done, history.TimerCreated) and isinstance(recorded, history.TimerCreated):
            self._compare_timers(recorded, done)

    def _compare_timers(self, recorded: history.TimerCreated, done: history.TimerCreated) -> None:
        """A delay that was corrected counts, unless the timer is over or was let go of."""
        if recorded.fire_at != done.fire_at and self.is_open(done.task_id):
            self._moved[done.task_id] = done.fire_at

    handlers: ClassVar[dict[type[Any], Callable[[Execution, Any], None]]] = {
        history.ExecutionStarted: _on_started,
        history.OrchestratorStarted: _on_turn,
        history.TaskCompleted: _on_completed,
        history.SubOrchestrationInstanceCompleted: _on_completed,
        history.EntityOperationCompleted: _on_completed,
        history.TaskFailed: _on_failed,
        history.SubOrchestrationInstanceFailed: _on_failed,
        history.EntityOperationFailed: _on_failed,
        history.EntityLockGranted: _on_lock_granted,
        history.TimerFired: _on_timer,
        history.EventRaised: _on_event,
        history.ExecutionSuspended: _on_suspended,
        history.ExecutionResumed: _on_resumed,
        history.ExecutionRewound: _on_rewound,
        history.ExecutionTerminated: _on_terminated,
        history.CustomStatusSet: _on_status_set,
        history.ExecutionCompleted: _on_recorded_end,
        history.ContinueAsNew: _on_recorded_end,
        history.TaskScheduled: _on_recorded_deed,
        history.SubOrchestrationInstanceCreated: _on_recorded_deed,
        history.TimerCreated: _on_recorded_deed,
        history.EventSent: _on_recorded_deed,
        history.EntityOperationCalled: _on_recorded_deed,
        history.EntityOperationSignaled: _on_recorded_deed,
        history.EntityLockRequested: _on_recorded_deed,
        history.EntityUnlockSent: _on_recorded_deed,
    }

    # ---- outcomes ------------------------------------------------------------------------

    def _end(self, end: End | None) -> None:
        """Make the end of the code the outcome of the execution, the first one to stay."""
        if end is None or self.outcome is not None:
            return
        if isinstance(end, Raised):
            self.outcome = self._failed(end.error)
            self._code.close()
        elif self._continuation is not None:
            self.outcome = history.ContinueAsNew(
                timestamp=self.now,
                input=self._continuation.input,
                version=self._continuation.version,
            )
        else:
            self.outcome = self._completed(end.value)

    def _completed(self, value: Any) -> history.ExecutionCompleted:
        try:
            what = f"The result of orchestrator '{self._name}'"
            result = self._converter.to_payload(value, what, self._result_type)
            self._converter.check_fit(result, self._result_type, what)
        except SerializationError as error:
            return self._failed(error)
        return history.ExecutionCompleted(
            timestamp=self.now, status=RuntimeStatus.COMPLETED, result=result
        )

    def _carryover(self) -> tuple[history.EventRaised, ...]:
        """The events that nobody waited for, in order of arrival."""
        if self._continuation is None or not self._continuation.saves_events:
            return ()
        held = (event for event in self._held if isinstance(event, history.EventRaised))
        return (*self._mailbox.unclaimed(), *held)

    def _failed(self, error: BaseException) -> history.ExecutionCompleted:
        self.error = caught(error)
        return history.ExecutionCompleted(
            timestamp=self.now, status=RuntimeStatus.FAILED, failure=self.error.details
        )

    def _diverge(self, error: NonDeterminismError) -> None:
        """A replay that went another way: that is the outcome, whatever the code came to."""
        self._has_diverged, self._deeds = True, {}
        self.outcome = self._failed(error)
        self._code.close()

    def _check_replayed(self) -> None:
        """At the end of a recorded turn the code must have done no more than is recorded."""
        deed = next(iter(self._deeds.values()), None)
        done = self._end_in_words() if deed is None else determinism.describe(deed)
        if done is not None:
            self._diverge(self._mismatch(recorded=None, done=done))

    def _mismatch(self, *, recorded: str | None, done: str | None) -> NonDeterminismError:
        position = self._code.position()
        raised = None if self.error is None else raised_at(self.error)
        self.divergence = determinism.Divergence(recorded, done, position or raised)
        place = str(position or "its end")
        return determinism.mismatch(self._name, place, recorded=recorded, done=done)

    def _end_in_words(self) -> str | None:
        if self.outcome is None:
            return None
        if isinstance(self.outcome, history.ContinueAsNew):
            return "to continue as new"
        failure = self.outcome.failure
        return f"to fail with {failure.error_type}: {failure.message}" if failure else "to return"

    # ---- small things --------------------------------------------------------------------

    def _deliver(self, event: history.EventRaised, wait: EventTask) -> None:
        wait.stop_timer()
        try:
            what = f"The data of event '{event.name}'"
            data = self._converter.from_payload(event.input, wait.data_type, what)
        except SerializationError as error:
            resolve(wait, error=misfit(error))
        else:
            resolve(wait, data)
