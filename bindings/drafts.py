"""Functions while their decorators are being applied, and how parameter names are found.

A draft collects what several decorators say of one function, in any order. Names that the author
left out are found when the declarations are asked for, because only then are all annotations known:
first by annotation and customary name, then the trigger takes the first parameter that is left, and
a client the only one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bindings.binding_types import (
    ACTIVITY_TRIGGER,
    CLIENT_TYPES,
    HTTP_TRIGGER,
    ORCHESTRATION_TRIGGER,
)
from bindings.client import DurableClient
from bindings.declaring import CONTEXT_NAME, declare, free_parameters
from bindings.errors import FunctionDefinitionError
from bindings.functions import Binding, Direction, FunctionDeclaration
from bindings.http import AuthLevel, HttpRequest
from bindings.signatures import hints_of, named_parameters

_CLIENT_NAMES = ("client", "starter", "durable_client")
_UNUSED_TRIGGER_NAMES = {
    ORCHESTRATION_TRIGGER: CONTEXT_NAME,
    ACTIVITY_TRIGGER: "input",
    HTTP_TRIGGER: "req",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftBinding:
    """A binding whose parameter may not be known yet."""

    type: str
    direction: Direction | str
    name: str | None
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Draft:
    """What the decorators said of one function so far."""

    function: Callable[..., Any]
    name: str | None = None
    bindings: list[DraftBinding] = field(default_factory=list)

    @property
    def shown_name(self) -> str:
        """The name to report the function by, also when it cannot be declared."""
        return self.name or str(getattr(self.function, "__name__", type(self.function).__name__))

    def declare(self, auth_level: AuthLevel | str) -> FunctionDeclaration:
        """The finished declaration. Raises `FunctionDefinitionError`."""
        if self.name is None and not hasattr(self.function, "__name__"):
            raise FunctionDefinitionError(
                f"{self.function!r} has no name of its own: add @app.function_name('...')."
            )
        return declare(
            self.shown_name, self.function, self._bindings(), default_auth_level=auth_level
        )

    def _bindings(self) -> list[Binding]:
        names = _Names(self.function, self.bindings).found()
        return [
            Binding(
                type=each.type,
                direction=_direction(each.direction),
                name=name,
                properties=each.properties,
            )
            for each, name in zip(self.bindings, names, strict=True)
        ]


class _Names:
    """Finds the parameters of the bindings that do not name theirs."""

    def __init__(self, function: Callable[..., Any], bindings: Sequence[DraftBinding]) -> None:
        self._bindings = bindings
        self._names = [binding.name for binding in bindings]
        self._hints = hints_of(function)
        self._free = _unbound_parameters(function, bindings)

    def found(self) -> list[str]:
        """One name per binding, in their order; whether it is a parameter, `declare` checks."""
        self._assign(self._recognized)
        self._assign(self._first_for_trigger)
        self._assign(self._only_one)
        return [name or "" for name in self._names]

    def _assign(self, choose: Callable[[DraftBinding], str | None]) -> None:
        for index, binding in enumerate(self._bindings):
            if self._names[index] is None:
                name = choose(binding)
                self._names[index] = name
                if name in self._free:
                    self._free.remove(name)

    def _recognized(self, binding: DraftBinding) -> str | None:
        kind = binding.type
        if kind == HTTP_TRIGGER:
            return self._of_type(HttpRequest) or self._named("req")
        if kind in CLIENT_TYPES:
            return self._of_type(DurableClient) or self._named(*_CLIENT_NAMES)
        return None

    def _first_for_trigger(self, binding: DraftBinding) -> str | None:
        if binding.type in CLIENT_TYPES:
            return None
        return self._free[0] if self._free else _UNUSED_TRIGGER_NAMES.get(binding.type, "input")

    def _only_one(self, _: DraftBinding) -> str:
        return self._free[0] if len(self._free) == 1 else _CLIENT_NAMES[0]

    def _of_type(self, kind: type) -> str | None:
        return next((name for name in self._free if self._hints.get(name) is kind), None)

    def _named(self, *names: str) -> str | None:
        return next((name for name in names if name in self._free), None)


def _unbound_parameters(
    function: Callable[..., Any], bindings: Sequence[DraftBinding]
) -> list[str]:
    try:
        if any(binding.type == ORCHESTRATION_TRIGGER for binding in bindings):
            return list(named_parameters(function))
        named = [
            Binding(type=each.type, direction=Direction.IN, name=each.name)
            for each in bindings
            if each.name is not None
        ]
        return free_parameters(function, named)
    except (ValueError, TypeError):  # no readable signature: `declare` reports it
        return []


def _direction(direction: Direction | str) -> Direction:
    try:
        return Direction(direction.lower())
    except ValueError:
        raise FunctionDefinitionError(
            f"The direction '{direction}' does not exist; it is one of {', '.join(Direction)}."
        ) from None
