"""One execution in memory: leads the author's code through events and collects what it does.

How it works. `replay` takes recorded events, `feed` new ones; both end in `_apply`. An event may
complete a task; then the code runs on until it waits for a task that is not complete. What the code
does (schedule, create, send) becomes an event at once, kept in `_deeds` under its task id. After a
live turn `take_output` hands those out to be written; on replay each recorded one must meet its
equal there, or the code is not deterministic.

Pure: time is the timestamp of the turn's OrchestratorStarted, ids are counted or derived.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar, NamedTuple

import msgspec

from bindings.client import RuntimeStatus
from bindings.critical_sections import CriticalSection, LockTask
from bindings.entity_ids import EntityId
from bindings.errors import (
    LockLostError,
    NonDeterminismError,
    OrchestrationError,
    SerializationError,
    TaskFailedError,
)
from bindings.tasks import DurableTask, resolve
from host.core import history, ids
from host.core.converter import Converter
from host.core.effects import unlocks_of
from host.core.executors import Deed, Outcome, TurnOutput
from host.core.failures import Caught, caught, misfit
from host.core.functions import FunctionCatalog, OrchestratorFunction
from host.core.history import HistoryEvent, Payload
from host.core.records import UNCHANGED, Unchanged
from host.core.replay import determinism
from host.core.replay.author_code import AuthorCode, End, Raised
from host.core.replay.awaits import raised_at
from host.core.replay.code_context import CodeContext
from host.core.replay.context import ReplayContext
from host.core.replay.mailbox import Mailbox
from host.core.replay.operations import Tries
from host.core.replay.sections import Section, Sections
from host.core.replay.waits import EventTask, TimerTask
from host.core.timers import Timers

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


class _OpenTask(msgspec.Struct, frozen=True):
    task: DurableTask[Any]
    what: str
    result_type: Any


class _Continuation(NamedTuple):
    input: Payload
    saves_events: bool
    version: str | None


class Execution:
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
        self.now = datetime.min.replace(tzinfo=UTC)
        self.is_replaying = False
        self.custom_status: Payload | Unchanged = UNCHANGED
        self.outcome: Outcome | None = None
        self.error: Caught | None = None
        """What the code raised in the end, if it did that here and now."""
        self.other_data: str | None = None
        """The first deed that had other data on replay than are recorded, in words."""
        self._instance_id = instance_id
        self._name = function.name
        self._result_type = function.result_type
        self._code = AuthorCode(function.start)
        self._catalog = catalog.current()
        self._converter = converter
        self._max_actions = max_actions
        self._execution_id = ""
        self._last_task_id = 0
        self._deeds: dict[int, Deed] = {}
        self._open: dict[int, _OpenTask] = {}
        self._new_timers = Timers()
        self._moved: dict[int, datetime | None] = {}
        self._mailbox = Mailbox()
        self._continuation: _Continuation | None = None
        self._held: deque[HistoryEvent] = deque()
        self._is_suspended = False
        self._is_held = False
        """Whether what leads on is held: the instance is suspended, or regains its locks."""
        self._sections = Sections()
        self._has_diverged = False
        self._context = CodeContext()

    # ---- led by the turn -----------------------------------------------------------------

    def replay(self, events: Iterable[HistoryEvent]) -> None:
        """Lead the code through recorded events; a difference becomes the outcome, a failure."""
        for _ in self.replay_in_steps(events):
            pass

    def replay_in_steps(self, events: Iterable[HistoryEvent]) -> Iterator[None]:
        """The same, an event a step."""
        self.is_replaying = True
        ended_by_history = False
        for event in events:
            if self._has_diverged:
                break
            self.feed(event)
            ended_by_history = isinstance(event, history.ExecutionCompleted | history.ContinueAsNew)
            yield
        if not (ended_by_history or self._has_diverged):
            self._check_replayed()
        self.is_replaying = False

    def feed(self, event: HistoryEvent) -> None:
        """Lead the code through one event."""
        self._context.lead(self._apply, event)

    def begin_turn(self, started: history.OrchestratorStarted) -> None:
        """A turn begins. Nothing of the code runs."""
        if self._new_timers:
            self._new_timers = Timers()
        self.now = started.timestamp

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

    def take_moved(self) -> Mapping[int, datetime | None]:
        """The timers that fire at another time than recorded, or never; since the last call."""
        moved, self._moved = self._moved, {}
        return moved

    def close(self) -> None:
        """Let go of the code."""
        self._context.run(self._code.close)
        # The tasks know the execution: memory would be freed later.
        self._open, self._mailbox, self._new_timers = {}, Mailbox(), Timers()

    def close_generator(self, generator: AsyncGenerator[Any, Any]) -> BaseException | None:
        """Let an async generator end that the code left; the error that it ended with."""
        return self._context.close_generator(generator)

    def is_open(self, task_id: int) -> bool:
        """Whether the code has not heard of the end of this task, nor let go of it."""
        return task_id in self._open

    def next_new_timer(self) -> datetime | None:
        """When the first timer is due that was made since the last turn began."""
        return self._new_timers.next_due()

    @property
    def is_suspended(self) -> bool:
        """Whether events are held until the instance is resumed."""
        return self._is_suspended

    # ---- called by user code through the context -----------------------------------------

    def schedule_activity(
        self,
        name: str,
        input_: Payload,
        result_type: Any,
        attempt: int = 1,
        tries: Tries | None = None,
    ) -> DurableTask[Any]:
        """Record that an activity is to be run, for the `attempt`-th time."""
        task_id = self._next_task_id()
        event = history.TaskScheduled(
            timestamp=self.now,
            task_id=task_id,
            name=name,
            input=input_,
            attempt=attempt,
            max_attempts=1 if tries is None else tries.most,
            first_id=None if tries is None else tries.first_id,
        )
        if tries is not None and tries.first_id is None:
            tries.first_id = task_id
        task: DurableTask[Any] = DurableTask()
        self._record(event, task, f"Activity function '{name}'", result_type)
        return task

    def start_child(
        self,
        name: str,
        input_: Payload,
        instance_id: str | None,
        version: str | None,
        result_type: Any,
    ) -> DurableTask[Any]:
        """Record that a sub-orchestration is to be started."""
        self._sections.check_child()
        task_id = self._next_task_id()
        event = history.SubOrchestrationInstanceCreated(
            timestamp=self.now,
            task_id=task_id,
            name=name,
            instance_id=instance_id
            or ids.child_instance_id(self._instance_id, self._execution_id, task_id),
            input=input_,
            version=version,
        )
        task: DurableTask[Any] = DurableTask()
        what = f"Sub-orchestrator function '{name}' ('{event.instance_id}')"
        self._record(event, task, what, result_type)
        return task

    def call_entity(
        self, instance_id: str, operation: str, input_: Payload, result_type: Any
    ) -> DurableTask[Any]:
        """Record that an entity is to do something, and that its answer is waited for."""
        section = self._sections.number_for_call(instance_id)
        event = history.EntityOperationCalled(
            timestamp=self.now,
            task_id=self._next_task_id(),
            instance_id=instance_id,
            operation=operation,
            input=input_,
            section=section,
        )
        if section:
            self._sections.note(event)
        task: DurableTask[Any] = DurableTask()
        what = f"Operation '{operation}' of entity '{instance_id}'"
        self._record(event, task, what, result_type)
        return task

    def signal_entity(
        self, instance_id: str, operation: str, input_: Payload, scheduled_at: datetime | None
    ) -> None:
        """Record that an entity is to do something, now or not before a time."""
        self._sections.check_signal(instance_id)
        task_id = self._next_task_id()
        if not self._code.is_closed:
            self._deeds[task_id] = history.EntityOperationSignaled(
                timestamp=self.now,
                task_id=task_id,
                instance_id=instance_id,
                operation=operation,
                input=input_,
                scheduled_at=scheduled_at,
            )

    def lock_entities(self, entities: tuple[str, ...]) -> LockTask:
        """Record that entities are to be locked, in this order."""
        self._sections.check_free()
        task_id = self._next_task_id()
        section = Section(task_id, entities)
        task = LockTask(
            CriticalSection(tuple(map(EntityId.parse, entities)), partial(self._leave, section)),
            take_back=partial(self._take_back, section),
        )
        event = history.EntityLockRequested(timestamp=self.now, task_id=task_id, entities=entities)
        self._record(event, task, "A lock of entities", None)
        self._sections.begin(section)
        return task

    @property
    def is_locked(self) -> bool:
        """Whether the code is in a critical section."""
        return self._sections.held is not None

    def create_timer(self, fire_at: datetime) -> TimerTask:
        """Record a timer."""
        task = TimerTask(self._next_task_id(), self._forget_timer)
        event = history.TimerCreated(timestamp=self.now, task_id=task.task_id, fire_at=fire_at)
        self._new_timers.add(task.task_id, fire_at)
        self._record(event, task, "A timer", None)
        return task

    def wait_for_event(self, name: str, data_type: Any, timer: TimerTask | None) -> EventTask:
        """Wait for an event; nothing is recorded, because the mailbox follows from the history."""
        self.check_turn()
        wait = EventTask(name, data_type, timer, self._forget_wait)
        event = self._mailbox.add_wait(wait)
        if event is not None:
            self._deliver(event, wait)
        return wait

    def send_event(self, instance_id: str, name: str, input_: Payload) -> None:
        """Record that an event is to be sent."""
        task_id = self._next_task_id()
        if not self._code.is_closed:
            self._deeds[task_id] = history.EventSent(
                timestamp=self.now,
                task_id=task_id,
                instance_id=instance_id,
                name=name,
                input=input_,
            )

    def continue_as_new(self, input_: Payload, *, save_events: bool, version: str | None) -> None:
        """Make the end of the code the beginning of the next execution."""
        self.check_turn()
        self._continuation = _Continuation(input_, save_events, version)

    def set_custom_status(self, status: Payload) -> None:
        """Show a status."""
        self.check_turn()
        if not self._code.is_closed:
            self.custom_status = status

    def check_turn(self) -> None:
        """Raise `OrchestrationError` unless the code is being led on, and asks this itself."""
        if self._code.is_refused() if self._code.is_closed else self.outcome is not None:
            raise OrchestrationError("The orchestration is over: its context does nothing more.")
        if not (self._context.is_led or self._code.is_closed):
            raise OrchestrationError(_OUTSIDE)

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
        self._execution_id = event.execution_id
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
            self._deeds |= self._sections.take_lost_calls()
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
        self._sections.rewind(event.again)
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

    def _record(self, event: Deed, task: DurableTask[Any], what: str, result_type: Any) -> None:
        if not self._code.is_closed:  # closed code that insists gets a task that never ends
            self._deeds[event.task_id] = event
            self._open[event.task_id] = _OpenTask(task, what, result_type)

    def _forget_timer(self, timer: TimerTask) -> None:
        self._check_cancel()
        self._open.pop(timer.task_id, None)
        self._new_timers.drop(timer.task_id)
        self._moved[timer.task_id] = None

    def _leave(self, section: Section, was_let_go: bool) -> None:
        """The code leaves a section that it is in."""
        if self._code.is_closed or not self._sections.has(section):
            return
        if was_let_go and not self._context.is_led:
            return  # it is no longer in memory; the section goes on
        self.check_turn()
        self._sections.check_held(section)
        self._sections.end()
        self._unlock(section)

    def _take_back(self, section: Section) -> None:
        """The code does not wait any more for a section."""
        self._check_cancel()
        self._open.pop(section.task_id, None)
        self._sections.end()
        if not self._code.is_closed:
            self._unlock(section)

    def _unlock(self, section: Section) -> None:
        request = history.EntityLockRequested(
            timestamp=self.now, task_id=section.task_id, entities=section.entities
        )
        for order in unlocks_of(request, self.now, is_held=section.is_held):
            task_id = self._next_task_id()
            self._deeds[task_id] = msgspec.structs.replace(order, task_id=task_id)

    def _forget_wait(self, wait: EventTask) -> None:
        self._check_cancel()
        self._mailbox.drop(wait)

    def _check_cancel(self) -> None:
        """Outside a turn nothing is cancelled either; after the end it no longer matters."""
        is_over = self._code.is_closed or self.outcome is not None
        if not (is_over or self._context.is_led):
            raise OrchestrationError(_OUTSIDE)

    def _next_task_id(self) -> int:
        self.check_turn()
        if len(self._deeds) >= self._max_actions:
            raise OrchestrationError(
                f"The orchestrator did {self._max_actions:,} things in one turn without waiting; "
                "is there a loop without an await? (maxOrchestrationActions in host.json)"
            )
        self._last_task_id += 1
        return self._last_task_id


_OUTSIDE = (
    "An orchestration's context was used outside its turn: by a thread, a task, an activity, "
    "another orchestration, or the clean-up of a generator that was left before its end. Nothing "
    "was recorded. Use it in the orchestrator's own code, and close generators that you leave with "
    "contextlib.aclosing()."
)
