"""Decorators: what they note down, which names they find, what they refuse."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from bindings import (
    AuthLevel,
    Blueprint,
    DurableClient,
    FunctionApp,
    FunctionContext,
    FunctionDefinitionError,
    HttpRequest,
    OrchestrationContext,
)
from bindings.app import FaultyFunction
from bindings.functions import Direction, FunctionDeclaration

if TYPE_CHECKING:
    from decimal import Decimal  # a name that does not exist when the program runs


def only(app: FunctionApp) -> FunctionDeclaration:
    (declaration,) = app.get_functions()
    return declaration


def error_of(app: FunctionApp) -> str:
    with pytest.raises(FunctionDefinitionError) as caught:
        app.get_functions()
    return str(caught.value)


def test_a_decorated_function_is_the_very_same_plain_function() -> None:
    app = FunctionApp()

    def say_hello(name: str) -> str:
        return f"Hello {name}!"

    before = dict(vars(say_hello))
    decorated = app.activity_trigger()(say_hello)

    assert decorated is say_hello
    assert decorated("Tokyo") == "Hello Tokyo!"
    assert vars(say_hello) == before


def test_the_first_parameter_is_the_context_of_an_orchestrator() -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def hello(ctx: OrchestrationContext, cities: list[str]) -> None: ...

    declaration = only(app)
    assert (declaration.name, declaration.function) == ("hello", hello)
    assert (declaration.trigger.type, declaration.trigger.name) == ("orchestrationTrigger", "ctx")


def test_the_first_parameter_is_the_input_of_an_activity() -> None:
    app = FunctionApp()

    @app.activity_trigger()
    def say(city: str) -> str:
        return city

    assert only(app).trigger.name == "city"


def test_an_activity_may_take_nothing() -> None:
    app = FunctionApp()

    @app.activity_trigger()
    def tick() -> int:
        return 1

    assert only(app).trigger.type == "activityTrigger"


def test_the_trigger_may_give_the_function_its_durable_name() -> None:
    app = FunctionApp()

    @app.orchestration_trigger(orchestration="Orders")
    def one(context: OrchestrationContext) -> None: ...

    @app.activity_trigger(activity="Pay")
    @app.function_name("ignored")
    def two(order: str) -> None: ...

    assert [each.name for each in app.get_functions()] == ["Orders", "Pay"]


@pytest.mark.parametrize("is_client_first", [True, False])
def test_decorators_of_one_function_stand_in_any_order(is_client_first: bool) -> None:
    app = FunctionApp()

    async def start(req: HttpRequest, client: DurableClient) -> None: ...

    decorators: list[Callable[[Callable[..., Any]], Callable[..., Any]]] = [
        app.orchestration_client("client"),
        app.route("start", methods=["post"]),
        app.function_name("Start"),
    ]
    function: Callable[..., Any] = start
    for decorate in decorators if is_client_first else reversed(decorators):
        function = decorate(function)

    declaration = only(app)
    assert declaration.name == "Start"
    assert declaration.trigger.properties == {
        "route": "start",
        "methods": ["POST"],
        "authLevel": "function",
    }
    assert {(each.type, each.name) for each in declaration.bindings} == {
        ("orchestrationClient", "client"),
        ("http", "$return"),
    }


def test_a_foreign_decorator_in_between_does_not_split_the_function() -> None:
    app = FunctionApp()

    def logged(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    @app.route()
    @logged
    @app.orchestration_client()
    async def start(req: HttpRequest, client: DurableClient) -> None: ...

    declaration = only(app)
    assert declaration.function is start
    assert {each.type for each in declaration.bindings} == {"orchestrationClient", "http"}


def test_the_client_is_found_by_its_annotation() -> None:
    app = FunctionApp()

    @app.route()
    @app.orchestration_client()
    async def start(durable: DurableClient, request: HttpRequest) -> None: ...

    declaration = only(app)
    assert declaration.trigger.name == "request"
    assert declaration.bindings[0].name == "durable"


def test_an_annotation_that_does_not_exist_at_run_time_hides_no_other() -> None:
    app = FunctionApp()

    @app.route()
    @app.orchestration_client()
    async def start(amount: HttpRequest, durable: DurableClient, rest: Decimal = 0) -> None:  # type: ignore[assignment]  # only the name matters
        ...

    declaration = only(app)
    assert (declaration.trigger.name, declaration.bindings[0].name) == ("amount", "durable")


@pytest.mark.parametrize("name", ["client", "starter", "durable_client"])
def test_the_client_is_found_by_its_customary_name(name: str) -> None:
    app = FunctionApp()
    namespace: dict[str, Any] = {}
    exec(f"def start({name}, req, extra=None): ...", namespace)
    app.route()(app.orchestration_client()(namespace["start"]))

    declaration = only(app)
    assert (declaration.trigger.name, declaration.bindings[0].name) == ("req", name)


def test_the_client_takes_the_only_parameter_that_is_left() -> None:
    app = FunctionApp()

    @app.route()
    @app.durable_client_input()
    async def start(request, hub) -> None:  # type: ignore[no-untyped-def]  # nothing to go by
        ...

    declaration = only(app)
    assert (declaration.trigger.name, declaration.bindings[0].name) == ("request", "hub")


def test_an_http_function_may_ignore_its_request_and_ask_for_its_context() -> None:
    app = FunctionApp(http_auth_level="ANONYMOUS")

    @app.route(auth_level=AuthLevel.ADMIN)
    def one() -> str:
        return "1"

    @app.route("/two/")
    def two(context: FunctionContext) -> str:
        return context.function_name

    first, second = app.get_functions()
    assert first.trigger.properties == {"route": "one", "authLevel": "admin"}
    assert second.trigger.properties == {"route": "two", "authLevel": "anonymous"}


def test_generic_bindings_take_any_supported_type_in_any_case() -> None:
    app = FunctionApp()

    @app.generic_trigger("data", "MANUALTRIGGER")
    @app.generic_input_binding("reader", "durableclient", taskHub="Other")
    @app.generic_output_binding("starter", "OrchestrationClient")
    def run(data: str, reader: DurableClient, starter: object) -> None: ...

    declaration = only(app)
    assert declaration.trigger.type == "manualTrigger"
    assert [(each.type, each.direction) for each in declaration.bindings] == [
        ("orchestrationClient", Direction.OUT),
        ("durableClient", Direction.IN),
    ]
    assert declaration.bindings[1].properties == {"taskHub": "Other"}


def test_an_app_has_the_functions_of_its_blueprints_also_later_ones() -> None:
    app, blueprint = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS), Blueprint()
    app.register_functions(blueprint)

    @blueprint.route()
    def late() -> None: ...

    assert only(app).trigger.properties["authLevel"] == "anonymous"


def test_an_app_cannot_be_registered_as_a_blueprint() -> None:
    with pytest.raises(TypeError, match="Blueprint"):
        FunctionApp().register_blueprint(FunctionApp())  # type: ignore[arg-type]  # the mistake


def test_a_decorator_without_parentheses_says_so() -> None:
    app = FunctionApp()
    with pytest.raises(FunctionDefinitionError, match="with parentheses"):

        @app.activity_trigger  # type: ignore[arg-type]  # the mistake
        def say(city: str) -> str:
            return city


def test_one_bad_function_does_not_hide_the_others() -> None:
    app = FunctionApp()

    @app.function_name("lost")
    def no_trigger() -> None: ...

    @app.activity_trigger()
    def fine() -> None: ...

    bad, good = app.declarations()
    assert isinstance(bad, FaultyFunction)
    assert (bad.name, "no trigger" in str(bad.error)) == ("lost", True)
    assert isinstance(good, FunctionDeclaration)


def test_names_are_unique_without_regard_to_case() -> None:
    app = FunctionApp()

    @app.activity_trigger()
    def pay() -> None: ...

    @app.function_name("PAY")
    @app.activity_trigger()
    def other() -> None: ...

    first, second = app.declarations()
    assert isinstance(first, FunctionDeclaration)
    assert isinstance(second, FaultyFunction)
    assert "Another function has the name 'PAY'" in str(second.error)
