"""The app that can change: which version is asked, and what is left of former ones."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bindings import FunctionApp, InvalidArgumentError, OrchestrationContext
from bindings.kinds import BindingKind, Output, Place, Taker
from bindings.kinds.records import Role
from bindings.kinds.registry import KINDS
from host.core.converter import Converter
from host.functions.catalog import Catalog
from host.functions.model import App, HostFunction
from host.functions.registry import AppVersion, FunctionRegistry, plan_calls


def fails(_: Place) -> Taker:
    raise OSError("no such queue")


KINDS.add(BindingKind(type="faultyOutput", about="nothing", output=Output(take=fails)))


def app_of(app: FunctionApp) -> App:
    return App(
        functions=tuple(
            HostFunction(name=each.name, declaration=each, directory=Path())
            for each in app.get_functions()
        )
    )


def version_of(app: FunctionApp) -> AppVersion[str]:
    found, plans = plan_calls(app_of(app))
    catalog = Catalog(found, Converter())
    return AppVersion(app=found, catalog=catalog, routes="", plans=plans)


def durable(*names: str) -> tuple[FunctionApp, dict[str, Callable[..., Any]]]:
    """An app with orchestrators of these names."""
    app, functions = FunctionApp(), {}
    for name in names:

        async def led(context: OrchestrationContext) -> None: ...

        functions[name] = app.orchestration_trigger(orchestration=name)(led)
    return app, functions


def test_a_registry_is_the_catalog_of_the_version_that_counts() -> None:
    registry = FunctionRegistry(version_of(durable("one", "both")[0]))
    before = registry.current()
    registry.swap(version_of(durable("two", "both")[0]))

    assert registry.orchestrator_names() == ["both", "two"]
    assert registry.orchestrator("one") is None
    assert registry.orchestrator("TWO") is not None
    assert before.orchestrator_names() == ["both", "one"]


def test_functions_of_a_former_version_are_known_as_long_as_somebody_has_them() -> None:
    first, functions = durable("one")
    registry = FunctionRegistry(version_of(first))
    del first
    registry.swap(version_of(durable("one")[0]))
    registry.swap(version_of(durable("two")[0]))

    assert registry.name_of(functions["one"], Role.ORCHESTRATOR) == "one"
    left = weakref.ref(functions.pop("one"))
    gc.collect()
    assert left() is None


def test_a_function_of_no_version_is_unknown() -> None:
    registry = FunctionRegistry(version_of(durable("one")[0]))
    strangers: list[Any] = [lambda: None, [], 5]
    for stranger in strangers:
        with pytest.raises(InvalidArgumentError):
            registry.name_of(stranger, Role.ACTIVITY)


def test_a_call_is_planned_once_for_each_version() -> None:
    app = FunctionApp()

    @app.route()
    def answer(req: object) -> str:
        return "yes"

    registry = FunctionRegistry(version_of(app))
    (before,) = registry.version.app.functions
    assert registry.plan_of(before) is registry.plan_of(before)

    registry.swap(version_of(app))
    (after,) = registry.version.app.functions
    assert registry.plan_of(after).function is after
    assert registry.plan_of(before).function is before


def test_a_function_whose_call_cannot_be_planned_is_broken_and_no_other() -> None:
    app = FunctionApp()

    @app.generic_trigger("text", "manualTrigger")
    @app.generic_output_binding("$return", "faultyOutput")
    def bad(text: str) -> str:
        return text

    @app.generic_trigger("text", "manualTrigger")
    def good(text: str) -> str:
        return text

    found, plans = plan_calls(app_of(app))
    assert [each.name for each in found.functions] == list(plans) == ["good"]
    (broken,) = found.broken
    assert (broken.name, broken.error) == (
        "bad",
        "The code of the binding type 'faultyOutput' failed: OSError: no such queue",
    )


def test_followers_hear_of_each_change() -> None:
    registry = FunctionRegistry(version_of(durable("one")[0]))
    heard: list[list[str]] = []
    registry.follow(lambda: heard.append(list(registry.orchestrator_names())))
    registry.swap(version_of(durable("two")[0]))
    assert heard == [["two"]]
