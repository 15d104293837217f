"""The limit of a function, as the engine knows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import partial

from bindings.errors import InvalidArgumentError
from bindings.expressions import BindingData, Template
from bindings.functions import Binding, FunctionDeclaration
from bindings.kinds.entity import KEY_OF_ENTITY
from bindings.kinds.limiting import LIMIT, limited_by
from bindings.kinds.records import Role
from bindings.kinds.registry import trigger_of
from host.core.functions import LimitUse
from host.core.history import Payload
from host.errors import ConfigurationError
from host.functions.orchestrators import input_parameter
from host.settings.limits import LimitSettings


def limit_use_of(declaration: FunctionDeclaration) -> LimitUse | None:
    """The limit that the function keeps to; None if it has none."""
    limited = limited_by(declaration.trigger)
    if limited is None:
        return None
    if limited.key is None:
        return LimitUse(name=limited.limit, priority=limited.priority)
    return LimitUse(
        name=limited.limit,
        priority=limited.priority,
        key_text=limited.key.text,
        key_of=partial(_key_of, limited.key, declaration.name, _input_name(declaration)),
    )


def check_limit(trigger: Binding, limits: Mapping[str, LimitSettings]) -> None:
    """Raise `ConfigurationError` for a limit that host.json does not say, or not so.

    Else the function would run without one, and nobody would see it.
    """
    limited = limited_by(trigger) if LIMIT in trigger.properties else None
    if limited is None:
        return
    settings = limits.get(limited.limit)
    if settings is None:
        known = ", ".join(sorted(limits)) or "none"
        raise ConfigurationError(
            f"Its limit '{limited.limit}' is not among extensions.durableTask.limits of host.json, "
            f"which has {known}: add it there, such as "
            f'"{limited.limit}": {{"concurrency": 5}}.'
        )
    if settings.per_key and limited.key is None:
        is_entity = trigger_of(trigger).role is Role.ENTITY
        example = "'{key}'" if is_entity else "'{host}' for the field 'host' of its input"
        raise ConfigurationError(
            f"Its limit '{limited.limit}' is counted by key (perKey in host.json), and the "
            f"function does not say which: give it a limit_key, such as {example}."
        )


def _input_name(declaration: FunctionDeclaration) -> str:
    """What the key calls the whole input: its parameter's name."""
    trigger = declaration.trigger
    role = trigger_of(trigger).role
    if role is Role.ENTITY:
        return KEY_OF_ENTITY
    if role is not Role.ORCHESTRATOR:
        return trigger.name
    parameter = input_parameter(declaration.function)
    return "input" if parameter is None else parameter.name


def _key_of(key: Template, function_name: str, input_name: str, payload: Payload) -> str:
    def find() -> Mapping[str, object]:
        value = None if payload is None else json.loads(payload)
        properties = value if isinstance(value, dict) else {}
        return {input_name: value, **properties}

    return key.render(BindingData(find, function_name=function_name, now=_no_time))


def _no_time() -> datetime:
    raise InvalidArgumentError("A key is made of the input alone, and not of the time.")
