"""What authors write entities with: a context for functions, a base for classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar

from bindings.entity_ids import EntityId

S = TypeVar("S")
"""The type of an entity's state: any that JSON can be read as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityState:
    """What is known of one entity. Times are aware, in UTC.

    `state` is a plain JSON value; None if there is none (`has_state` tells), or if it was not asked
    for. `waiting_reason` says why its operations wait, if they do: its function is missing, say.
    """

    entity_id: EntityId
    has_state: bool
    last_operation_time: datetime
    state: Any = None
    waiting_reason: str | None = None
    locked_by: str | None = None
    """The orchestration that has locked it, if one has."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityQuery:
    """Which entities to list. What is left out does not restrict.

    `key` and `key_prefix` need a `name`. Those without a state are left out, unless
    `include_without_state`. With `tags` only those are found that have each of them.
    """

    name: str | None = None
    key: str | None = None
    key_prefix: str = ""
    last_operation_from: datetime | None = None
    last_operation_to: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    include_state: bool = True
    include_without_state: bool = False
    only_locked: bool = False
    page_size: int = 100
    continuation_token: str | None = None


@dataclass(frozen=True, slots=True)
class EntityPage:
    """One page of entities, newest first. The last page has no continuation token."""

    items: Sequence[EntityState]
    continuation_token: str | None


class EntityContext(ABC):
    """One operation of an entity, as its function sees it.

    Operations of one entity run one at a time. What an operation does (its state, its tags, its
    signals, the orchestrations that it starts) counts once it has returned, all of it or nothing:
    one that raises has done nothing. After a crash an operation may run again, on the state as it
    was.
    """

    @property
    @abstractmethod
    def entity_id(self) -> EntityId:
        """Which entity it is."""

    @property
    @abstractmethod
    def operation_name(self) -> str:
        """What is to be done."""

    @property
    def entity_name(self) -> str:
        """The name of the entity's function, in lower case."""
        return self.entity_id.name

    @property
    def entity_key(self) -> str:
        """The key of the entity."""
        return self.entity_id.key

    @abstractmethod
    def get_input(self, expected_type: Any = None) -> Any:
        """What the caller gave, rebuilt as `expected_type` if that is given; None if nothing.

        Raises `SerializationError` if it does not fit.
        """

    @abstractmethod
    def get_state(
        self, initializer: Callable[[], Any] | None = None, expected_type: Any = None
    ) -> Any:
        """The state as it was set last, rebuilt as `expected_type` if that is given.

        Where there is none: what `initializer` gives, else None. What is done to it counts only
        when `set_state` is called. Raises `SerializationError` if the state does not fit.
        """

    @abstractmethod
    def set_state(self, value: Any) -> None:
        """Let the state be this JSON value. Raises `SerializationError` for what is none."""

    @abstractmethod
    def delete_state(self) -> None:
        """Let there be no state, and no tags, as if nothing had ever been set."""

    @property
    @abstractmethod
    def tags(self) -> Mapping[str, str]:
        """The tags as they were set last; it cannot be written to."""

    @abstractmethod
    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Let the tags be these, in place of all before; `{}` takes them away.

        Entities are found by them, and the orchestrations that the entity starts have them, too: as
        they are when its operations have been done and stored. Raises `InvalidArgumentError`.
        """

    @abstractmethod
    def set_result(self, value: Any) -> None:
        """What the caller gets, in place of what the function returns."""

    @abstractmethod
    def signal_entity(
        self,
        entity_id: EntityId,
        operation: str,
        input_: Any = None,
        *,
        signal_time: datetime | timedelta | None = None,
    ) -> None:
        """Have an entity do something, exactly once; with `signal_time` not before that time."""

    @abstractmethod
    def start_new_orchestration(
        self,
        orchestrator: Callable[..., Any] | str,
        input_: Any = None,
        *,
        instance_id: str | None = None,
        version: str | None = None,
    ) -> str:
        """Start an orchestration, exactly once; gives its id.

        An entity hears no more of it. If an active instance has the `instance_id`, nothing starts.
        """


class Entity(Generic[S]):
    """The base of entities that are classes: each public method is an operation.

    `class Counter(Entity[int])` has its state in `self.state`, of the type that is given, and what
    an operation's method returns is what its caller gets. A method takes no input or one; several
    parameters take a list in order, or an object by name. `initial_state` is what the state is
    before anything was stored: a value, or a method that gives it. `delete` is there already. An
    object is made for each operation: nothing but the state is kept.
    """

    initial_state: ClassVar[Any] = None
    context: EntityContext
    """The operation that runs."""
    _state: S
    _is_assigned = False
    _read: Callable[[], S]

    @property
    def state(self) -> S:
        """The state: stored when the operation has returned, if it was assigned or changed.

        It is read when an operation first asks for it: one that only deletes or assigns it needs
        none, so that a state that no longer fits the class can be replaced.
        """
        if "_state" not in self.__dict__:
            self._state = self._read()
        return self._state

    @state.setter
    def state(self, value: S) -> None:
        self._state = value
        self._is_assigned = True

    def delete(self) -> None:
        """Let there be no state, and no tags, as if nothing had ever been stored."""
        self.context.delete_state()
