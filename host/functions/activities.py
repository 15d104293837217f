"""From the declaration of an activity to the record that the engine runs: payload in, payload out.

An activity takes no value, or one, or several. One is read as its parameter's annotation says. For
several, a list gives them in order, an object by name, and anything else is the first one; defaults
fill the rest. All that depends on the signature is worked out once, not per call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from inspect import Parameter, Signature, isawaitable
from typing import Any, TypeAlias

from bindings.declaring import context_parameters
from bindings.signatures import hints_of, is_required, signature_of, wraps_async
from host.core.converter import Converter
from host.core.functions import ActivityFunction
from host.core.history import Payload
from host.functions.model import HostFunction
from host.functions.orchestrators import result_type_of
from host.functions.timeouts import at_most

_VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
_READ_AS_WRITTEN = (str, int, float, bool)

Arguments: TypeAlias = tuple[Sequence[Any], dict[str, Any]]
Binder: TypeAlias = Callable[[Payload], Arguments]


def build_activity(
    host_function: HostFunction, converter: Converter, timeout: timedelta | None = None
) -> ActivityFunction:
    """The record of a declared activity; a coroutine is cancelled when `timeout` is over."""
    name, function = host_function.name, host_function.declaration.function
    bind = _binder(host_function, converter)
    result_type = result_type_of(function)
    write = _writer(result_type, converter, f"The result of activity '{name}'")
    once = bool(host_function.declaration.trigger.properties.get("atMostOnce", False))

    def run_in_thread(payload: Payload) -> Payload:
        arguments, named = bind(payload)
        return write(function(*arguments, **named))

    async def run(payload: Payload) -> Payload:
        arguments, named = bind(payload)
        result = function(*arguments, **named)
        # A plain wrapper around an async function may have awaited it by itself.
        return write(await result if isawaitable(result) else result)

    async def run_in_time(payload: Payload) -> Payload:
        async with at_most(timeout, name):
            return await run(payload)

    if wraps_async(function):
        run_it = run if timeout is None else run_in_time
        return ActivityFunction(name=name, run=run_it, result_type=result_type, at_most_once=once)
    return ActivityFunction(
        name=name, run_in_thread=run_in_thread, result_type=result_type, at_most_once=once
    )


def _writer(result_type: Any, converter: Converter, what: str) -> Callable[[Any], Payload]:
    """Makes the payload of a result; one that its caller could not read is an error here."""
    surely_fits = result_type if result_type in _READ_AS_WRITTEN else None

    def write(value: Any) -> Payload:
        payload = converter.to_payload(value, what)
        if type(value) is not surely_fits:
            converter.check_fit(payload, result_type, what)
        return payload

    return write


def _binder(host_function: HostFunction, converter: Converter) -> Binder:
    declaration = host_function.declaration
    function = declaration.function
    contexts = context_parameters(function, [declaration.trigger.name])
    parameters = [
        each for each in signature_of(function).parameters.values() if each.name not in contexts
    ]
    what = f"The input of activity '{host_function.name}'"
    bind: Binder
    if not parameters:
        bind = _bind_nothing
    elif len(parameters) == 1 and parameters[0].kind not in _VARIADIC:
        bind = _binder_of_one(parameters[0], hints_of(function), converter, what)
    else:
        bind = _binder_of_several(function, parameters, converter, what)
    return _with_contexts(bind, host_function, contexts, parameters) if contexts else bind


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
    bind: Binder,
    host_function: HostFunction,
    contexts: Sequence[str],
    parameters: Sequence[Parameter],
) -> Binder:
    """Pass everything by name, because a context may stand anywhere in the signature."""
    names = [parameter.name for parameter in parameters]

    def bind_with_contexts(payload: Payload) -> Arguments:
        arguments, named = bind(payload)
        context = host_function.new_context()
        by_name = dict(zip(names, arguments, strict=False))
        return (), {**by_name, **named, **dict.fromkeys(contexts, context)}

    return bind_with_contexts
