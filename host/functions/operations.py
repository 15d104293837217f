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
from host.core.history import Payload
from host.functions.activities import binder_of, writer_of
from host.functions.entity_context import HostEntityContext
from host.functions.model import HostFunction
from host.functions.orchestrators import result_type_of

Operate: TypeAlias = Callable[[HostEntityContext], Payload | Awaitable[Payload]]
"""Runs one operation; what its caller gets. Raises whatever the author's code raises."""


class OperationNotFoundError(InvalidArgumentError):
    """An entity has no operation of this name."""


class EntityFunction:
    """An entity. `is_async`: its operations run on the event loop, and may be awaited there."""

    def __init__(self, name: str, operate: Operate, *, is_async: bool) -> None:
        self.name = name
        self.operate = operate
        self.is_async = is_async


def build_entity(host_function: HostFunction, converter: Converter) -> EntityFunction:
    """The record of a declared entity."""
    function = host_function.declaration.function
    name = host_function.name
    if isinstance(function, type) and is_entity_class(function):
        operations = _Operations(name, function, converter)
        return EntityFunction(name, operations.run, is_async=operations.are_async)
    write = writer_of(result_type_of(function), converter, f"The result of entity '{name}'")

    def operate(context: HostEntityContext) -> Payload:
        return context.result_of(function(context), write)

    async def operate_async(context: HostEntityContext) -> Payload:
        result = function(context)
        return context.result_of(await result if isinstance(result, Awaitable) else result, write)

    is_async = wraps_async(function)
    return EntityFunction(name, operate_async if is_async else operate, is_async=is_async)


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
        self.are_async = any(each.is_async for each in self._by_name.values())
        self.run: Operate = self._run_async if self.are_async else self._run

    def _run(self, context: HostEntityContext) -> Payload:
        operation, entity, before = self._begin(context)
        result = operation.call(entity, context)
        return self._end(operation, entity, before, result)

    async def _run_async(self, context: HostEntityContext) -> Payload:
        operation, entity, before = self._begin(context)
        result = operation.call(entity, context)
        if isinstance(result, Awaitable):
            result = await result
        return self._end(operation, entity, before, result)

    def _begin(self, context: HostEntityContext) -> tuple[_Operation, Entity[Any], Payload]:
        operation = self._find(context.operation_name)
        entity = self._made()
        entity.context = context
        state = context.get_state(lambda: _initial(entity), self._state_type)
        entity.__dict__["_state"] = state
        before = self._converter.to_payload(state, self._what(), self._state_type)
        return operation, entity, before

    def _end(
        self, operation: _Operation, entity: Entity[Any], before: Payload, result: Any
    ) -> Payload:
        context = entity.context
        assert isinstance(context, HostEntityContext)  # noqa: S101 - as it was given
        after = self._converter.to_payload(entity.state, self._what(), self._state_type)
        if not context.is_deleted and (entity._is_assigned or after != before):  # noqa: SLF001
            context.set_payload(after)
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
