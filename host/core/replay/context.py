"""The orchestration context that user code sees, on top of an execution's operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from bindings.context import OrchestrationContext
from bindings.critical_sections import MAX_LOCKED_ENTITIES, LockTask
from bindings.entities import Entity
from bindings.entity_calls import EntityCalls, EntityRef, entity_id_of
from bindings.entity_ids import EntityId
from bindings.errors import InvalidArgumentError
from bindings.http_calls import DurableHttpResponse
from bindings.kinds.records import Role
from bindings.retry import RetryPolicy
from bindings.shown_values import shown_value
from bindings.tasks import CancellableTask, DurableTask
from bindings.token_sources import TokenSource
from host.core import ids
from host.core.arguments import instance_of, optional_text, short_text, text
from host.core.converter import Converter
from host.core.functions import FunctionCatalog
from host.core.history import ExecutionStarted
from host.core.replay import http_calls
from host.core.replay.operations import Operations, Tries
from host.core.replay.replay_safe_logging import replay_safe
from host.core.replay.waits import RetryTask, due_time
from host.core.shown_names import shown_as


@shown_as(OrchestrationContext)
class ReplayContext(OrchestrationContext):
    """Turns the author's calls into history events, by way of `Operations`."""

    def __init__(
        self,
        instance_id: str,
        started: ExecutionStarted,
        operations: Operations,
        catalog: FunctionCatalog,
        converter: Converter,
    ) -> None:
        self._instance_id = instance_id
        self._started = started
        self._operations = operations
        self._catalog = catalog
        self._converter = converter
        self._payload = converter.to_payload
        self._uuids = 0

    @property
    def instance_id(self) -> str:
        return self._instance_id

    @property
    def parent_instance_id(self) -> str | None:
        parent = self._started.parent
        return None if parent is None else parent.instance_id

    @property
    def name(self) -> str:
        return self._started.name

    @property
    def version(self) -> str | None:
        return self._started.version

    @property
    def current_utc_datetime(self) -> datetime:
        return self._operations.now

    @property
    def is_replaying(self) -> bool:
        return self._operations.is_replaying

    def get_input(self, expected_type: Any = None) -> Any:
        return self._converter.from_payload(
            self._started.input, expected_type, f"The input of orchestrator '{self.name}'"
        )

    def call_activity(
        self,
        activity: Callable[..., Any] | str,
        input_: Any = None,
        *more: object,
        retry_policy: RetryPolicy | None = None,
        return_type: Any = None,
    ) -> DurableTask[Any]:
        if more:
            raise _one_value("call_activity", "function")
        if isinstance(activity, str):
            activity = text(activity, "An activity's name")
        name, known = self._catalog.called_activity(activity)
        read_as = known.input_type if known is not None else None
        payload = self._payload(input_, f"The input of activity '{name}'", read_as)
        if return_type is None and known is not None:
            return_type = known.result_type
        if retry_policy is None:
            return self._operations.schedule_activity(name, payload, return_type)
        instance_of(retry_policy, RetryPolicy, "The retry policy")
        tries = Tries(retry_policy.max_number_of_attempts)
        return self._retrying(
            retry_policy,
            lambda attempt: self._operations.schedule_activity(
                name, payload, return_type, attempt, tries
            ),
        )

    def call_sub_orchestrator(
        self,
        orchestrator: Callable[..., Any] | str,
        input_: Any = None,
        *more: object,
        instance_id: str | None = None,
        retry_policy: RetryPolicy | None = None,
        version: str | None = None,
        return_type: Any = None,
    ) -> DurableTask[Any]:
        if more:
            raise _too_many_for_child(more)
        name = text(
            self._catalog.name_of(orchestrator, Role.ORCHESTRATOR), "A sub-orchestrator's name"
        )
        version = optional_text(version, "A version")
        if version is None:
            version = self._catalog.version_of(orchestrator) or self.version
        known = self._catalog.orchestrator(name, version)
        read_as = known.input_type if known is not None else None
        payload = self._payload(input_, f"The input of sub-orchestrator '{name}'", read_as)
        if return_type is None and known is not None:
            return_type = known.result_type
        if instance_id is not None:
            instance_id = self._child_id(instance_id)

        def start() -> DurableTask[Any]:
            return self._operations.start_child(name, payload, instance_id, version, return_type)

        return start() if retry_policy is None else self._retrying(retry_policy, lambda _: start())

    def call_http(
        self,
        method: str,
        url: str | None = None,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
        token_source: TokenSource | None = None,
        *more: object,
        timeout: timedelta | None = None,
        retry: RetryPolicy | None = None,
        poll: bool = True,
        uri: str | None = None,
    ) -> DurableTask[DurableHttpResponse]:
        if more:
            raise TypeError("call_http takes timeout, retry and poll by name.")
        order = http_calls.order_of(
            self._converter,
            method=method,
            url=url,
            uri=uri,
            content=content,
            headers=headers,
            token_source=token_source,
        )
        return http_calls.call_http(
            self._operations, self._converter, order, timeout=timeout, retry=retry, poll=poll
        )

    def create_timer(self, fire_at: datetime | timedelta) -> CancellableTask[None]:
        return self._operations.create_timer(due_time(fire_at, self._operations.now))

    def wait_for_external_event(
        self, name: str, data_type: Any = None, *, timeout: timedelta | None = None
    ) -> CancellableTask[Any]:
        name = text(name, "An event's name")
        timer = None
        if timeout is not None:
            timer = self._operations.create_timer(due_time(timeout, self._operations.now))
        return self._operations.wait_for_event(name, data_type, timer)

    def call_entity(
        self,
        entity_id: EntityRef,
        operation: str,
        input_: Any = None,
        *more: object,
        return_type: Any = None,
    ) -> DurableTask[Any]:
        if more:
            raise _one_value("call_entity", "entity_id", "operation")
        instance_id, operation = self._operation(entity_id, operation)
        payload = self._payload(input_, _input_of(operation, instance_id))
        return self._operations.call_entity(instance_id, operation, payload, return_type)

    def entity(self, entity: type[Entity[Any]], key: str) -> EntityCalls:
        if not (isinstance(entity, type) and issubclass(entity, Entity)):
            raise InvalidArgumentError(  # annotations hold nobody at run time
                f"context.entity takes a class derived from Entity, not {shown_value(entity)}: "
                "call a function's operations by call_entity(EntityId(name, key), operation, "
                "input)."
            )
        entity_id = EntityId(self._catalog.name_of(entity, Role.ENTITY), key)
        return EntityCalls(entity_id, entity, self._call_entity)

    def _call_entity(
        self, entity_id: EntityId, operation: str, input_: Any, return_type: Any
    ) -> DurableTask[Any]:
        return self.call_entity(entity_id, operation, input_, return_type=return_type)

    def signal_entity(
        self,
        entity_id: EntityRef,
        operation: str,
        input_: Any = None,
        *more: object,
        signal_time: datetime | timedelta | None = None,
    ) -> None:
        if more:
            raise _one_value("signal_entity", "entity_id", "operation")
        instance_id, operation = self._operation(entity_id, operation)
        payload = self._payload(input_, _input_of(operation, instance_id))
        at = None if signal_time is None else due_time(signal_time, self._operations.now)
        self._operations.signal_entity(instance_id, operation, payload, at)

    def lock_entities(self, *entities: EntityRef | Iterable[EntityRef]) -> LockTask:
        ids_ = {str(each) for each in _named(entities)}
        if not 0 < len(ids_) <= MAX_LOCKED_ENTITIES:
            raise InvalidArgumentError(
                f"lock_entities takes 1 to {MAX_LOCKED_ENTITIES} entities, not {len(ids_)}."
            )
        return self._operations.lock_entities(tuple(sorted(ids_)))

    @property
    def is_locked(self) -> bool:
        return self._operations.is_locked

    def send_event(
        self, instance_id: str, event_name: str, data: Any = None, *more: object
    ) -> None:
        if more:
            raise _one_value("send_event", "instance_id", "event_name")
        instance_id = ids.checked_instance_id(instance_id)
        event_name = text(event_name, "An event's name")
        payload = self._payload(data, f"The data of event '{event_name}'")
        self._operations.send_event(instance_id, event_name, payload)

    def continue_as_new(
        self,
        input_: Any = None,
        *more: object,
        save_events: bool = True,
        version: str | None = None,
    ) -> None:
        if more:
            raise _one_value("continue_as_new")
        if version is not None:
            version = short_text(version, "A version")
        payload = self._payload(input_, f"The next input of orchestrator '{self.name}'")
        self._operations.continue_as_new(payload, save_events=bool(save_events), version=version)

    def set_custom_status(self, status: Any, *more: object) -> None:
        if more:
            raise _one_value("set_custom_status")
        self._operations.set_custom_status(self._payload(status, "The custom status"))

    def new_uuid(self) -> UUID:
        self._operations.check_turn()
        self._uuids += 1
        return ids.new_uuid(self._started.execution_id, self._uuids)

    def create_replay_safe_logger(self, logger: Any) -> Any:
        return replay_safe(logger, self)

    def _operation(self, entity_id: EntityRef, operation: str) -> tuple[str, str]:
        """The id of the entity as an instance, and the operation's name, both checked."""
        return str(entity_id_of(entity_id)), short_text(operation, "An operation's name")

    def _child_id(self, instance_id: str) -> str:
        instance_id = ids.checked_instance_id(instance_id)
        if instance_id == self._instance_id:
            raise InvalidArgumentError(
                f"A sub-orchestration cannot have its parent's instance id '{instance_id}'."
            )
        return instance_id

    def _retrying(
        self, policy: RetryPolicy, schedule: Callable[[int], DurableTask[Any]]
    ) -> DurableTask[Any]:
        operations = self._operations
        instance_of(policy, RetryPolicy, "The retry policy")
        return RetryTask(
            policy,
            schedule=schedule,
            pause=lambda delay: operations.create_timer(operations.now + delay),
            now=lambda: operations.now,
        )


def _named(entities: Iterable[Any]) -> Iterator[EntityId]:
    """The entities that are given one by one, or as a list."""
    for each in entities:
        for entity_id in each if isinstance(each, list | tuple | set | frozenset) else (each,):
            yield entity_id_of(entity_id)


def _input_of(operation: str, instance_id: str) -> str:
    return f"The input of operation '{operation}' of entity '{instance_id}'"


def _too_many_for_child(more: Sequence[object]) -> TypeError:
    """A text after the input is an instance id, as Azure's method takes it there."""
    if len(more) == 1 and (more[0] is None or isinstance(more[0], str)):
        return TypeError(
            "call_sub_orchestrator takes all but the orchestrator and its input by name: "
            "call_sub_orchestrator(orchestrator, input, instance_id=...)."
        )
    return _one_value("call_sub_orchestrator", "orchestrator")


def _one_value(method: str, *before: str) -> TypeError:
    """What to say of a call that gives several values where one is stored."""
    values = ", ".join((*before, "[value, another]"))
    return TypeError(
        f"{method} takes one value: pass several as a list, {method}({values}), or as a dict."
    )
