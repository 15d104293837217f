"""From a callable and its bindings to a declaration: every rule that a function must keep.

The same rules hold for decorators and for function.json, because both end here. A function that
breaks one gets a `FunctionDefinitionError` that says what to write instead.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, assert_never

from bindings.errors import FunctionDefinitionError
from bindings.function_retry import read_retry, usual_retry
from bindings.functions import RETURN, Binding, Direction, FunctionDeclaration, names_setting
from bindings.http import AuthLevel
from bindings.invocation import FunctionContext
from bindings.kinds.faults import code_of
from bindings.kinds.records import FunctionFacts, Role
from bindings.kinds.registry import kind_of, trigger_of, usual_name
from bindings.shown_values import shown_value
from bindings.signatures import (
    hints_of,
    innermost,
    is_async_generator,
    is_generator,
    is_required,
    named_parameters,
    shown,
    signature_of,
    takes_any_name,
)

CONTEXT_NAME: Final = "context"
"""The parameter that receives the `FunctionContext`, unless a binding has this name."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,127}")


def declare(
    name: str,
    function: Callable[..., Any],
    bindings: Iterable[Binding],
    *,
    default_auth_level: AuthLevel | str = AuthLevel.FUNCTION,
    retry: object = None,
) -> FunctionDeclaration:
    """Make the declaration; `retry` is as it was written. Raises `FunctionDefinitionError`."""
    trigger, others = _split([normalize(binding) for binding in bindings])
    name = declared_name(name, trigger)
    _check_binding_names([trigger, *others])
    _check_signature(function, trigger, others)
    facts = FunctionFacts(name=name, auth_level=default_auth_level)
    return FunctionDeclaration(
        name=name,
        function=function,
        trigger=_complete(trigger, facts),
        bindings=tuple(_complete(binding, facts) for binding in others),
        retry=None if retry is None else _checked_retry(retry, trigger),
    )


def _checked_retry(document: object, trigger: Binding) -> Mapping[str, Any]:
    """The policy by its usual names. What names an app setting is looked at later."""
    instead = trigger_of(trigger).instead_of_retry
    if instead:
        raise FunctionDefinitionError(
            f"A function with {trigger.type} cannot have a 'retry': {instead}."
        )
    retry = usual_retry(document)
    if not any(names_setting(value) for value in retry.values()):
        read_retry(retry)
    return retry


def normalize(binding: Binding) -> Binding:
    """The binding with its type and properties written in the usual case.

    Raises `FunctionDefinitionError` for a type or direction that does not exist.
    """
    kind = kind_of(binding)
    if binding.direction not in kind.directions:
        raise FunctionDefinitionError(
            f"The {kind.type} binding '{binding.name}' has the direction '{binding.direction}'; "
            f"it must be {' or '.join(kind.directions)}."
        )
    if binding.name == RETURN and binding.direction is not Direction.OUT:
        raise FunctionDefinitionError(
            f"The {kind.type} binding is named '{RETURN}', which only outputs can be: "
            "name the parameter that receives its value."
        )
    properties = {
        usual_name(kind, name): value
        for name, value in binding.properties.items()
        if value is not None
    }
    return Binding(
        type=kind.type, direction=binding.direction, name=binding.name, properties=properties
    )


def _complete(binding: Binding, facts: FunctionFacts) -> Binding:
    kind = kind_of(binding)
    if kind.complete is None:
        return binding
    with code_of(kind):
        return kind.complete(binding, facts)


def declared_name(name: str, trigger: Binding | None) -> str:
    """The name the function goes by: one that its trigger gives comes first.

    Raises `FunctionDefinitionError`.
    """
    property_name = None if trigger is None else trigger_of(trigger).name_property
    override = trigger.properties.get(property_name) if trigger and property_name else None
    if not isinstance(override, str | None):
        raise FunctionDefinitionError(
            f"The name in '{property_name}' must be a text, not {shown_value(override)}."
        )
    chosen = str.__str__(name if override is None else override)  # no class derived from it
    if not _NAME.fullmatch(chosen) or chosen.lower() == "host":
        raise FunctionDefinitionError(
            f"'{chosen}' cannot be a function's name: it must start with a letter, go on with "
            "letters, digits, '_' or '-', have at most 128 characters, and not be 'host'."
        )
    return chosen


def version_of(declaration: FunctionDeclaration) -> str | None:
    """For which version alone the function is; None if it is for all that have no other."""
    name = trigger_of(declaration.trigger).version_property
    return (name and declaration.trigger.properties.get(name)) or None


def are_told_apart(one: FunctionDeclaration, other: FunctionDeclaration) -> bool:
    """Whether functions of one name are, by the versions that they are for."""
    has_versions = all(trigger_of(each.trigger).version_property for each in (one, other))
    return has_versions and version_of(one) != version_of(other)


def _split(bindings: Sequence[Binding]) -> tuple[Binding, list[Binding]]:
    triggers = [binding for binding in bindings if binding.is_trigger]
    if not triggers:
        raise FunctionDefinitionError(
            "The function has no trigger: add exactly one, such as route, orchestration_trigger "
            "or activity_trigger."
        )
    if len(triggers) > 1:
        kinds = ", ".join(trigger.type for trigger in triggers)
        raise FunctionDefinitionError(
            f"The function has {len(triggers)} triggers ({kinds}): keep one, and write one "
            "function per trigger."
        )
    others = [binding for binding in bindings if not binding.is_trigger]
    if others and trigger_of(triggers[0]).is_alone:
        raise FunctionDefinitionError(
            f"A function with {triggers[0].type} cannot have other bindings "
            f"({', '.join(binding.type for binding in others)}): use them in the function that "
            "starts the orchestration."
        )
    return triggers[0], others


def _check_binding_names(bindings: Sequence[Binding]) -> None:
    names = [binding.name for binding in bindings]
    for name in names:
        if names.count(name) > 1:
            raise FunctionDefinitionError(
                f"Two bindings have the name '{name}': give each a parameter of its own."
                + (" What an HTTP function returns is its answer." if name == "$return" else "")
            )


def _check_signature(
    function: Callable[..., Any], trigger: Binding, others: Sequence[Binding]
) -> None:
    try:
        signature_of(function)
    except (ValueError, TypeError) as error:
        raise FunctionDefinitionError(
            f"The parameters of {shown_value(function)} cannot be read ({error}): wrap it in a "
            "function."
        ) from error
    kind = trigger_of(trigger)
    _check_kind(function, kind.role)
    _check_no_method(function)
    if kind.check is not None:
        with code_of(kind_of(trigger)):
            kind.check(function, trigger)
    match kind.role:
        case Role.ORCHESTRATOR | Role.ENTITY:
            pass  # its parameters are not bound by name
        case Role.ACTIVITY:
            _check_names(function, [trigger, *others])
            if others:
                _check_none_positional(function)
        case Role.TRIGGERED:
            _check_names(function, [trigger, *others])
            _check_all_bound(function, [trigger, *others])
            _check_none_positional(function)
        case _:
            assert_never(kind.role)


def _check_kind(function: Callable[..., Any], role: Role) -> None:
    if is_async_generator(function):
        raise FunctionDefinitionError(
            "The function is an `async def` with a `yield`, which is an async generator: in an "
            "`async def` write `await` where `yield` stands, or make it a plain `def`."
        )
    if is_generator(function) and role is not Role.ORCHESTRATOR:
        raise FunctionDefinitionError(
            "The function has a `yield`, which only orchestrators can have: return the values, "
            "for example as a list."
        )


def _check_no_method(function: Callable[..., Any]) -> None:
    """A function in a class body has no instance yet: every call of it would fail."""
    inner = innermost(function)
    holder = str(getattr(inner, "__qualname__", "")).rpartition(".")[0]
    first = next(iter(signature_of(function).parameters), None)
    if holder and not holder.endswith("<locals>") and first in {"self", "cls"}:
        raise FunctionDefinitionError(
            f"'{inner.__qualname__}' is a method of a class: decorate a plain function, or the "
            f"method of an instance, as in app.activity_trigger()({holder}().{inner.__name__})."
        )


def _check_names(function: Callable[..., Any], bindings: Sequence[Binding]) -> None:
    """Every binding has its parameter; only a trigger that nothing asks for may lack one."""
    if takes_any_name(function):
        return
    parameters = named_parameters(function)
    is_trigger_unused = not free_parameters(function, bindings)
    for binding in bindings:
        if binding.name == RETURN or (binding.is_trigger and is_trigger_unused):
            continue
        if binding.name not in parameters:
            raise FunctionDefinitionError(
                f"The {binding.type} binding is for a parameter '{binding.name}', but the "
                f"function's parameters are {shown(function)}."
            )


def _check_all_bound(function: Callable[..., Any], bindings: Sequence[Binding]) -> None:
    parameters = named_parameters(function)
    unbound = [
        name for name in free_parameters(function, bindings) if is_required(parameters[name])
    ]
    if unbound:
        raise FunctionDefinitionError(
            f"No binding gives a value for the parameter '{unbound[0]}' of {shown(function)}: "
            f"{_in_route(unbound[0], bindings)}add a binding of that name, give it a default, or "
            "remove it."
        )


def _check_none_positional(function: Callable[..., Any]) -> None:
    for parameter in named_parameters(function).values():
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            raise FunctionDefinitionError(
                f"The parameter '{parameter.name}' is positional only; bindings are passed by "
                "name: remove the '/' from the signature."
            )


def _in_route(name: str, bindings: Sequence[Binding]) -> str:
    """Where a part of the path is to be read, which is no parameter of the function."""
    for binding in bindings:
        if re.search(rf"{{\**{re.escape(name)}\b", str(binding.properties.get("route", ""))):
            return f'read the path\'s from {binding.name}.route_params["{name}"], '
    return ""


def context_parameters(function: Callable[..., Any], bound: Collection[str]) -> list[str]:
    """The parameters that receive the `FunctionContext`; `bound` are the names of bindings.

    Those annotated with it, and one named `context` that is annotated with nothing else.
    """
    hints = hints_of(function)
    return [
        name
        for name in named_parameters(function)
        if name not in bound
        and (
            hints.get(name) is FunctionContext
            or (name == CONTEXT_NAME and hints.get(name, Any) is Any)
        )
    ]


def free_parameters(function: Callable[..., Any], bindings: Iterable[Binding]) -> list[str]:
    """The named parameters that neither a binding nor the function's context belongs to."""
    bound = {binding.name for binding in bindings}
    taken = bound.union(context_parameters(function, bound))
    return [name for name in named_parameters(function) if name not in taken]


def _shown(function: Callable[..., Any]) -> str:
    return f"({', '.join(signature_of(function).parameters)})"
