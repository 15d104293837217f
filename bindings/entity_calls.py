"""Calls of an entity's operations that read like calls of its methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from inspect import getattr_static, isfunction
from typing import Any, TypeAlias

from bindings.entities import Entity
from bindings.entity_ids import EntityId
from bindings.errors import InvalidArgumentError
from bindings.shown_values import shown_value
from bindings.signatures import hints_of, named_parameters, shown, signature_of
from bindings.tasks import DurableTask

EntityRef: TypeAlias = "EntityId | EntityCalls"
"""What an orchestrator names an entity by: its id, or what `context.entity(...)` gave for it."""
_NOTHING_SAID = (None, type(None), Any)


class EntityCalls:
    """One entity, its operations as methods: `await context.entity(Account, key).get()`.

    Each gives a task, as `call_entity` does, of what the method of the class says it returns.
    Raises `AttributeError` for what is no operation, and `InvalidArgumentError` for arguments that
    the method does not take.
    """

    def __init__(
        self,
        entity_id: EntityId,
        made: type[Entity[Any]],
        call: Callable[[EntityId, str, Any, Any], DurableTask[Any]],
    ) -> None:
        """`call` is given the entity, the operation, its input and the type of what comes of it."""
        self._entity_id = entity_id
        self._operations = operations_of(made)
        self._call = call

    def __getattr__(self, name: str) -> Callable[..., DurableTask[Any]]:
        method = self._operations.get(name)
        if method is None:
            raise AttributeError(
                f"The entity '{self._entity_id.name}' has no operation '{name}': it has "
                f"{', '.join(sorted(self._operations))}."
            )
        return partial(self._operate, name, method)

    def _operate(
        self, name: str, method: Callable[..., Any], /, *arguments: Any, **named: Any
    ) -> DurableTask[Any]:
        returned = hints_of(method).get("return")
        read_as = None if returned in _NOTHING_SAID else returned
        return self._call(self._entity_id, name, _input(name, method, arguments, named), read_as)


def entity_id_of(named: object) -> EntityId:
    """The id of the entity that is named so. Raises `InvalidArgumentError`."""
    if isinstance(named, EntityId):
        return named
    if isinstance(named, EntityCalls):
        return named._entity_id  # noqa: SLF001 - all public names are operations
    raise InvalidArgumentError(
        f"What names an entity is an EntityId, not {shown_value(named)}: write "
        "EntityId('Account', 'a'), with the name of its function and its key."
    )


def operations_of(made: type[Entity[Any]]) -> dict[str, Callable[..., Any]]:
    """The public methods, those of bases included, but for what `Entity` has besides `delete`."""
    own = {name for name in vars(Entity) if name != "delete"}
    names = [name for name in dir(made) if not (name.startswith("_") or name in own)]
    found = {name: getattr_static(made, name) for name in names}
    return {name: method for name, method in found.items() if isfunction(method)}


def _input(
    name: str, method: Callable[..., Any], arguments: tuple[Any, ...], named: Mapping[str, Any]
) -> Any:
    """The one argument itself; several by name; None for none."""
    try:
        given = signature_of(method).bind(None, *arguments, **named).arguments
    except TypeError as error:
        raise InvalidArgumentError(
            f"The operation '{name}' cannot be called so: {error}. Its parameters are "
            f"{shown(method)}."
        ) from error
    myself, *others = named_parameters(method)
    if len(others) == 1:
        return given.get(others[0])
    return {key: value for key, value in given.items() if key != myself} or None
