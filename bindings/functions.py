"""The declaration of a function: plain data, the same for decorators and function.json.

A function has exactly one trigger binding, any number of input and output bindings, and a callable.
The type of a binding is compared without regard to case; its properties keep function.json's
camelCase names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

RETURN = "$return"
TRIGGER_SUFFIX = "trigger"
"""What the types of triggers end with, and no others, in any case."""


_SETTING = re.compile(r"%[^%]+%")


class Direction(StrEnum):
    """Which way a binding's data flows."""

    IN = "in"
    OUT = "out"
    INOUT = "inout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One binding. `name` is the parameter it belongs to, or `$return`."""

    type: str
    direction: Direction
    name: str
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_trigger(self) -> bool:
        """Whether this binding starts the function."""
        return self.type.lower().endswith(TRIGGER_SUFFIX)


def names_setting(value: object) -> bool:
    """Whether there is a `%NAME%` in a property's value: what it says is known later."""
    return isinstance(value, str) and _SETTING.search(value) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionDeclaration:
    """One function as its author declared it."""

    name: str
    function: Callable[..., Any]
    trigger: Binding
    bindings: tuple[Binding, ...] = ()
    """The bindings besides the trigger, in the order of declaration."""
    retry: Mapping[str, Any] | None = None
    """Its own `retry`, with the names of app settings in it."""
