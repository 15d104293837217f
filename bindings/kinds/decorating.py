"""What the decorators of all kinds are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from bindings.errors import FunctionDefinitionError
from bindings.functions import Direction

F = TypeVar("F", bound=Callable[..., Any])


class Decorating(ABC):
    """The base of the classes that hold the decorators of one kind each."""

    @abstractmethod
    def add_binding(
        self, type_name: str, direction: Direction, name: str | None, **properties: Any
    ) -> Callable[[F], F]:
        """A decorator that notes down a binding. Without a name, its parameter is looked for."""


def check_called(argument: object, decorator: str) -> None:
    """Tell `@app.route` from `@app.route(...)`: without the call the function would get lost.

    Raises `FunctionDefinitionError`.
    """
    if callable(argument):
        raise FunctionDefinitionError(
            f"Write @app.{decorator}() with parentheses: without them it decorates nothing."
        )
