"""`limit`, `limit_key` and `priority` of functions that orchestrations are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from bindings.errors import FunctionDefinitionError
from bindings.expressions import Template, template
from bindings.functions import Binding
from bindings.shown_values import shown_value

LIMIT: Final = "limit"
LIMIT_KEY: Final = "limitKey"
PRIORITY: Final = "priority"
MAX_PRIORITY: Final = 1_000_000

LIMITED: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        LIMIT: {"type": "string", "description": "the limit of host.json that it keeps to"},
        LIMIT_KEY: {
            "type": "string",
            "description": "the key within the limit, such as `{host}`: a field of the input",
        },
        PRIORITY: {
            "type": "integer",
            "default": 0,
            "description": "who is first of those that wait for the limit; lower is first",
        },
    }
)
"""The properties, for the kinds that have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """The limit of host.json that a function keeps to, and its place there."""

    limit: str
    key: Template | None
    priority: int


def limited_by(trigger: Binding) -> Limited | None:
    """What a trigger says of a limit. Raises `FunctionDefinitionError` for what cannot be."""
    given = trigger.properties
    name, key, priority = given.get(LIMIT), given.get(LIMIT_KEY), given.get(PRIORITY)
    if name is None:
        for each in (LIMIT_KEY, PRIORITY):
            if given.get(each) is not None:
                raise FunctionDefinitionError(
                    f"'{each}' says something of a limit, and there is no '{LIMIT}': name one of "
                    "extensions.durableTask.limits in host.json."
                )
        return None
    if not isinstance(name, str) or not name.strip():
        raise FunctionDefinitionError(
            f"'{LIMIT}' must be the name of a limit in host.json, not {shown_value(name)}."
        )
    if key is not None and (not isinstance(key, str) or not key):
        raise FunctionDefinitionError(
            f"'{LIMIT_KEY}' must be a text such as '{{host}}', which names a field of the input, "
            f"not {shown_value(key)}."
        )
    if priority is None:
        priority = 0
    is_number = isinstance(priority, int) and not isinstance(priority, bool)
    if not is_number or abs(priority) > MAX_PRIORITY:
        raise FunctionDefinitionError(
            f"'{PRIORITY}' must be a whole number, at most {MAX_PRIORITY}; lower is first. It is "
            f"{shown_value(priority)}."
        )
    read = None if key is None else template(key, f"'{LIMIT_KEY}'")
    return Limited(limit=name.strip(), key=read, priority=priority)
