"""From the declaration of an activity to the record that the engine runs: payload in, payload out.

An activity takes no value, or one, or several. One is read as its parameter's annotation says. For
several, a list gives them in order, an object by name, and anything else is the first one; defaults
fill the rest. All that depends on the signature is worked out once, not per call. One with other
bindings besides is put together in `bound_activities`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from inspect import Parameter, Signature, isawaitable, iscoroutinefunction
from typing import Any, TypeAlias, assert_never

from bindings.declaring import context_parameters
from bindings.invocation import FunctionContext
from bindings.kinds.activity import is_at_most_once
from bindings.kinds.records import Role
from bindings.signatures import hints_of, is_required, signature_of, wraps_async
from host.core.converter import Converter
from host.core.functions import ActivityCall, ActivityFunction
from host.core.history import Payload
from host.functions.bound_activities import BoundActivity, InvokerSlot, Named
from host.functions.limits import limit_use_of
from host.functions.model import HostFunction
from host.functions.orchestrators import input_parameter, result_type_of
from host.functions.timeouts import at_most

_VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
_READ_AS_WRITTEN = (str, int, float, bool)

Arguments: TypeAlias = tuple[Sequence[Any], dict[str, Any]]
Binder: TypeAlias = Callable[[Payload], Arguments]


def build_activity(
    host_function: HostFunction,
    converter: Converter,
    timeout: timedelta | None = None,
    slot: InvokerSlot | None = None,
) -> ActivityFunction:
    """The record of a declared activity; a coroutine is cancelled when `timeout` is over.

    One with other bindings needs the `slot` in which its host puts its invoker.
    """
    name, function = host_function.name, host_function.declaration.function
    contexts, parameters = _parameters_of(host_function)
    bind_input = binder_of(function, parameters, converter, f"The input of activity '{name}'")
    result_type = result_type_of(function)
    write = writer_of(result_type, converter, f"The result of activity '{name}'")
    once = is_at_most_once(host_function.declaration.trigger)
    input_type = input_type_of(host_function)
    limit = limit_use_of(host_function.declaration)

    is_async, is_coroutine = wraps_async(function), iscoroutinefunction(function)

    def built(bind: Binder) -> ActivityFunction:
        def run_in_thread(payload: Payload) -> Payload:
            arguments, named = bind(payload)
            return write(function(*arguments, **named))

        async def run(payload: Payload) -> Payload:
            arguments, named = bind(payload)
            result = function(*arguments, **named)
            # A plain wrapper around an async function may have awaited it by itself.
            return write(await result if is_coroutine or isawaitable(result) else result)

        async def run_in_time(payload: Payload) -> Payload:
            async with at_most(timeout, name):
                return await run(payload)

        return ActivityFunction(
            name=name,
            run=(run if timeout is None else run_in_time) if is_async else None,
            run_in_thread=None if is_async else run_in_thread,
            result_type=result_type,
            input_type=input_type,
            at_most_once=once,
            limit=limit,
        )

    def of_each(of_call: Callable[[ActivityCall], ActivityFunction]) -> ActivityFunction:
        return replace(plain, run=None, run_in_thread=None, of_call=of_call)

    plain = built(bind_input)
    if host_function.declaration.bindings:
        bound = BoundActivity(
            host_function,
            slot or InvokerSlot(),
            bind=_by_name(bind_input, parameters),
            write=write,
            contexts=contexts,
            timeout=timeout,
        )
        return of_each(lambda call: replace(plain, run=bound.of_call(call), run_in_thread=None))
    if not contexts:
        return plain

    def of_call(call: ActivityCall) -> ActivityFunction:
        context = host_function.new_context(call.cancelled)
        return built(_with_contexts(bind_input, dict.fromkeys(contexts, context), parameters))

    return of_each(of_call)


def writer_of(result_type: Any, converter: Converter, what: str) -> Callable[[Any], Payload]:
    """Makes the payload of a result; one that its caller could not read is an error here."""
    surely_fits = result_type if result_type in _READ_AS_WRITTEN else None

    def write(value: Any) -> Payload:
        payload = converter.to_payload(value, what, result_type)
        if type(value) is not surely_fits:
            converter.check_fit(payload, result_type, what)
        return payload

    return write


def input_type_of(host_function: HostFunction) -> Any:
    """The annotation of an activity's only parameter; None if it has none, or several."""
    _, parameters = _parameters_of(host_function)
    if len(parameters) != 1 or parameters[0].kind in _VARIADIC:
        return None
    return hints_of(host_function.declaration.function).get(parameters[0].name)


def payload_annotations(host_function: HostFunction) -> dict[str, Any]:
    """What the annotations of an orchestrator or activity say of its input and its result.

    By the names of the parameters, and `return`; nothing for functions of other triggers.
    """
    declaration = host_function.declaration
    hints = hints_of(declaration.function)
    match host_function.role:
        case Role.ACTIVITY:
            names = [each.name for each in _parameters_of(host_function)[1]]
        case Role.ORCHESTRATOR:
            parameter = input_parameter(declaration.function)
            names = [] if parameter is None else [parameter.name]
        case Role.TRIGGERED | Role.ENTITY:
            return {}
        case _:
            assert_never(host_function.role)
    found = {name: hints[name] for name in names if name in hints}
    return {**found, "return": result_type_of(declaration.function)}


def _parameters_of(host_function: HostFunction) -> tuple[list[str], list[Parameter]]:
    """The parameters that receive the context, by name, and those that receive the input."""
    declaration = host_function.declaration
    others = {each.name for each in declaration.bindings}
    contexts = context_parameters(declaration.function, {declaration.trigger.name, *others})
    found = signature_of(declaration.function).parameters.values()
    return contexts, [each for each in found if each.name not in others.union(contexts)]


def binder_of(
    function: Callable[..., Any], parameters: Sequence[Parameter], converter: Converter, what: str
) -> Binder:
    """Makes the arguments of an input. `what` names it in errors."""
    if not parameters:
        return _bind_nothing
    if len(parameters) == 1 and parameters[0].kind not in _VARIADIC:
        return _binder_of_one(parameters[0], hints_of(function), converter, what)
    return _binder_of_several(function, parameters, converter, what)


def _bind_nothing(_: Payload) -> Arguments:
    return (), {}


def _binder_of_one(
    parameter: Parameter, hints: dict[str, Any], converter: Converter, what: str
) -> Binder:
    hint = hints.get(parameter.name)
    is_named = parameter.kind is Parameter.KEYWORD_ONLY
    has_default = not is_required(parameter)

    def bind(payload: Payload) -> Arguments:
        if has_default and payload is None:
            return (), {}
        value = converter.from_payload(payload, hint, what)
        return ((), {parameter.name: value}) if is_named else ((value,), {})

    return bind


def _binder_of_several(
    function: Callable[..., Any], parameters: Sequence[Parameter], converter: Converter, what: str
) -> Binder:
    arguments_type = _arguments_type(function, parameters)

    def bind(payload: Payload) -> Arguments:
        text = "[]" if payload is None else payload.lstrip()
        if text[0] not in "[{":
            text = f"[{text}]"
        arguments: Arguments = converter.from_payload(text, arguments_type, what)
        return arguments

    return bind


def _arguments_type(
    function: Callable[..., Any], parameters: Sequence[Parameter]
) -> Callable[..., Arguments]:
    """A function with the activity's parameters that gives back what it is called with.

    Pydantic reads JSON for a function as its arguments: a list in order, an object by name, each
    validated by its annotation.
    """

    def collect(*arguments: Any, **named: Any) -> Arguments:
        return arguments, named

    hints = hints_of(function)
    collect.__name__ = getattr(function, "__name__", "activity")
    collect.__annotations__ = {each.name: hints.get(each.name, Any) for each in parameters}
    collect.__dict__["__signature__"] = Signature(
        [each.replace(annotation=hints.get(each.name, Any)) for each in parameters]
    )
    return collect


def _with_contexts(
    bind: Binder, contexts: Mapping[str, FunctionContext], parameters: Sequence[Parameter]
) -> Binder:
    """Pass everything by name, because a context may stand anywhere in the signature."""
    bind_by_name = _by_name(bind, parameters)
    return lambda payload: ((), {**bind_by_name(payload), **contexts})


def _by_name(bind: Binder, parameters: Sequence[Parameter]) -> Callable[[Payload], Named]:
    names = [parameter.name for parameter in parameters]

    def bind_by_name(payload: Payload) -> Named:
        arguments, named = bind(payload)
        return {**dict(zip(names, arguments, strict=False)), **named}

    return bind_by_name
