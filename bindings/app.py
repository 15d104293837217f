"""The decorators that make functions out of plain Python functions.

A decorator only takes notes: it returns the very function it got and changes nothing of it, so
decorated functions can be imported, called and tested like any other. Decorators of one function
may stand in any order. Everything is checked when the host asks for the declarations, so one
mistake never hides the other functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bindings.binding_types import (
    ACTIVITY_TRIGGER,
    HTTP,
    HTTP_TRIGGER,
    ORCHESTRATION_CLIENT,
    ORCHESTRATION_TRIGGER,
)
from bindings.drafts import Draft, DraftBinding
from bindings.errors import FunctionDefinitionError
from bindings.functions import RETURN, Direction, FunctionDeclaration
from bindings.http import AuthLevel
from bindings.signatures import layers_of

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultyFunction:
    """A decorated function that cannot be declared, and why."""

    name: str
    error: FunctionDefinitionError


class FunctionDecorators:
    """The decorators, and the notes they take. Use a `FunctionApp` or a `Blueprint`."""

    def __init__(self) -> None:
        self._drafts: dict[int, Draft] = {}

    def function_name(self, name: str) -> Callable[[F], F]:
        """Give the function another name than its Python one."""
        _check_called(name, "function_name")

        def decorate(function: F) -> F:
            self._draft(function).name = name
            return function

        return decorate

    def orchestration_trigger(
        self, context_name: str | None = None, orchestration: str | None = None
    ) -> Callable[[F], F]:
        """Make the function an orchestrator, named `orchestration` if given."""
        _check_called(context_name, "orchestration_trigger")
        return self._trigger(ORCHESTRATION_TRIGGER, context_name, orchestration=orchestration)

    def activity_trigger(
        self,
        input_name: str | None = None,
        activity: str | None = None,
        *,
        at_most_once: bool | None = None,
    ) -> Callable[[F], F]:
        """Make the function an activity, named `activity` if given.

        Activities run at least once: after a crash they run again. With `at_most_once` the start is
        recorded before it happens, and after a crash the activity fails with `ActivityLostError`
        instead; its retry policy does not apply to that failure.
        """
        _check_called(input_name, "activity_trigger")
        return self._trigger(
            ACTIVITY_TRIGGER, input_name, activity=activity, atMostOnce=at_most_once
        )

    def orchestration_client(
        self,
        client_name: str | None = None,
        task_hub: str | None = None,
        connection_name: str | None = None,
    ) -> Callable[[F], F]:
        """Give the function a `DurableClient`."""
        _check_called(client_name, "orchestration_client")
        return self._adding(
            ORCHESTRATION_CLIENT,
            Direction.IN,
            client_name,
            taskHub=task_hub,
            connectionName=connection_name,
        )

    durable_client_input = orchestration_client

    def route(
        self,
        route: str | None = None,
        trigger_arg_name: str | None = None,
        binding_arg_name: str = RETURN,
        methods: Sequence[str] | str | None = None,
        auth_level: AuthLevel | str | None = None,
    ) -> Callable[[F], F]:
        """Run the function for HTTP requests; `route` defaults to its name, methods to all."""
        _check_called(route, "route")
        trigger = self._trigger(
            HTTP_TRIGGER, trigger_arg_name, route=route, methods=methods, authLevel=auth_level
        )
        output = self._adding(HTTP, Direction.OUT, binding_arg_name)
        return lambda function: output(trigger(function))

    def generic_trigger(
        self,
        arg_name: str,
        type: str,  # noqa: A002 - function.json's word
        data_type: str | None = None,
        **properties: Any,
    ) -> Callable[[F], F]:
        """Add a trigger of any type, with its function.json properties."""
        return self._trigger(type, arg_name, dataType=data_type, **properties)

    def generic_input_binding(
        self,
        arg_name: str,
        type: str,  # noqa: A002 - function.json's word
        data_type: str | None = None,
        **properties: Any,
    ) -> Callable[[F], F]:
        """Add an input binding of any type, with its function.json properties."""
        return self._adding(type, Direction.IN, arg_name, dataType=data_type, **properties)

    def generic_output_binding(
        self,
        arg_name: str,
        type: str,  # noqa: A002 - function.json's word
        data_type: str | None = None,
        **properties: Any,
    ) -> Callable[[F], F]:
        """Add an output binding of any type, with its function.json properties."""
        return self._adding(type, Direction.OUT, arg_name, dataType=data_type, **properties)

    def _trigger(self, kind: str, name: str | None, **properties: Any) -> Callable[[F], F]:
        return self._adding(kind, Direction.IN, name, **properties)

    def _adding(
        self, kind: str, direction: Direction, name: str | None, **properties: Any
    ) -> Callable[[F], F]:
        binding = DraftBinding(type=kind, direction=direction, name=name, properties=properties)

        def decorate(function: F) -> F:
            self._draft(function).bindings.append(binding)
            return function

        return decorate

    def _draft(self, function: Callable[..., Any]) -> Draft:
        """The notes on this function, or on the one that it wraps."""
        if not callable(function):
            raise FunctionDefinitionError(
                f"A function decorator stands before {function!r}, which is not a function."
            )
        known = (id(layer) for layer in layers_of(function) if id(layer) in self._drafts)
        draft = self._drafts.pop(next(known, 0), None) or Draft(function)
        draft.function = function
        self._drafts[id(function)] = draft
        return draft

    def drafts(self) -> Iterator[Draft]:
        """The notes taken so far, one draft per function."""
        yield from self._drafts.values()


class Blueprint(FunctionDecorators):
    """Functions of another module, for `FunctionApp.register_functions`."""


class FunctionApp(FunctionDecorators):
    """The functions of one app. `function_app.py` holds exactly one, at module level."""

    def __init__(self, http_auth_level: AuthLevel | str = AuthLevel.FUNCTION) -> None:
        super().__init__()
        self.http_auth_level = http_auth_level
        self._blueprints: list[Blueprint] = []

    def register_functions(self, blueprint: Blueprint) -> None:
        """Take in the functions of a blueprint, also those it gets later."""
        if not isinstance(blueprint, Blueprint):
            raise TypeError(
                f"register_functions takes a Blueprint, not {type(blueprint).__name__}: "
                "an app has one FunctionApp, all other modules use blueprints."
            )
        self._blueprints.append(blueprint)

    register_blueprint = register_functions

    def declarations(self) -> tuple[FunctionDeclaration | FaultyFunction, ...]:
        """Every function of the app, each either declared or with what is wrong with it."""
        taken: set[str] = set()
        return tuple(self._declared(draft, taken) for draft in self.drafts())

    def get_functions(self) -> tuple[FunctionDeclaration, ...]:
        """The functions of the app. Raises `FunctionDefinitionError` with all that is wrong."""
        found = self.declarations()
        problems = [f"{x.name}: {x.error}" for x in found if isinstance(x, FaultyFunction)]
        if problems:
            raise FunctionDefinitionError("\n".join(problems))
        return tuple(each for each in found if isinstance(each, FunctionDeclaration))

    def _declared(self, draft: Draft, taken: set[str]) -> FunctionDeclaration | FaultyFunction:
        try:
            declaration = draft.declare(self.http_auth_level)
            if declaration.name.lower() in taken:
                raise FunctionDefinitionError(
                    f"Another function has the name '{declaration.name}', too (names are compared "
                    "without regard to case): rename one, or use function_name."
                )
        except FunctionDefinitionError as error:
            return FaultyFunction(name=draft.shown_name, error=error)
        taken.add(declaration.name.lower())
        return declaration

    def drafts(self) -> Iterator[Draft]:
        """The app's own drafts, then those of its blueprints."""
        yield from super().drafts()
        for blueprint in self._blueprints:
            yield from blueprint.drafts()


def _check_called(argument: object, decorator: str) -> None:
    """Tell `@app.route` from `@app.route(...)`: without the call the function would get lost."""
    if callable(argument):
        raise FunctionDefinitionError(
            f"Write @app.{decorator}() with parentheses: without them it decorates nothing."
        )
