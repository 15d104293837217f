"""What a function says of itself: its parameters, its annotations, its kind.

Annotations are the author's code. One that cannot be resolved (a name that is imported for type
checkers only, say) counts as absent and never hides the others. A function that another decorator
wrapped is known by what it wraps, too (`__wrapped__`).
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

if sys.version_info >= (3, 14):
    import annotationlib

_NO_NAME = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """The signature, also with annotations that do not resolve. Raises ValueError, TypeError."""
    if sys.version_info >= (3, 14):
        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)


def named_parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters that have a name of their own (not `*args`, `**kwargs`), in order."""
    parameters = signature_of(function).parameters
    return {name: each for name, each in parameters.items() if each.kind not in _NO_NAME}


def takes_any_name(function: Callable[..., Any]) -> bool:
    """Whether the function has a `**kwargs`."""
    parameters = signature_of(function).parameters.values()
    return any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters)


def is_required(parameter: inspect.Parameter) -> bool:
    """Whether a call must give this (named) parameter a value."""
    return parameter.default is inspect.Parameter.empty and parameter.kind not in _NO_NAME


def shown(function: Callable[..., Any]) -> str:
    """The names of its parameters, for messages."""
    return f"({', '.join(signature_of(function).parameters)})"


def layers_of(function: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """The function, what it wraps, what that wraps, and so on."""
    seen: set[int] = set()
    layer: Callable[..., Any] | None = function
    while layer is not None and id(layer) not in seen:
        seen.add(id(layer))
        yield layer
        layer = getattr(layer, "__wrapped__", None)


def innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    """The author's own function under all wrappers."""
    return list(layers_of(function))[-1]


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations as types, `return` included; without those that cannot be resolved."""
    target = _annotated(innermost(function))
    try:
        hints = typing.get_type_hints(target, include_extras=True)
    except Exception:  # noqa: BLE001 - evaluates the author's annotations: anything may be raised
        hints = _resolvable_hints(target)
    return {name: hint for name, hint in hints.items() if _is_hashable(hint)}


def unresolved_hints(function: Callable[..., Any]) -> dict[str, str]:
    """The annotations that count as absent because they cannot be resolved, each with the reason.

    `return` is the one of the result.
    """
    target = _annotated(innermost(function))
    reasons: dict[str, str] = {}
    try:
        typing.get_type_hints(target, include_extras=True)
    except Exception:  # noqa: BLE001 - see hints_of
        for name, annotation in _raw_annotations(target).items():
            try:
                _resolve(annotation, getattr(target, "__globals__", {}))
            except Exception as error:  # noqa: BLE001 - see hints_of
                reasons[name] = f"{type(error).__name__}: {error}"
    return reasons


def _is_hashable(hint: Any) -> bool:
    """Types are; what is not (`-> {}`, say) can be no type, or none that anyone could look up."""
    try:
        hash(hint)
    except TypeError:
        return False
    return True


def _annotated(function: Callable[..., Any]) -> Callable[..., Any]:
    """A callable object carries its annotations on `__call__`."""
    if inspect.isroutine(function) or isinstance(function, type):
        return function
    call: Callable[..., Any] = type(function).__call__
    return call


def _resolvable_hints(function: Callable[..., Any]) -> dict[str, Any]:
    hints = {}
    for name, annotation in _raw_annotations(function).items():
        try:
            hints[name] = _resolve(annotation, getattr(function, "__globals__", {}))
        except Exception:  # noqa: BLE001, S112 - see hints_of: this one counts as absent
            continue
    return hints


def _raw_annotations(function: Callable[..., Any]) -> Mapping[str, Any]:
    if sys.version_info >= (3, 14):
        return annotationlib.get_annotations(function, format=annotationlib.Format.FORWARDREF)
    return inspect.get_annotations(function)


def _resolve(annotation: Any, names: dict[str, Any]) -> Any:
    holder = type("Holder", (), {"__annotations__": {"hint": annotation}})
    return typing.get_type_hints(holder, globalns=names, localns={}, include_extras=True)["hint"]


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling the function gives a coroutine."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an object with `async def __call__`
    )


def wraps_async(function: Callable[..., Any]) -> bool:
    """Whether the author's own function is a coroutine function, under whatever wrappers."""
    return any(is_async(layer) for layer in layers_of(function))


def is_generator(function: Callable[..., Any]) -> bool:
    """Whether the author's own function is a generator."""
    return any(inspect.isgeneratorfunction(layer) for layer in layers_of(function))


def is_async_generator(function: Callable[..., Any]) -> bool:
    """Whether the author's own function is an `async def` with a `yield`."""
    return any(inspect.isasyncgenfunction(layer) for layer in layers_of(function))
