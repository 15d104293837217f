"""What an orchestrator function sees of its orchestration. Abstract: the host implements it."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload
from uuid import UUID

from bindings.combining import OlderNames
from bindings.critical_sections import LockTask
from bindings.entities import Entity
from bindings.entity_calls import EntityCalls, EntityRef
from bindings.http_calls import HttpCalls
from bindings.retry import RetryPolicy
from bindings.tasks import CancellableTask, DurableTask
from bindings.typed_calls import (
    Activity,
    InputOf,
    NoInputActivity,
    Orchestrator,
    SeveralInputsActivity,
)

if TYPE_CHECKING:
    from typing_extensions import TypeForm

T = TypeVar("T")
Input = TypeVar("Input")
Rest = ParamSpec("Rest")
Logger = TypeVar("Logger")

# In the overloads: `TypeForm` is any type expression, also a union or an `Annotated`, which are no
# classes. Checkers that do not know it yet read the overload before it, which takes classes.


class OrchestrationContext(OlderNames, HttpCalls, ABC):
    """The durable operations of one execution.

    Everything here is deterministic: on replay the same calls give the same values. Names and
    meanings follow Durable Task's Python SDK; `task_all` and `task_any` are the names of Durable
    Functions' first Python SDK for `when_all` and `when_any`.
    """

    @property
    @abstractmethod
    def instance_id(self) -> str:
        """The id of this orchestration instance."""

    @property
    @abstractmethod
    def parent_instance_id(self) -> str | None:
        """The instance that started this one as a sub-orchestration, if any."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the orchestrator function."""

    @property
    @abstractmethod
    def version(self) -> str | None:
        """The version this instance was started with, if any."""

    @property
    @abstractmethod
    def current_utc_datetime(self) -> datetime:
        """The time of the current turn: aware, UTC, the same on every replay."""

    @property
    @abstractmethod
    def is_replaying(self) -> bool:
        """Whether the code is being led through events that it has seen before."""

    @overload
    def get_input(self, expected_type: None = None) -> Any: ...

    @overload
    def get_input(self, expected_type: type[T]) -> T: ...

    @overload
    def get_input(self, expected_type: TypeForm[T]) -> T: ...

    @abstractmethod
    def get_input(self, expected_type: Any = None) -> Any:
        """The instance's input, rebuilt as `expected_type` when one is given."""

    @overload
    def call_activity(
        self,
        activity: Activity[Input, Rest, Awaitable[T]],
        input_: InputOf[Input],
        *,
        retry_policy: RetryPolicy | None = None,
    ) -> DurableTask[T]: ...

    @overload
    def call_activity(
        self,
        activity: NoInputActivity[Awaitable[T]],
        input_: None = None,
        *,
        retry_policy: RetryPolicy | None = None,
    ) -> DurableTask[T]: ...

    @overload
    def call_activity(
        self,
        activity: SeveralInputsActivity[Rest, Awaitable[T]],
        input_: Any = None,
        *,
        retry_policy: RetryPolicy | None = None,
    ) -> DurableTask[T]: ...

    @overload
    def call_activity(
        self,
        activity: Activity[Input, Rest, T],
        input_: InputOf[Input],
        *,
        retry_policy: RetryPolicy | None = None,
    ) -> DurableTask[T]: ...

    @overload
    def call_activity(
        self,
        activity: NoInputActivity[T],
        input_: None = None,
        *,
        retry_policy: RetryPolicy | None = None,
    ) -> DurableTask[T]: ...

    @overload
    def call_activity(
        self,
        activity: SeveralInputsActivity[Rest, T],
        input_: Any = None,
        *,
        retry_policy: RetryPolicy | None = None,
    ) -> DurableTask[T]: ...

    @overload
    def call_activity(
        self,
        activity: str,
        input_: Any = None,
        *,
        retry_policy: RetryPolicy | None = None,
        return_type: type[T],
    ) -> DurableTask[T]: ...

    @overload
    def call_activity(
        self,
        activity: str,
        input_: Any = None,
        *,
        retry_policy: RetryPolicy | None = None,
        return_type: TypeForm[T],
    ) -> DurableTask[T]: ...

    @overload
    def call_activity(
        self,
        activity: str,
        input_: Any = None,
        *,
        retry_policy: RetryPolicy | None = None,
    ) -> DurableTask[Any]: ...

    @abstractmethod
    def call_activity(
        self,
        activity: Callable[..., Any] | str,
        input_: Any = None,
        *,
        retry_policy: RetryPolicy | None = None,
        return_type: Any = None,
    ) -> DurableTask[Any]:
        """Run an activity, named by reference or by string, with one JSON-able input.

        Awaiting the task gives the activity's result, rebuilt as its return annotation (or
        `return_type`, any type), or raises `TaskFailedError`.
        """

    @overload
    def call_sub_orchestrator(
        self,
        orchestrator: Orchestrator[Input, Generator[Any, Any, T]],
        input_: InputOf[Input],
        *,
        instance_id: str | None = None,
        retry_policy: RetryPolicy | None = None,
        version: str | None = None,
    ) -> DurableTask[T]: ...

    @overload
    def call_sub_orchestrator(
        self,
        orchestrator: Callable[[OrchestrationContext, None], Generator[Any, Any, T]],
        input_: None = None,
        *,
        instance_id: str | None = None,
        retry_policy: RetryPolicy | None = None,
        version: str | None = None,
    ) -> DurableTask[T]: ...

    @overload
    def call_sub_orchestrator(
        self,
        orchestrator: Callable[[OrchestrationContext], Generator[Any, Any, T]],
        input_: Any = None,
        *,
        instance_id: str | None = None,
        retry_policy: RetryPolicy | None = None,
        version: str | None = None,
    ) -> DurableTask[T]: ...

    @overload
    def call_sub_orchestrator(
        self,
        orchestrator: Orchestrator[Input, Awaitable[T]],
        input_: InputOf[Input],
        *,
        instance_id: str | None = None,
        retry_policy: RetryPolicy | None = None,
        version: str | None = None,
    ) -> DurableTask[T]: ...

    @overload
    def call_sub_orchestrator(
        self,
        orchestrator: Callable[[OrchestrationContext, None], Awaitable[T]],
        input_: None = None,
        *,
        instance_id: str | None = None,
        retry_policy: RetryPolicy | None = None,
        version: str | None = None,
    ) -> DurableTask[T]: ...

    @overload
    def call_sub_orchestrator(
        self,
        orchestrator: Callable[[OrchestrationContext], Awaitable[T]],
        input_: Any = None,
        *,
        instance_id: str | None = None,
        retry_policy: RetryPolicy | None = None,
        version: str | None = None,
    ) -> DurableTask[T]: ...

    @overload
    def call_sub_orchestrator(
        self,
        orchestrator: str,
        input_: Any = None,
        *,
        instance_id: str | None = None,
        retry_policy: RetryPolicy | None = None,
        version: str | None = None,
        return_type: type[T],
    ) -> DurableTask[T]: ...

    @overload
    def call_sub_orchestrator(
        self,
        orchestrator: str,
        input_: Any = None,
        *,
        instance_id: str | None = None,
        retry_policy: RetryPolicy | None = None,
        version: str | None = None,
        return_type: TypeForm[T],
    ) -> DurableTask[T]: ...

    @overload
    def call_sub_orchestrator(
        self,
        orchestrator: str,
        input_: Any = None,
        *,
        instance_id: str | None = None,
        retry_policy: RetryPolicy | None = None,
        version: str | None = None,
    ) -> DurableTask[Any]: ...

    @abstractmethod
    def call_sub_orchestrator(
        self,
        orchestrator: Callable[..., Any] | str,
        input_: Any = None,
        *,
        instance_id: str | None = None,
        retry_policy: RetryPolicy | None = None,
        version: str | None = None,
        return_type: Any = None,
    ) -> DurableTask[Any]:
        """Run another orchestrator as a child instance and wait for its output.

        Without `instance_id` the child's id is derived from this execution's, so it is the same on
        replay and never collides with that of an earlier execution.
        """

    @abstractmethod
    def create_timer(self, fire_at: datetime | timedelta) -> CancellableTask[None]:
        """Wait until a time (aware, or naive meaning UTC) or for a duration, 1 ms to 10 years."""

    @overload
    def wait_for_external_event(
        self, name: str, data_type: None = None, *, timeout: timedelta | None = None
    ) -> CancellableTask[Any]: ...

    @overload
    def wait_for_external_event(
        self, name: str, data_type: type[T], *, timeout: timedelta | None = None
    ) -> CancellableTask[T]: ...

    @overload
    def wait_for_external_event(
        self, name: str, data_type: TypeForm[T], *, timeout: timedelta | None = None
    ) -> CancellableTask[T]: ...

    @abstractmethod
    def wait_for_external_event(
        self,
        name: str,
        data_type: Any = None,
        *,
        timeout: timedelta | None = None,
    ) -> CancellableTask[Any]:
        """Wait for an event of this name, in any case; give its payload as `data_type`.

        Events that came earlier wait in order, and the oldest wait is served first. With `timeout`
        the wait ends in `TimeoutError` when that time has passed.
        """

    @overload
    def call_entity(
        self, entity_id: EntityRef, operation: str, input_: Any = None, *, return_type: type[T]
    ) -> DurableTask[T]: ...

    @overload
    def call_entity(
        self, entity_id: EntityRef, operation: str, input_: Any = None, *, return_type: TypeForm[T]
    ) -> DurableTask[T]: ...

    @overload
    def call_entity(
        self, entity_id: EntityRef, operation: str, input_: Any = None
    ) -> DurableTask[Any]: ...

    @abstractmethod
    def call_entity(
        self, entity_id: EntityRef, operation: str, input_: Any = None, *, return_type: Any = None
    ) -> DurableTask[Any]:
        """Have an entity do something, and wait for what comes of it.

        An entity that is not there yet is made by its first operation. `return_type` is what the
        result is read as. The task raises `TaskFailedError` if the operation raised, or the entity
        has none of that name; the entity is as it was before it then.
        """

    @abstractmethod
    def entity(self, entity: type[Entity[Any]], key: str) -> EntityCalls:
        """The entity of a class, with its operations as methods: `await ….deposit(5)`.

        Raises `InvalidArgumentError` for a function, or a class that is no entity of the app.
        """

    @abstractmethod
    def signal_entity(
        self,
        entity_id: EntityRef,
        operation: str,
        input_: Any = None,
        *,
        signal_time: datetime | timedelta | None = None,
    ) -> None:
        """Have an entity do something, exactly once, and hear no more of it.

        With `signal_time` not before that time, or so much later than now.
        """

    @abstractmethod
    def lock_entities(self, *entities: EntityRef | Iterable[EntityRef]) -> LockTask:
        """Wait until nobody else uses these entities: `async with context.lock_entities(a, b):`.

        In a generator: `with (yield context.lock_entities(a, b)):`. An entity is named by its
        `EntityId`, or by what `context.entity(...)` gives. Within, calls go to locked
        entities alone; no other section, no sub-orchestration and no signal to a locked entity is
        begun (`OrchestrationError`). All sections lock in one order, so they do not wait for each
        other in a circle. The end of the block unlocks, and so does every end of the orchestration.
        A call raises `LockLostError` if somebody has unlocked the entity by force. Raises
        `InvalidArgumentError` for no entities, or more than 100.
        """

    @property
    @abstractmethod
    def is_locked(self) -> bool:
        """Whether the code is within a critical section."""

    @abstractmethod
    def send_event(self, instance_id: str, event_name: str, data: Any = None) -> None:
        """Send an event to another instance, exactly once; dropped if that one is not active."""

    @abstractmethod
    def continue_as_new(
        self, input_: Any = None, *, save_events: bool = True, version: str | None = None
    ) -> None:
        """When the function returns, start again with `input_` and an empty history.

        Events that were not yet waited for are kept unless `save_events` is False. With a `version`
        it is of that one from then on.
        """

    @abstractmethod
    def set_custom_status(self, status: Any) -> None:
        """Show a JSON value in the instance's status."""

    @abstractmethod
    def new_uuid(self) -> UUID:
        """A UUID that is unique to this call and the same on replay."""

    @overload
    def create_replay_safe_logger(
        self, logger: logging.Logger | logging.LoggerAdapter[Any]
    ) -> logging.LoggerAdapter[Any]: ...

    @overload
    def create_replay_safe_logger(self, logger: Logger) -> Logger: ...

    @abstractmethod
    def create_replay_safe_logger(self, logger: Any) -> Any:
        """A logger that is silent while the code is replayed.

        `logger` is one of the standard library's, or any object with such methods (structlog's and
        loguru's, say). Loggers that it makes (`bind`, `opt`) are silent, too; a call that is
        dropped gives None. Raises `InvalidArgumentError` if it is no logger.
        """
