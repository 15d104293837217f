"""Invoking functions: what they receive, where they run, what becomes of their outputs."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bindings import (
    DurableClient,
    FunctionApp,
    FunctionContext,
    HttpRequest,
    HttpResponse,
    InstanceAlreadyExistsError,
    InvalidArgumentError,
    OrchestrationContext,
    Out,
    SerializationError,
)
from host.core.converter import Converter
from host.functions.invocation import Invoker
from host.functions.model import HostFunction

REQUEST = HttpRequest(method="GET", url="http://localhost/api/x", body=b"body")


@dataclass
class Hub(DurableClient):
    """A client that only keeps what it is told to start; the id `taken` is."""

    starts: list[tuple[object, object, str | None]] = field(default_factory=list)

    async def schedule_new_orchestration(
        self,
        orchestrator: Callable[..., Any] | str,
        *,
        input: Any = None,  # noqa: A002 - the client's word
        instance_id: str | None = None,
        **_: Any,
    ) -> str:
        if instance_id == "taken":
            raise InstanceAlreadyExistsError(instance_id, "Running")
        self.starts.append((orchestrator, input, instance_id))
        return instance_id or "new"


Hub.__abstractmethods__ = frozenset()


@pytest.fixture
def hub() -> Hub:
    return Hub()  # type: ignore[abstract]  # see the class


async def invoke(app: FunctionApp, value: object, hub: Hub) -> object:
    (declaration,) = app.get_functions()
    function = HostFunction(
        name=declaration.name, declaration=declaration, directory=Path("/the/app")
    )
    invoker = Invoker(client=hub, converter=Converter())
    try:
        return await invoker.invoke(function, value)
    finally:
        invoker.stop()


async def test_an_async_function_runs_on_the_loop_with_request_and_client(hub: Hub) -> None:
    app = FunctionApp()

    @app.route()
    @app.orchestration_client("client")
    async def start(req: HttpRequest, client: DurableClient) -> HttpResponse:
        assert asyncio.get_running_loop()
        return HttpResponse(await client.schedule_new_orchestration("Hello", input=req.get_body()))

    assert await invoke(app, REQUEST, hub) == HttpResponse("new")
    assert hub.starts == [("Hello", b"body", None)]


async def test_a_plain_function_runs_in_a_thread_with_the_callers_context(hub: Hub) -> None:
    app = FunctionApp()
    variable = contextvars.ContextVar("variable", default="")
    variable.set("set by the caller")

    @app.route()
    def plain(req: HttpRequest) -> list[object]:
        return [threading.current_thread() is threading.main_thread(), variable.get(), req]

    assert await invoke(app, REQUEST, hub) == [False, "set by the caller", REQUEST]


async def test_an_async_function_under_a_plain_wrapper_is_awaited(hub: Hub) -> None:
    app = FunctionApp()

    def logged(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    @app.route()
    @logged
    async def start(req: HttpRequest) -> str:
        return req.method

    assert await invoke(app, REQUEST, hub) == "GET"


async def test_a_function_gets_its_own_identity_and_may_ignore_the_trigger(hub: Hub) -> None:
    app = FunctionApp()

    @app.route()
    def who(context: FunctionContext) -> FunctionContext:
        return context

    first = await invoke(app, REQUEST, hub)
    second = await invoke(app, REQUEST, hub)

    assert isinstance(first, FunctionContext)
    assert isinstance(second, FunctionContext)
    assert (first.function_name, first.function_directory) == ("who", "/the/app")
    assert first.invocation_id != second.invocation_id


async def test_the_http_output_may_be_a_parameter(hub: Hub) -> None:
    app = FunctionApp()

    @app.route(binding_arg_name="res")
    def answer(req: HttpRequest, res: Out[str]) -> str:
        res.set("from the output")
        return "ignored"

    assert await invoke(app, REQUEST, hub) == "from the output"


@pytest.mark.parametrize(
    ("value", "starts"),
    [
        (None, []),
        ([], []),
        ({"FunctionName": "A"}, [("A", None, None)]),
        (
            {"functionName": "A", "INPUT": {"x": 1}, "instanceid": "i"},
            [("A", {"x": 1}, "i")],
        ),
        (
            [{"FunctionName": "A", "Input": 0}, {"FunctionName": "B", "InstanceId": ""}],
            [("A", 0, None), ("B", None, None)],
        ),
        ('{"FunctionName": "A", "Input": "x"}', [("A", "x", None)]),
        ('[{"FunctionName": "A"}, {"FunctionName": "B"}]', [("A", None, None), ("B", None, None)]),
        (['{"FunctionName": "A"}'], [("A", None, None)]),
    ],
)
@pytest.mark.parametrize("is_returned", [True, False])
async def test_a_client_output_starts_orchestrations_in_order(
    hub: Hub, value: object, starts: list[object], is_returned: bool
) -> None:
    app = FunctionApp()

    def by_return(data: str) -> object:
        return value

    def by_parameter(data: str, starter: Out[object]) -> None:
        starter.set(value)

    name, function = ("$return", by_return) if is_returned else ("starter", by_parameter)
    output = app.generic_output_binding(name, "orchestrationClient")
    app.generic_trigger("data", "manualTrigger")(output(function))

    await invoke(app, "text", hub)

    assert hub.starts == starts


@pytest.mark.parametrize(
    ("type_name", "properties", "value", "why"),
    [
        ("queue", {"queueName": "{missing}"}, "a", "'missing'"),
        ("queue", {"queueName": "a.fifo", "messageGroupId": "{missing}"}, "a", "'missing'"),
        ("table", {"tableName": "{missing}", "partitionKey": "p"}, {"RowKey": "a"}, "'missing'"),
        ("table", {"tableName": "abc"}, {"RowKey": "a"}, "no 'PartitionKey'"),
        ("table", {"tableName": "abc", "partitionKey": "{missing}"}, {"RowKey": "a"}, "'missing'"),
        ("blob", {"path": "abc/{missing}"}, "a", "'missing'"),
        ("orchestrationClient", {}, {"Input": 1}, "output 'last'"),
    ],
)
async def test_what_is_wrong_with_an_output_is_found_before_another_one_is_sent(
    hub: Hub, type_name: str, properties: dict[str, str], value: object, why: str
) -> None:
    app = FunctionApp()

    def run(data: str, first: Out[Any], last: Out[Any]) -> None:
        first.set({"FunctionName": "A"})
        last.set(value)

    last = app.generic_output_binding("last", type_name, **properties)
    first = app.generic_output_binding("first", "orchestrationClient")
    app.generic_trigger("data", "manualTrigger")(first(last(run)))

    with pytest.raises(InvalidArgumentError, match=why):
        await invoke(app, "text", hub)
    assert hub.starts == []


@pytest.mark.parametrize(
    "value", ["text", 5, {"Input": 1}, {"FunctionName": 5}, [{"FunctionName": "A"}, None]]
)
async def test_a_client_output_that_says_nothing_to_start_is_an_error(
    hub: Hub, value: object
) -> None:
    app = FunctionApp()

    @app.generic_trigger("data", "manualTrigger")
    @app.generic_output_binding("$return", "orchestrationClient")
    def run(data: str) -> object:
        return value

    with pytest.raises(InvalidArgumentError, match=r"output '\$return'"):
        await invoke(app, "text", hub)
    assert hub.starts == []


async def test_a_start_that_is_refused_is_an_error_of_the_invocation(hub: Hub) -> None:
    app = FunctionApp()

    @app.generic_trigger("data", "manualTrigger")
    @app.generic_output_binding("$return", "durableClient")
    def run(data: str) -> object:
        ids = ("one", "taken", "three")
        return [{"FunctionName": "A", "InstanceId": each} for each in ids]

    with pytest.raises(InstanceAlreadyExistsError):
        await invoke(app, "text", hub)
    assert hub.starts == [("A", None, "one")]


async def test_the_manual_input_stays_a_text_unless_annotated_otherwise(hub: Hub) -> None:
    async def received(function: Callable[..., Any], value: object) -> object:
        app = FunctionApp()
        app.generic_trigger("data", "manualTrigger")(function)
        return await invoke(app, value, hub)

    def text(data: str) -> object:
        return data

    def maybe_text(data: str | None) -> object:
        return data

    def numbers(data: list[int]) -> object:
        return data

    def default(data: str = "default") -> object:
        return data

    def bare(data):  # type: ignore[no-untyped-def]  # the point of the test
        return data

    assert await received(text, "[1]") == "[1]"
    assert await received(bare, "[1]") == "[1]"
    assert await received(maybe_text, "[1]") == "[1]"
    assert await received(maybe_text, None) is None
    assert await received(numbers, "[1]") == [1]
    assert await received(default, None) == "default"
    with pytest.raises(SerializationError):
        await received(numbers, "many")


async def test_errors_of_the_function_reach_the_caller(hub: Hub) -> None:
    app = FunctionApp()

    @app.route()
    def fail(req: HttpRequest) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await invoke(app, REQUEST, hub)


@pytest.mark.parametrize(
    "error",
    [SystemExit(3), StopIteration("x"), KeyboardInterrupt(), asyncio.CancelledError()],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("is_async", [True, False])
async def test_a_function_cannot_end_the_host(
    hub: Hub, error: BaseException, is_async: bool
) -> None:
    app = FunctionApp()

    def plain(req: HttpRequest) -> None:
        raise error

    async def coroutine(req: HttpRequest) -> None:
        raise error

    app.route()(coroutine if is_async else plain)

    with pytest.raises(RuntimeError):
        await invoke(app, REQUEST, hub)


async def test_orchestrators_and_activities_are_not_invoked(hub: Hub) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    def hello(context: OrchestrationContext) -> None: ...

    with pytest.raises(InvalidArgumentError, match="start an orchestration instead"):
        await invoke(app, None, hub)
