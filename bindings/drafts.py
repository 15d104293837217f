"""Functions while their decorators are being applied, and how parameter names are found.

A draft collects what several decorators say of one function, in any order. Names that the author
left out are found when the declarations are asked for, because only then are all annotations known:
first by annotation and customary name, then the trigger takes the first parameter that is left, and
another binding the only one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bindings.declaring import declare, free_parameters
from bindings.errors import FunctionDefinitionError
from bindings.functions import Binding, Direction, FunctionDeclaration
from bindings.http import AuthLevel
from bindings.kinds.records import BindingKind, Role
from bindings.kinds.registry import KINDS
from bindings.shown_values import shown_value
from bindings.signatures import hints_of, named_parameters


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
    retries: list[Mapping[str, Any]] = field(default_factory=list)
    """What `retry` said, once at most if all is well."""

    @property
    def shown_name(self) -> str:
        """The name to report the function by, also when it cannot be declared."""
        if isinstance(self.name, str) and self.name:
            return self.name
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    def declare(self, auth_level: AuthLevel | str) -> FunctionDeclaration:
        """The finished declaration. Raises `FunctionDefinitionError`."""
        if self.name is None and not hasattr(self.function, "__name__"):
            raise FunctionDefinitionError(
                f"{shown_value(self.function)} has no name of its own: add "
                "@app.function_name('...')."
            )
        self._check_texts()
        if len(self.retries) > 1:
            raise FunctionDefinitionError("The function has two 'retry' policies: keep one.")
        return declare(
            self.shown_name,
            self.function,
            self._bindings(),
            default_auth_level=auth_level,
            retry=next(iter(self.retries), None),
        )

    def _check_texts(self) -> None:
        """Whoever looks for these takes them for texts, and annotations hold nobody."""
        if self.name is not None and (not isinstance(self.name, str) or not self.name):
            raise _no_text("The name in function_name", self.name)
        for each in self.bindings:
            if not isinstance(each.type, str) or not each.type:
                raise _no_text("The type of a binding", each.type)
            if not isinstance(each.name, str | None):
                raise _no_text(f"The parameter's name in the {each.type} binding", each.name)
            if not isinstance(each.direction, str):
                raise _no_text(f"The direction of the {each.type} binding", each.direction)

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
        self._kinds = [KINDS.find(binding.type) for binding in bindings]
        self._names = [binding.name for binding in bindings]
        self._hints = hints_of(function)
        self._free = _unbound_parameters(function, bindings)

    def found(self) -> list[str]:
        """One name per binding, in their order; whether it is a parameter, `declare` checks."""
        self._assign(self._recognized)
        self._assign(self._first_for_trigger)
        self._assign(self._only_one)
        return [name or "" for name in self._names]

    def _assign(self, choose: Callable[[BindingKind], str | None]) -> None:
        for index, kind in enumerate(self._kinds):
            if self._names[index] is None and kind is not None:
                name = choose(kind)
                self._names[index] = name
                if name in self._free:
                    self._free.remove(name)

    def _recognized(self, kind: BindingKind) -> str | None:
        return self._of_type(kind.annotation) or self._named(kind.customary_names)

    def _first_for_trigger(self, kind: BindingKind) -> str | None:
        if kind.trigger is None:
            return None
        return self._free[0] if self._free else kind.default_name

    def _only_one(self, kind: BindingKind) -> str:
        return self._free[0] if len(self._free) == 1 else kind.default_name

    def _of_type(self, annotation: type | None) -> str | None:
        if annotation is None:
            return None
        return next((name for name in self._free if self._hints.get(name) is annotation), None)

    def _named(self, names: Sequence[str]) -> str | None:
        return next((name for name in names if name in self._free), None)


def _unbound_parameters(
    function: Callable[..., Any], bindings: Sequence[DraftBinding]
) -> list[str]:
    try:
        if any(_takes_context(binding) for binding in bindings):
            return list(named_parameters(function))
        named = [
            Binding(type=each.type, direction=Direction.IN, name=each.name)
            for each in bindings
            if each.name is not None
        ]
        return free_parameters(function, named)
    except (ValueError, TypeError):  # no readable signature: `declare` reports it
        return []


_TAKE_CONTEXT = {Role.ORCHESTRATOR, Role.ENTITY}
"""Whose first parameter is their context, whatever its name is."""


def _takes_context(binding: DraftBinding) -> bool:
    kind = KINDS.find(binding.type)
    trigger = None if kind is None else kind.trigger
    return trigger is not None and trigger.role in _TAKE_CONTEXT


def _no_text(what: str, given: object) -> FunctionDefinitionError:
    shown = "an empty one" if given == "" else f"{shown_value(given)} ({type(given).__name__})"
    return FunctionDefinitionError(f"{what} must be a text, not {shown}.")


def _direction(direction: Direction | str) -> Direction:
    try:
        return Direction(direction.lower())
    except ValueError:
        raise FunctionDefinitionError(
            f"The direction '{direction}' does not exist; it is one of {', '.join(Direction)}."
        ) from None
