"""The decorators that make functions out of plain Python functions.

A decorator only takes notes: it returns the very function it got and changes nothing of it, so
decorated functions can be imported, called and tested like any other. Decorators of one function
may stand in any order. Everything is checked when the host asks for the declarations, so one
mistake never hides the other functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bindings import azure_names
from bindings.declaring import are_told_apart
from bindings.drafts import Draft, DraftBinding
from bindings.errors import FunctionDefinitionError
from bindings.function_retry import timespan_text
from bindings.functions import Direction, FunctionDeclaration
from bindings.http import AuthLevel
from bindings.kinds.activity import ActivityDecorators
from bindings.kinds.blob import BlobDecorators
from bindings.kinds.decorating import F, check_called
from bindings.kinds.durable_client import ClientDecorators
from bindings.kinds.entity import EntityDecorators
from bindings.kinds.http import HttpDecorators
from bindings.kinds.orchestration import OrchestrationDecorators
from bindings.kinds.queue import QueueDecorators
from bindings.kinds.queue_output import QueueOutputDecorators
from bindings.kinds.registry import KINDS
from bindings.kinds.table import TableDecorators
from bindings.kinds.timer import TimerDecorators
from bindings.kinds.warmup import WarmupDecorators
from bindings.shown_values import shown_value
from bindings.signatures import layers_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultyFunction:
    """A decorated function that cannot be declared, and why."""

    name: str
    error: FunctionDefinitionError


class FunctionDecorators(
    OrchestrationDecorators,
    ActivityDecorators,
    EntityDecorators,
    ClientDecorators,
    HttpDecorators,
    TimerDecorators,
    BlobDecorators,
    QueueDecorators,
    QueueOutputDecorators,
    WarmupDecorators,
    TableDecorators,
):
    """The decorators, and the notes they take. Use a `FunctionApp` or a `Blueprint`."""

    def __init__(self) -> None:
        self._drafts: dict[int, Draft] = {}

    def function_name(self, name: str) -> Callable[[F], F]:
        """Give the function another name than its Python one."""
        check_called(name, "function_name")

        def decorate(function: F) -> F:
            self._draft(function).name = name
            return function

        return decorate

    def retry(
        self,
        strategy: str,
        max_retry_count: int | str,
        delay_interval: str | timedelta | None = None,
        minimum_interval: str | timedelta | None = None,
        maximum_interval: str | timedelta | None = None,
    ) -> Callable[[F], F]:
        """Run the function again for the same trigger value when it has failed.

        `max_retry_count` tries follow the first one; -1 is for ever. With the `strategy`
        `fixed_delay` there are `delay_interval`s between them, with `exponential_backoff` delays
        that grow from `minimum_interval` to `maximum_interval`: `hh:mm:ss`, at most a day.
        `%NAME%` stands for an app setting. It is for functions that a listener triggers, such as
        timers; activities have the `retry_policy` of their call.
        """
        check_called(strategy, "retry")
        intervals = {
            "delayInterval": delay_interval,
            "minimumInterval": minimum_interval,
            "maximumInterval": maximum_interval,
        }
        policy = {
            "strategy": strategy,
            "maxRetryCount": max_retry_count,
            **{
                name: timespan_text(each) if isinstance(each, timedelta) else each
                for name, each in intervals.items()
            },
        }

        def decorate(function: F) -> F:
            self._draft(function).retries.append(policy)
            return function

        return decorate

    if not TYPE_CHECKING:  # a checker would take every slip of the pen for such a decorator

        def __getattr__(self, name: str) -> Any:
            """The decorators of kinds that other packages add."""
            found = None if name.startswith("_") else KINDS.of_decorator(name)
            if found is None:
                holder = f"'{type(self).__name__}' object"
                raise azure_names.missing(holder, name, azure_names.APP, self)
            kind, direction = found

            def decorator(arg_name: str | None = None, **properties: Any) -> Callable[[F], F]:
                check_called(arg_name, name)
                given = {each.replace("_", ""): value for each, value in properties.items()}
                return self.add_binding(kind.type, direction, arg_name, **given)

            return decorator

    def generic_trigger(
        self,
        arg_name: str,
        type: str,  # noqa: A002 - function.json's word
        data_type: str | None = None,
        **properties: Any,
    ) -> Callable[[F], F]:
        """Add a trigger of any type, with its function.json properties."""
        return self.add_binding(type, Direction.IN, arg_name, dataType=data_type, **properties)

    def generic_input_binding(
        self,
        arg_name: str,
        type: str,  # noqa: A002 - function.json's word
        data_type: str | None = None,
        **properties: Any,
    ) -> Callable[[F], F]:
        """Add an input binding of any type, with its function.json properties."""
        return self.add_binding(type, Direction.IN, arg_name, dataType=data_type, **properties)

    def generic_output_binding(
        self,
        arg_name: str,
        type: str,  # noqa: A002 - function.json's word
        data_type: str | None = None,
        **properties: Any,
    ) -> Callable[[F], F]:
        """Add an output binding of any type, with its function.json properties."""
        return self.add_binding(type, Direction.OUT, arg_name, dataType=data_type, **properties)

    def add_binding(
        self, type_name: str, direction: Direction, name: str | None, **properties: Any
    ) -> Callable[[F], F]:
        """A decorator that notes down a binding. Without a name, its parameter is looked for."""
        binding = DraftBinding(
            type=type_name, direction=direction, name=name, properties=properties
        )

        def decorate(function: F) -> F:
            self._draft(function).bindings.append(binding)
            return function

        return decorate

    def _draft(self, function: Callable[..., Any]) -> Draft:
        """The notes on this function, or on the one that it wraps."""
        if not callable(function):
            raise FunctionDefinitionError(
                f"A function decorator stands before {shown_value(function)}, which is not a "
                "function."
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

    def __init__(self) -> None:
        super().__init__()
        self.is_registered = False
        """Whether an app has taken it in: else nobody runs its functions."""


class FunctionApp(FunctionDecorators):
    """The functions of one app. `function_app.py` holds exactly one, at module level."""

    def __init__(self, http_auth_level: AuthLevel | str = AuthLevel.FUNCTION) -> None:
        super().__init__()
        self.http_auth_level = http_auth_level
        self._blueprints: list[Blueprint] = []

    def register_functions(self, blueprint: Blueprint) -> None:
        """Take in the functions of a blueprint, also those it gets later; a second time is none."""
        if not isinstance(blueprint, Blueprint):
            raise TypeError(
                f"register_functions takes a Blueprint, not {type(blueprint).__name__}: "
                "an app has one FunctionApp, all other modules use blueprints."
            )
        if not any(each is blueprint for each in self._blueprints):
            self._blueprints.append(blueprint)
        blueprint.is_registered = True

    register_blueprint = register_functions

    def declarations(self) -> tuple[FunctionDeclaration | FaultyFunction, ...]:
        """Every function of the app, each either declared or with what is wrong with it."""
        taken: dict[str, list[FunctionDeclaration]] = {}
        return tuple(self._declared(draft, taken) for draft in self.drafts())

    def get_functions(self) -> tuple[FunctionDeclaration, ...]:
        """The functions of the app. Raises `FunctionDefinitionError` with all that is wrong."""
        found = self.declarations()
        problems = [f"{x.name}: {x.error}" for x in found if isinstance(x, FaultyFunction)]
        if problems:
            raise FunctionDefinitionError("\n".join(problems))
        return tuple(each for each in found if isinstance(each, FunctionDeclaration))

    def _declared(
        self, draft: Draft, taken: dict[str, list[FunctionDeclaration]]
    ) -> FunctionDeclaration | FaultyFunction:
        try:
            declaration = draft.declare(self.http_auth_level)
            namesakes = taken.setdefault(declaration.name.lower(), [])
            if not all(are_told_apart(each, declaration) for each in namesakes):
                raise FunctionDefinitionError(
                    f"Another function has the name '{declaration.name}', too (names are compared "
                    "without regard to case): rename one, or use function_name."
                )
        except FunctionDefinitionError as error:
            return FaultyFunction(name=draft.shown_name, error=error)
        namesakes.append(declaration)
        return declaration

    def drafts(self) -> Iterator[Draft]:
        """The app's own drafts, then those of its blueprints."""
        yield from super().drafts()
        for blueprint in self._blueprints:
            yield from blueprint.drafts()
