"""The context of one operation of an entity, which takes notes of what the operation does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from bindings.entities import EntityContext
from bindings.entity_calls import entity_id_of
from bindings.entity_ids import EntityId
from bindings.kinds.records import Role
from host.core import arguments, ids
from host.core.arguments import moment_or_delay, optional_text, short_text, text
from host.core.converter import Converter
from host.core.entities.executor import (
    EntityContent,
    EntityDeed,
    Operation,
    SignalDeed,
    StartDeed,
)
from host.core.functions import FunctionCatalog
from host.core.history import Payload
from host.core.shown_names import shown_as

NULL = "null"
"""The state that is None: no payload at all says that there is none."""


@shown_as(EntityContext)
class HostEntityContext(EntityContext):
    """One operation; `content` and `deeds` are what it has done once it has returned."""

    def __init__(
        self,
        entity_id: EntityId,
        operation: Operation,
        content: EntityContent,
        *,
        catalog: FunctionCatalog,
        converter: Converter,
        now: Callable[[], datetime],
    ) -> None:
        self.state = content.state
        self._tags = content.tags
        self.input = operation.input
        self.is_deleted = False
        self.forget: Callable[[], None] = _nothing
        """Called when the state is deleted."""
        self._entity_id = entity_id
        self._operation = operation
        self._catalog = catalog
        self._converter = converter
        self._now = now
        self._deeds: list[EntityDeed] = []
        self._result: tuple[Any] | None = None

    @property
    def content(self) -> EntityContent:
        """What the next operation finds."""
        return EntityContent(self.state, self._tags)

    @property
    def deeds(self) -> Sequence[EntityDeed]:
        """What is to be sent and started."""
        return self._deeds

    def result_of(self, returned: Any, write: Callable[[Any], Payload]) -> Payload:
        """What the caller gets of a function that returned this."""
        if self._result is None:
            return write(returned)
        return self._converter.to_payload(self._result[0], self._what("result"))

    def set_payload(self, state: Payload) -> None:
        """Let the state be what this JSON says."""
        self.state, self.is_deleted = NULL if state is None else state, False

    @property
    def entity_id(self) -> EntityId:
        return self._entity_id

    @property
    def operation_name(self) -> str:
        return self._operation.name

    def get_input(self, expected_type: Any = None) -> Any:
        return self._converter.from_payload(self.input, expected_type, self._what("input"))

    def get_state(
        self, initializer: Callable[[], Any] | None = None, expected_type: Any = None
    ) -> Any:
        if self.state is None:
            return None if initializer is None else initializer()
        what = f"The state of entity '{self._entity_id}'"
        return self._converter.from_payload(self.state, expected_type, what)

    def set_state(self, value: Any) -> None:
        what = f"The state of entity '{self._entity_id}'"
        self.set_payload(self._converter.to_payload(value, what))

    def delete_state(self) -> None:
        self.state, self._tags, self.is_deleted = None, {}, True
        self.forget()

    @property
    def tags(self) -> Mapping[str, str]:
        return MappingProxyType(self._tags)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self._tags = arguments.tags(tags)

    def set_result(self, value: Any) -> None:
        self._result = (value,)

    def signal_entity(
        self,
        entity_id: EntityId,
        operation: str,
        input_: Any = None,
        *,
        signal_time: datetime | timedelta | None = None,
    ) -> None:
        entity_id = entity_id_of(entity_id)
        operation = short_text(operation, "An operation's name")
        what = f"The input of operation '{operation}' of entity '{entity_id}'"
        payload = self._converter.to_payload(input_, what)
        at = None if signal_time is None else moment_or_delay(signal_time, self._now(), "A signal")
        self._deeds.append(SignalDeed(str(entity_id), operation, payload, at))

    def start_new_orchestration(
        self,
        orchestrator: Callable[..., Any] | str,
        input_: Any = None,
        *,
        instance_id: str | None = None,
        version: str | None = None,
    ) -> str:
        name = text(
            self._catalog.name_of(orchestrator, Role.ORCHESTRATOR), "An orchestrator's name"
        )
        version = optional_text(version, "A version") or self._catalog.version_of(orchestrator)
        known = self._catalog.orchestrator(name, version)
        read_as = None if known is None else known.input_type
        what = f"The input of orchestrator '{name}'"
        payload = self._converter.to_payload(input_, what, read_as)
        started_id = uuid4().hex if instance_id is None else ids.checked_instance_id(instance_id)
        self._deeds.append(StartDeed(name, started_id, payload, version))
        return started_id

    def _what(self, part: str) -> str:
        return f"The {part} of operation '{self.operation_name}' of entity '{self._entity_id}'"


def _nothing() -> None:
    """Nobody keeps the state of a function's operation."""
