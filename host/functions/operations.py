"""From the declaration of an entity to the record of it: what runs one operation.

The state goes in and comes out as JSON. So an operation that fails leaves nothing behind, and the
next one sees what a fresh start would.
"""

from __future__ import annotations

import typing
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from bindings.entities import Entity
from bindings.entity_calls import operations_of
from bindings.errors import InvalidArgumentError
from bindings.kinds.entity import is_entity_class
from bindings.signatures import hints_of, named_parameters, wraps_async
from host.core.converter import Converter
from host.core.functions import LimitUse
from host.core.history import Payload
from host.functions.activities import binder_of, writer_of
from host.functions.entity_context import HostEntityContext
from host.functions.limits import limit_use_of
from host.functions.model import HostFunction
from host.functions.orchestrators import result_type_of

Operate: TypeAlias = Callable[[HostEntityContext], Payload | Awaitable[Payload]]
"""Runs one operation; what its caller gets. Raises whatever the author's code raises."""


class OperationNotFoundError(InvalidArgumentError):
    """An entity has no operation of this name."""


class EntityFunction:
    """An entity. `is_async` says of an operation whether it runs on the event loop."""

    def __init__(
        self,
        name: str,
        operate: Operate,
        *,
        is_async: Callable[[str], bool],
        has_async: bool,
        limit: LimitUse | None = None,
    ) -> None:
        self.name = name
        self.limit = limit
        self.operate = operate
        self.is_async = is_async
        self.has_async = has_async


def build_entity(host_function: HostFunction, converter: Converter) -> EntityFunction:
    """The record of a declared entity."""
    function = host_function.declaration.function
    name, limit = host_function.name, limit_use_of(host_function.declaration)
    if isinstance(function, type) and is_entity_class(function):
        operations = _Operations(name, function, converter)
        return EntityFunction(
            name,
            operations.run,
            is_async=operations.is_async,
            has_async=operations.has_async,
            limit=limit,
        )
    write = writer_of(result_type_of(function), converter, f"The result of entity '{name}'")

    def operate(context: HostEntityContext) -> Payload:
        return context.result_of(function(context), write)

    async def operate_async(context: HostEntityContext) -> Payload:
        result = function(context)
        return context.result_of(await result if isinstance(result, Awaitable) else result, write)

    is_async = wraps_async(function)
    return EntityFunction(
        name,
        operate_async if is_async else operate,
        is_async=lambda _: is_async,
        has_async=is_async,
        limit=limit,
    )


class _Operations:
    """The operations of a class."""

    def __init__(self, name: str, made: type[Entity[Any]], converter: Converter) -> None:
        self._name = name
        self._made = made
        self._converter = converter
        self._state_type = _state_type(made)
        self._by_name = {
            each: _Operation(name, each, made, converter) for each in operations_of(made)
        }
        self._folded = {each.lower(): operation for each, operation in self._by_name.items()}
        self.has_async = any(each.is_async for each in self._by_name.values())

    def is_async(self, name: str) -> bool:
        """Whether the operation of this name is a coroutine."""
        operation = self._by_name.get(name) or self._folded.get(name.lower())
        return operation is not None and operation.is_async

    def run(self, context: HostEntityContext) -> Payload | Awaitable[Payload]:
        """Run the context's operation."""
        is_async = self.is_async(context.operation_name)
        return self._run_async(context) if is_async else self._run(context)

    def _run(self, context: HostEntityContext) -> Payload:
        operation = self._find(context.operation_name)
        kept = _Kept(self._made(), context, self._converter, self._what(), self._state_type)
        result = operation.call(kept.entity, context)
        kept.write()
        return operation.write(result)

    async def _run_async(self, context: HostEntityContext) -> Payload:
        operation = self._find(context.operation_name)
        kept = _Kept(self._made(), context, self._converter, self._what(), self._state_type)
        result = operation.call(kept.entity, context)
        if isinstance(result, Awaitable):
            result = await result
        kept.write()
        return operation.write(result)

    def _find(self, name: str) -> _Operation:
        operation = self._by_name.get(name) or self._folded.get(name.lower())
        if operation is None:
            raise OperationNotFoundError(
                f"The entity '{self._name}' has no operation '{name}': it has "
                f"{', '.join(sorted(self._by_name))}."
            )
        return operation

    def _what(self) -> str:
        return f"The state of entity '{self._name}'"


class _Kept:
    """The state of one operation: read when it is first asked for, and written if it changed."""

    def __init__(
        self,
        entity: Entity[Any],
        context: HostEntityContext,
        converter: Converter,
        what: str,
        state_type: Any,
    ) -> None:
        self.entity = entity
        self._context = context
        self._converter = converter
        self._what = what
        self._type = state_type
        self._before: Payload = None
        entity.context = context
        entity.__dict__["_read"] = self._read
        context.forget = self._forget

    def write(self) -> None:
        """Let the state be stored if it was assigned or changed. Raises `SerializationError`."""
        values = vars(self.entity)
        is_assigned = values.get("_is_assigned", False)
        if not is_assigned and (self._context.is_deleted or "_state" not in values):
            return
        after = self._converter.to_payload(values["_state"], self._what, self._type)
        if is_assigned or after != self._before:
            self._converter.from_payload(after, self._type, self._what)  # else no one could read it
            self._context.set_payload(after)

    def _read(self) -> Any:
        """A state of this operation's own, the initial one too: a list in the class is one for all.

        Raises `SerializationError`.
        """
        stored = self._context.state
        if stored is None:
            stored = self._converter.to_payload(_initial(self.entity), self._what, self._type)
        state = self._converter.from_payload(stored, self._type, self._what)
        self._before = self._converter.to_payload(state, self._what, self._type)
        return state

    def _forget(self) -> None:
        """The state was deleted: only what is assigned from here on counts."""
        vars(self.entity).pop("_state", None)
        vars(self.entity)["_is_assigned"] = False


class _Operation:
    """One method of a class."""

    def __init__(
        self, entity: str, name: str, made: type[Entity[Any]], converter: Converter
    ) -> None:
        function = getattr(made, name)
        self._name = name
        self.is_async = wraps_async(function)
        parameters = list(named_parameters(function).values())[1:]
        what = f"operation '{name}' of entity '{entity}'"
        self._bind = binder_of(function, parameters, converter, f"The input of {what}")
        self.write = writer_of(result_type_of(function), converter, f"The result of {what}")

    def call(self, entity: Entity[Any], context: HostEntityContext) -> Any:
        arguments, named = self._bind(context.input)
        return getattr(entity, self._name)(*arguments, **named)


def _state_type(made: type[Entity[Any]]) -> Any:
    """What stands in the brackets of the nearest base that gives it; None if none does."""
    for each in made.__mro__:
        for base in getattr(each, "__orig_bases__", ()):
            if typing.get_origin(base) is Entity:
                (argument,) = typing.get_args(base)
                return None if isinstance(argument, typing.TypeVar) else argument
    return hints_of(made).get("state")


def _initial(entity: Entity[Any]) -> Any:
    first = entity.initial_state
    return first() if callable(first) else first
