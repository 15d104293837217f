"""A catalog of plain functions, each under its own name: no app, no decorators, no loader."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from bindings.context import OrchestrationContext
from bindings.errors import InvalidArgumentError
from bindings.kinds.records import Role
from host.core.functions import ActivityFunction, FunctionCatalog, OrchestratorFunction
from host.functions.orchestrators import result_type_of

Function: TypeAlias = Callable[..., Any]


class PlainCatalog(FunctionCatalog):
    """Plain functions under their own names."""

    def __init__(self, orchestrators: Iterable[Function], activities: Iterable[Function] = ()):
        self.functions = {each.__name__: each for each in (*orchestrators, *activities)}
        self._orchestrators = {each.__name__: _orchestrator(each) for each in orchestrators}
        self._activities = {
            each.__name__: ActivityFunction(name=each.__name__, result_type=result_type_of(each))
            for each in activities
        }

    def orchestrator(self, name: str, version: str | None = None) -> OrchestratorFunction | None:
        return self._orchestrators.get(name)

    def activity(self, name: str) -> ActivityFunction | None:
        return self._activities.get(name)

    def orchestrator_names(self) -> Sequence[str]:
        return sorted(self._orchestrators)

    def name_of(self, function: Function | str, role: Role) -> str:
        if isinstance(function, str):
            return function
        if self.functions.get(function.__name__) is not function:
            raise InvalidArgumentError(f"{function.__name__} is not registered.")
        return function.__name__


def _orchestrator(function: Function) -> OrchestratorFunction:
    takes_input = len(inspect.signature(function).parameters) > 1

    def start(context: OrchestrationContext) -> Any:
        return function(context, context.get_input()) if takes_input else function(context)

    return OrchestratorFunction(
        name=function.__name__, start=start, result_type=result_type_of(function)
    )
