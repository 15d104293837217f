"""What the author's code does: each operation takes the next task id and becomes an event at once.

The events of a turn are kept under their task ids until they are handed out to be written, or meet
their equals on replay: `Execution` sees to that, and to what comes in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import msgspec

from bindings.critical_sections import CriticalSection, LockTask
from bindings.entity_ids import EntityId
from bindings.errors import OrchestrationError
from bindings.tasks import DurableTask
from host.core import history, ids
from host.core.effects import unlocks_of
from host.core.executors import Deed, Outcome
from host.core.history import Payload
from host.core.records import UNCHANGED, Unchanged
from host.core.replay.author_code import AuthorCode
from host.core.replay.code_context import CodeContext
from host.core.replay.mailbox import Mailbox
from host.core.replay.operations import Tries
from host.core.replay.sections import Section, Sections
from host.core.replay.waits import EventTask, TimerTask
from host.core.timers import Timers
from host.core.trace import TraceContext, span_of, traceparent
from host.running import Running


class OpenTask(msgspec.Struct, frozen=True):
    """A task that the code waits for, and what to say of it."""

    task: DurableTask[Any]
    what: str
    result_type: Any


class Continuation(NamedTuple):
    """How the code wants to go on when it ends."""

    input: Payload
    saves_events: bool
    version: str | None


class Deeds(ABC):
    """Implements `Operations` for the author's code of one execution."""

    def __init__(self, instance_id: str, name: str, code: AuthorCode, max_actions: int) -> None:
        self.now = datetime.min.replace(tzinfo=UTC)
        self.is_replaying = False
        self.custom_status: Payload | Unchanged = UNCHANGED
        self.outcome: Outcome | None = None
        self._instance_id = instance_id
        self._execution_id = ""
        self._trace: TraceContext | None = None
        self._code = code
        self._running = Running(name, instance_id)
        self._context = CodeContext(self._running)
        self._max_actions = max_actions
        self._last_task_id = 0
        self._deeds: dict[int, Deed] = {}
        self._open: dict[int, OpenTask] = {}
        self._new_timers = Timers()
        self._moved: dict[int, datetime | None] = {}
        self._mailbox = Mailbox()
        self._sections = Sections()
        self._continuation: Continuation | None = None

    def next_traceparent(self) -> str:
        """What says that the next task asks, in this execution's trace; "" if it has none."""
        if self._trace is None or not self._trace.is_sound:
            return ""
        return traceparent(self._trace, span_of(self._execution_id, self._last_task_id + 1))

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
        self._continuation = Continuation(input_, save_events, version)

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

    # ---- asked by who leads the code ------------------------------------------------------

    def begin_turn(self, started: history.OrchestratorStarted) -> None:
        """A turn begins. Nothing of the code runs."""
        if self._new_timers:
            self._new_timers = Timers()
        self.now = started.timestamp

    def take_moved(self) -> Mapping[int, datetime | None]:
        """The timers that fire at another time than recorded, or never; since the last call."""
        moved, self._moved = self._moved, {}
        return moved

    def is_open(self, task_id: int) -> bool:
        """Whether the code has not heard of the end of this task, nor let go of it."""
        return task_id in self._open

    def next_new_timer(self) -> datetime | None:
        """When the first timer is due that was made since the last turn began."""
        return self._new_timers.next_due()

    # ---- inside ---------------------------------------------------------------------------

    @abstractmethod
    def _deliver(self, event: history.EventRaised, wait: EventTask) -> None:
        """Complete a wait by an event that had come before."""

    def _record(self, event: Deed, task: DurableTask[Any], what: str, result_type: Any) -> None:
        if not self._code.is_closed:  # closed code that insists gets a task that never ends
            self._deeds[event.task_id] = event
            self._open[event.task_id] = OpenTask(task, what, result_type)

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
