"""What user code may do to its execution: the narrow face between the context and the replay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bindings.critical_sections import LockTask
from bindings.tasks import DurableTask
from host.core.history import Payload
from host.core.replay.waits import EventTask, TimerTask


@dataclass(slots=True)
class Tries:
    """The attempts of one call by its retry policy."""

    most: int
    first_id: int | None = None
    """The task of the first one, once there is one."""


class Operations(Protocol):
    """Implemented by `Execution`; each operation takes the next task id and records an event.

    Outside a turn of the execution, and after its end, all of them raise `OrchestrationError`.
    """

    now: datetime
    is_replaying: bool

    def next_traceparent(self) -> str: ...

    def schedule_activity(
        self,
        name: str,
        input_: Payload,
        result_type: Any,
        attempt: int = 1,
        tries: Tries | None = None,
    ) -> DurableTask[Any]: ...

    def start_child(
        self,
        name: str,
        input_: Payload,
        instance_id: str | None,
        version: str | None,
        result_type: Any,
    ) -> DurableTask[Any]: ...

    def create_timer(self, fire_at: datetime) -> TimerTask: ...

    def wait_for_event(self, name: str, data_type: Any, timer: TimerTask | None) -> EventTask: ...

    def call_entity(
        self, instance_id: str, operation: str, input_: Payload, result_type: Any
    ) -> DurableTask[Any]: ...

    def signal_entity(
        self, instance_id: str, operation: str, input_: Payload, scheduled_at: datetime | None
    ) -> None: ...

    def lock_entities(self, entities: tuple[str, ...]) -> LockTask: ...

    @property
    def is_locked(self) -> bool: ...

    def send_event(self, instance_id: str, name: str, input_: Payload) -> None: ...

    def continue_as_new(
        self, input_: Payload, *, save_events: bool, version: str | None
    ) -> None: ...

    def set_custom_status(self, status: Payload) -> None: ...

    def check_turn(self) -> None: ...
