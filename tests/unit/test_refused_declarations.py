"""Declarations that cannot be: each is refused with a message that says what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

import pytest

from bindings import (
    DurableClient,
    FunctionApp,
    FunctionDefinitionError,
    HttpRequest,
    OrchestrationContext,
)
from bindings.app import FaultyFunction


def error_of(app: FunctionApp) -> str:
    with pytest.raises(FunctionDefinitionError) as caught:
        app.get_functions()
    return str(caught.value)


def test_two_triggers_are_one_too_many() -> None:
    app = FunctionApp()

    @app.route()
    @app.activity_trigger()
    def both(req: object) -> None: ...

    assert "2 triggers (activityTrigger, httpTrigger)" in error_of(app)


def test_an_unknown_argument_name_is_told_which_there_are() -> None:
    app = FunctionApp()

    @app.route()
    @app.orchestration_client("clint")
    async def start(req: HttpRequest, client: DurableClient) -> None: ...

    assert "'clint', but the function's parameters are (req, client)" in error_of(app)


def test_a_client_without_a_parameter_is_refused() -> None:
    app = FunctionApp()

    @app.route()
    @app.orchestration_client()
    async def start(req: HttpRequest) -> None: ...

    assert "'client', but the function's parameters are (req)" in error_of(app)


def test_a_parameter_that_nothing_gives_a_value_is_refused() -> None:
    app = FunctionApp()

    @app.route()
    def start(req: HttpRequest, more: str) -> None: ...

    assert "No binding gives a value for the parameter 'more'" in error_of(app)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            "eventHubTrigger",
            "only HTTP, timer",
        ),
        ("cosmosDB", "there is no such binding: use the service's own library, in an activity"),
    ],
)
def test_a_type_of_azures_is_told_what_to_do_instead(kind: str, said: str) -> None:
    app = FunctionApp()

    @app.generic_trigger("item", kind)
    def takes(item: object) -> None: ...

    assert f"The binding type '{kind}' is not supported ({said}" in error_of(app)


def test_a_parameter_for_a_part_of_the_route_is_told_where_to_read_it() -> None:
    app = FunctionApp()

    @app.route("z/{id:int?}")
    def start(req: HttpRequest, id: str) -> None: ...  # noqa: A002 - as in the route

    assert 'read the path\'s from req.route_params["id"]' in error_of(app)


def test_an_orchestrator_cannot_be_an_async_generator() -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def hello(context: OrchestrationContext) -> AsyncIterator[int]:
        yield 1

    assert "write `await` where `yield` stands" in error_of(app)


def test_an_activity_cannot_be_a_generator() -> None:
    app = FunctionApp()

    @app.activity_trigger()
    def numbers(limit: int) -> Generator[int, None, None]:
        yield limit

    assert "return the values" in error_of(app)


def test_an_orchestrator_has_no_other_bindings() -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    @app.orchestration_client()
    async def hello(context: OrchestrationContext) -> None: ...

    assert "cannot have other bindings (orchestrationClient)" in error_of(app)


def test_an_orchestrator_takes_one_or_two_arguments() -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    def none() -> None: ...

    @app.orchestration_trigger()
    def three(context: OrchestrationContext, a: int, b: int) -> None: ...

    @app.orchestration_trigger("context")
    def late(a: int, context: OrchestrationContext) -> None: ...

    lines = error_of(app).splitlines()
    assert lines[0].startswith("none: An orchestrator takes (context) or (context, input)")
    assert lines[1].startswith("three: An orchestrator takes (context) or (context, input)")
    assert lines[2].startswith("late: The context is named 'context', but the first parameter")


def test_http_properties_are_checked() -> None:
    app = FunctionApp()
    for name, decorator in {
        "a": app.route("admin/x"),
        "b": app.route("/Runtime/x"),
        "c": app.route(methods="FETCH"),
        "d": app.route(auth_level="secret"),
    }.items():
        namespace: dict[str, Any] = {}
        exec(f"def {name}(req): ...", namespace)
        decorator(namespace[name])

    lines = error_of(app).splitlines()
    assert ["admin" in lines[0], "Runtime" in lines[1]] == [True, True]
    assert "'FETCH' does not exist; use GET" in lines[2]
    assert "'secret' does not exist; it is one of anonymous" in lines[3]


def test_an_unsupported_binding_type_is_told_which_there_are() -> None:
    app = FunctionApp()

    @app.generic_trigger("fax", "faxTrigger")
    def receive(fax: str) -> None: ...

    assert "'faxTrigger' is not supported. Supported types: orchestrationTrigger" in error_of(app)


@pytest.mark.parametrize("name", ["1st", "host", "a b", "x" * 129, "_private"])
def test_impossible_names_are_refused(name: str) -> None:
    app = FunctionApp()

    @app.function_name(name)
    @app.activity_trigger()
    def function() -> None: ...

    assert "cannot be a function's name" in error_of(app)


def test_found_h13_an_input_that_would_get_lost_is_refused() -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def lossy(context: OrchestrationContext, *args: int) -> None: ...

    assert "input would get lost in (context, args)" in error_of(app)


@pytest.mark.parametrize("annotated", [False, True])
def test_found_h13_a_context_that_comes_second_is_refused(annotated: bool) -> None:
    app = FunctionApp()

    async def plain(n, context) -> None: ...  # type: ignore[no-untyped-def]

    async def typed(n: int, ctx: OrchestrationContext) -> None: ...

    app.orchestration_trigger()(typed if annotated else plain)
    assert "The context comes first" in error_of(app)


def test_found_h13_a_method_without_an_instance_is_refused() -> None:
    app = FunctionApp()

    class Service:
        @app.activity_trigger()
        def run(self, name: str) -> str:
            return name

        @app.route("x")
        def answer(self, req: HttpRequest) -> str:
            return ""

    error = error_of(app)
    assert "run: " in error
    assert "answer: " in error
    assert error.count("is a method of a class: decorate a plain function") == 2


def test_found_h13_a_method_of_an_instance_is_taken() -> None:
    app = FunctionApp()

    class Service:
        def run(self, name: str) -> str:
            return name

    app.activity_trigger()(Service().run)
    assert [each.name for each in app.get_functions()] == ["run"]


@pytest.mark.parametrize(
    ("decorate", "said"),
    [
        (lambda app: app.function_name(5), "The name in function_name must be a text, not 5"),
        (lambda app: app.function_name(""), "The name in function_name must be a text, not an"),
        (lambda app: app.activity_trigger(5), "must be a text, not 5 (int)"),
        (lambda app: app.activity_trigger(activity=True), "'activity' must be a text, not True"),
        (lambda app: app.generic_trigger(arg_name=5, type=7), "The type of a binding must be a"),
        (lambda app: app.generic_trigger("name", None), "The type of a binding must be a text"),
        (lambda app: app.generic_trigger("name", ""), "The type of a binding must be a text"),
        (lambda app: app.generic_trigger(["a"], "manualTrigger"), "must be a text, not ['a']"),
        (lambda app: app.generic_input_binding("a", 5), "The type of a binding must be a text"),
        (lambda app: app.generic_output_binding(b"a", "http"), "must be a text, not b'a'"),
        (lambda app: app.add_binding("http", 5, "a"), "The direction of the http binding"),
        (lambda app: app.route(5), "The route must be a text, not 5"),
        (lambda app: app.route("x", trigger_arg_name=5), "must be a text, not 5"),
        (lambda app: app.route("x", binding_arg_name=5), "must be a text, not 5"),
        (lambda app: app.route("x", methods=5), "The methods must be a list"),
        (lambda app: app.route("x", methods=[5]), "The HTTP method '5' does not exist"),
        (lambda app: app.route("x", auth_level=5), "The auth level '5' does not exist"),
        (lambda app: app.orchestration_client(5), "must be a text, not 5"),
        (lambda app: app.orchestration_trigger(5), "must be a text, not 5"),
        (lambda app: app.orchestration_trigger(None, 5), "'orchestration' must be a text"),
    ],
)
def test_a_decorators_argument_that_is_no_text_breaks_only_its_function(
    decorate: Callable[[FunctionApp], Callable[[Any], Any]], said: str
) -> None:
    app = FunctionApp()

    @app.activity_trigger()
    def works(name: str) -> None: ...

    @decorate(app)
    def broken(name: str) -> None: ...

    good, bad = app.declarations()
    assert good.name == "works"
    assert isinstance(bad, FaultyFunction)
    assert (bad.name, said in str(bad.error)) == ("broken", True), bad.error
