"""From the declaration of an orchestrator to the record that the core runs."""

from __future__ import annotations

import typing
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Iterator
from inspect import Parameter
from typing import Any

from bindings.context import OrchestrationContext
from bindings.functions import FunctionDeclaration
from bindings.signatures import hints_of, is_required, named_parameters
from host.core.functions import LimitUse, OrchestratorFunction

_NO_RESULT = (typing.NoReturn, typing.Never)
"""A function that always raises says nothing of its result."""
_RESULT_ARGUMENT = {Generator: 2, Coroutine: 2, Awaitable: 0}
"""Which type argument of a return annotation is the type of the result."""


def build_orchestrator(
    declaration: FunctionDeclaration, limit: LimitUse | None = None
) -> OrchestratorFunction:
    """The record of a declared orchestrator, which keeps to the limit."""
    return OrchestratorFunction(
        name=declaration.name,
        start=_start(declaration.function),
        result_type=result_type_of(declaration.function),
        input_type=input_type_of(declaration.function),
        limit=limit,
    )


def input_type_of(function: Callable[..., Any]) -> Any:
    """The annotation of an orchestrator's input; None if it has none, or takes no input."""
    parameter = input_parameter(function)
    return None if parameter is None else hints_of(function).get(parameter.name)


def result_type_of(function: Callable[..., Any]) -> Any:
    """The type of a function's result by its annotation (`NoneType` if it gives none).

    None where nothing is said of it.
    """
    annotation = hints_of(function).get("return")
    kind = typing.get_origin(annotation) or annotation
    if kind in _RESULT_ARGUMENT:
        index, arguments = _RESULT_ARGUMENT[kind], typing.get_args(annotation)
        annotation = arguments[index] if index < len(arguments) else None
    elif kind in (Iterator, Iterable):
        return None
    return None if annotation in _NO_RESULT else annotation


def input_parameter(function: Callable[..., Any]) -> Parameter | None:
    """The second one, after the context."""
    positional = [
        parameter
        for parameter in named_parameters(function).values()
        if parameter.kind is not Parameter.KEYWORD_ONLY
    ]
    return positional[1] if len(positional) > 1 else None


def _start(function: Callable[..., Any]) -> Callable[[OrchestrationContext], Any]:
    parameter = input_parameter(function)
    if parameter is None:
        return function
    input_type = input_type_of(function)
    has_default = not is_required(parameter)

    def start(context: OrchestrationContext) -> Any:
        if has_default and context.get_input() is None:
            return function(context)
        return function(context, context.get_input(input_type))

    return start
