"""`orchestrationTrigger`: the function leads orchestrations."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from bindings.errors import FunctionDefinitionError
from bindings.functions import Binding, Direction
from bindings.kinds.decorating import Decorating, F, check_called
from bindings.kinds.limiting import LIMITED, limited_by
from bindings.kinds.records import BindingKind, Role, Trigger
from bindings.shown_values import shown_value
from bindings.signatures import hints_of, is_required, named_parameters, shown, signature_of

_TYPE = "orchestrationTrigger"
_CONTEXT_NAME = "context"
_VERSION = "version"
_MAX_VERSION = 1024


class OrchestrationDecorators(Decorating):
    """The decorator of orchestrators."""

    def orchestration_trigger(
        self,
        context_name: str | None = None,
        orchestration: str | None = None,
        version: str | None = None,
        *,
        limit: str | None = None,
        limit_key: str | None = None,
        priority: int | None = None,
    ) -> Callable[[F], F]:
        """Make the function an orchestrator, named `orchestration` if given.

        Several may have one name: those with a `version` lead the instances of exactly that one,
        the one without leads all others.

        With `limit`, the name of one of `extensions.durableTask.limits` in host.json, an
        orchestration takes its first step when it has a slot of that limit, and keeps the slot
        until it ends. `limit_key` and `priority` are those of `activity_trigger`.
        """
        check_called(context_name, "orchestration_trigger")
        return self.add_binding(
            _TYPE,
            Direction.IN,
            context_name,
            orchestration=orchestration,
            version=version,
            limit=limit,
            limitKey=limit_key,
            priority=priority,
        )


def _check(function: Callable[..., Any], trigger: Binding) -> None:
    limited_by(trigger)
    version = trigger.properties.get(_VERSION)
    if version is not None and not (isinstance(version, str) and 0 < len(version) <= _MAX_VERSION):
        raise FunctionDefinitionError(
            f"The version of an orchestrator is a text of 1 to {_MAX_VERSION} characters, not "
            f"{shown_value(version)}."
        )
    parameters = list(signature_of(function).parameters.values())
    positional = [each for each in parameters if each.kind is not inspect.Parameter.KEYWORD_ONLY]
    keyword_only = [each for each in parameters if each not in positional]
    fixed = [each for each in positional if each.name in named_parameters(function)]
    if len(fixed) == 1 and len(positional) == 2:
        raise FunctionDefinitionError(
            f"An orchestrator's input would get lost in {shown(function)}: name the parameter for "
            "it, or let a decorator that wraps the function use functools.wraps."
        )
    if not fixed or any(is_required(each) for each in [*fixed[2:], *keyword_only]):
        raise FunctionDefinitionError(
            f"An orchestrator takes (context) or (context, input), not {shown(function)}."
        )
    if fixed[0].name != trigger.name:
        raise FunctionDefinitionError(
            f"The context is named '{trigger.name}', but the first parameter of the orchestrator "
            f"is '{fixed[0].name}': its parameters are {shown(function)}."
        )
    if len(fixed) == 2 and _is_context(function, fixed[1]) and not _is_context(function, fixed[0]):
        raise FunctionDefinitionError(
            f"The context comes first: the orchestrator's parameters are {shown(function)}."
        )


def _is_context(function: Callable[..., Any], parameter: inspect.Parameter) -> bool:
    """Whether its author means the orchestration's context by this parameter."""
    hint = hints_of(function).get(parameter.name)
    if hint is not None and hint is not Any:
        return str(getattr(hint, "__name__", "")).endswith("OrchestrationContext")
    return parameter.name == _CONTEXT_NAME


ORCHESTRATION_TRIGGER = BindingKind(
    type=_TYPE,
    about="an `OrchestrationContext`",
    trigger=Trigger(
        decorator="orchestration_trigger",
        role=Role.ORCHESTRATOR,
        name_property="orchestration",
        version_property=_VERSION,
        is_alone=True,
        check=_check,
        instead_of_retry=(
            "what it calls can be tried again, with a retry_policy of call_activity or "
            "call_sub_orchestrator"
        ),
    ),
    properties={
        "orchestration": {"type": "string", "description": "another name"},
        _VERSION: {"type": "string", "description": "the only version that it is for"},
        **LIMITED,
    },
    default_name=_CONTEXT_NAME,
)
