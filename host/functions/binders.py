"""How one function is called: which values its parameters get, and what becomes of its outputs.

All that does not depend on the call is worked out once, in a `CallPlan`. What a binding gives or
takes is its kind's affair (`bindings/kinds`); here they are put together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Mapping
from inspect import iscoroutine
from typing import Any, Final

from bindings.declaring import context_parameters
from bindings.errors import InvalidArgumentError
from bindings.functions import RETURN, Binding, Direction
from bindings.invocation import Out
from bindings.kinds.faults import code_of
from bindings.kinds.records import (
    NOT_GIVEN,
    Call,
    Giver,
    Input,
    Loader,
    Output,
    Place,
    Reader,
    Reply,
    Role,
    Taker,
)
from bindings.kinds.registry import kind_of
from bindings.signatures import (
    hints_of,
    is_required,
    named_parameters,
    takes_any_name,
    wraps_async,
)
from host.functions.model import HostFunction
from host.logs import HostLog

_log = HostLog(__name__)

_INCOMING: Final = frozenset({Direction.IN, Direction.INOUT})
_OUTGOING: Final = frozenset({Direction.OUT, Direction.INOUT})


class CallPlan:
    """How to call one function that something outside triggers.

    Raises `InvalidArgumentError` for a function that only orchestrations run, and
    `FunctionDefinitionError` for a binding whose kind cannot prepare it.
    """

    def __init__(self, function: HostFunction) -> None:
        if function.role is not Role.TRIGGERED:
            raise InvalidArgumentError(
                f"'{function.name}' is run by orchestrations: start an orchestration instead."
            )
        declaration = function.declaration
        names = [declaration.trigger.name, *(each.name for each in declaration.bindings)]
        self.function = function
        self.call = declaration.function
        self.is_async = wraps_async(self.call)
        self._others = OtherBindings(function)
        self._trigger = _TriggerArgument(function)
        self._contexts = context_parameters(self.call, names)
        needs_more = self._contexts or self._others.are_needed
        self.only_argument = None if needs_more else self._trigger.name_of_value
        """The parameter that gets what triggered the call, if a call needs nothing else."""

    def data(self, trigger_value: object) -> Mapping[str, object]:
        """What binding expressions can name of what triggered the call."""
        find = self.function.trigger.data
        return {} if find is None else find(trigger_value)

    async def arguments(self, trigger_value: object, call: Call) -> dict[str, object]:
        """The arguments of one call; outputs among them are `Out` objects, for `finish`."""
        context = self.function.new_context(retry=call.retry) if self._contexts else None
        return {
            **await self._trigger.argument(trigger_value, call),
            **dict.fromkeys(self._contexts, context),
            **await self._others.arguments(call),
        }

    async def finish(self, arguments: Mapping[str, object], result: object, call: Call) -> object:
        """Send the outputs, in the order of declaration; gives the value of the reply."""
        return await self._others.finish(arguments, result, call)


class OtherBindings:
    """The inputs and outputs of a function, whatever triggers it.

    Raises `FunctionDefinitionError` for a binding whose kind cannot prepare it.
    """

    def __init__(self, function: HostFunction) -> None:
        places = [_place(function, each) for each in function.declaration.bindings]
        outputs = [each.binding for each in places if each.binding.direction in _OUTGOING]
        self._outs = [each.name for each in outputs if each.name != RETURN]
        self._reply = next((each.name for each in outputs if _is_reply(each)), RETURN)
        self._both = {each.name for each in outputs if each.direction is Direction.INOUT}
        self._givers = _givers(places)
        self._takers = _takers(places)

    @property
    def are_needed(self) -> bool:
        """Whether a call has anything to do with them: a reply of what it returns needs nothing."""
        return bool(self._outs or self._givers or self._takers) or self._reply != RETURN

    async def arguments(self, call: Call) -> dict[str, object]:
        """What the inputs give, and an `Out` for each output that is a parameter."""
        given = [(name, await give(call)) for name, give in self._givers]
        arguments = {name: value for name, value in given if value is not NOT_GIVEN}
        before = {name: arguments.get(name) for name in self._both}
        return arguments | {name: Out[object](before.get(name)) for name in self._outs}

    async def finish(self, arguments: Mapping[str, object], result: object, call: Call) -> object:
        """Send the outputs, in the order of declaration; gives the value of the reply.

        What can be found wrong before one is sent is, with each of them. If one fails to be sent,
        those before it have been, and those after it are not.
        """
        values = {RETURN: result}
        for name in self._outs:
            out = arguments[name]
            values[name] = out.get() if isinstance(out, Out) and out.is_set else None
        sendings: deque[Awaitable[None]] = deque()
        try:
            for name, take in self._takers:
                sending = take(values[name], call)
                if sending is not None:
                    sendings.append(sending)
            while sendings:
                await sendings.popleft()
        finally:
            for left in sendings:
                if iscoroutine(left):
                    left.close()
        return values[self._reply]


def end_call(call: Call) -> None:
    """Do what is left to do at the end of a call."""
    for close in call.at_end:
        try:
            close()
        except Exception:  # noqa: BLE001 - a kind's code; what the function did is done
            _log.exception("What a binding had open is not closed")


class _TriggerArgument:
    """Which argument the trigger's value becomes."""

    def __init__(self, function: HostFunction) -> None:
        place = _place(function, function.declaration.trigger)
        called = function.declaration.function
        is_named = place.binding.name in named_parameters(called)
        self._name = place.binding.name
        self._is_passed = is_named or takes_any_name(called)
        self._has_default = place.has_default
        self._read = _reader(function, place)
        self._load = _loader(function, place)

    @property
    def name_of_value(self) -> str | None:
        """The parameter that gets the value as it is; None if it is made of it, or not passed."""
        is_made = self._read is not None or self._load is not None
        return self._name if self._is_passed and not is_made else None

    async def argument(self, value: object, call: Call) -> dict[str, object]:
        if not self._is_passed or (value is None and self._has_default):
            return {}
        if self._load is not None:
            return {self._name: await self._load(value, call)}
        if self._read is None:
            return {self._name: value}
        argument = self._read(value, call)
        return {} if argument is NOT_GIVEN else {self._name: argument}


def _place(function: HostFunction, binding: Binding) -> Place:
    hints: dict[str, Any] = hints_of(function.declaration.function)
    name = "return" if binding.name == RETURN else binding.name
    parameter = named_parameters(function.declaration.function).get(name)
    return Place(
        binding=binding,
        function_name=function.name,
        annotation=hints.get(name),
        has_default=parameter is not None and not is_required(parameter),
    )


def _reader(function: HostFunction, place: Place) -> Reader | None:
    read = function.trigger.read
    if read is None:
        return None
    with code_of(kind_of(place.binding)):
        return read(place)


def _loader(function: HostFunction, place: Place) -> Loader | None:
    load = function.trigger.load
    if load is None:
        return None
    with code_of(kind_of(place.binding)):
        return load(place)


def _givers(places: list[Place]) -> list[tuple[str, Giver]]:
    found = []
    for place in places:
        kind = kind_of(place.binding)
        if place.binding.direction in _INCOMING and isinstance(kind.input, Input):
            with code_of(kind):
                found.append((place.binding.name, kind.input.give(place)))
    return found


def _takers(places: list[Place]) -> list[tuple[str, Taker]]:
    found = []
    for place in places:
        kind = kind_of(place.binding)
        if place.binding.direction in _OUTGOING and isinstance(kind.output, Output):
            with code_of(kind):
                found.append((place.binding.name, kind.output.take(place)))
    return found


def _is_reply(output: Binding) -> bool:
    return isinstance(kind_of(output).output, Reply)
