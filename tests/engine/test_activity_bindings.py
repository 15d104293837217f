"""Activities with other bindings: what they are given, and what becomes of what they send."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from bindings import (
    DurableClient,
    FunctionApp,
    FunctionContext,
    FunctionDefinitionError,
    OrchestrationContext,
    OrchestrationState,
    Out,
    RetryPolicy,
    RuntimeStatus,
)
from bindings.functions import Direction
from bindings.kinds import BindingKind, Call, Giver, Input, Output, Place, Taker, template
from bindings.kinds.decorating import F
from bindings.kinds.registry import KINDS
from host.testing.environment import TestEnvironment


@dataclass(frozen=True)
class Sent:
    by: str
    to: str
    value: object
    repeat_id: str | None


sent: list[Sent] = []
failing: set[str] = set()


def take(place: Place) -> Taker:
    to = template(place.binding.properties.get("to", ""), "'to'")

    async def post(value: object, call: Call) -> None:
        addressee = to.render(call.data)
        if addressee in failing:
            failing.discard(addressee)
            raise OSError(f"nobody takes letters to {addressee}")
        sent.append(Sent(place.function_name, addressee, value, call.repeat_id))

    return post


def give(place: Place) -> Giver:
    of = template(place.binding.properties["of"], "'of'")

    async def read(call: Call) -> object:
        return f"the page {of.render(call.data)}"

    return read


KINDS.add(BindingKind(type="testLetter", about="a letter", output=Output(take=take)))


def give_and_close(place: Place) -> Giver:
    read = give(place)

    async def open_page(call: Call) -> object:
        name = place.function_name
        call.at_end.append(lambda: closed.append((name, len(sent))))
        call.at_end.append(do_not_close)
        call.at_end.append(lambda: closed.append((name, len(sent))))
        return await read(call)

    return open_page


def do_not_close() -> None:
    raise OSError("it does not close")


closed: list[tuple[str, int]] = []
KINDS.add(BindingKind(type="testPage", about="a page", input=Input(give=give)))
KINDS.add(
    BindingKind(
        type="testBook",
        about="a page that is written on",
        input=Input(give=give_and_close),
        output=Output(take=take),
        is_inout=True,
    )
)


@pytest.fixture(autouse=True)
def _no_letters() -> None:
    sent.clear()
    closed.clear()
    failing.clear()


def app_with(*activities: Any, tries: int = 1) -> FunctionApp:
    """An app whose orchestrator calls `work` with its input; `activities` decorate it."""
    app = FunctionApp()
    for decorate in activities:
        decorate(app)
    policy = RetryPolicy(first_retry_interval=timedelta(seconds=1), max_number_of_attempts=tries)

    @app.orchestration_trigger()
    def lead(context: OrchestrationContext) -> Generator[Any, Any, Any]:
        return (yield context.call_activity("work", context.get_input(), retry_policy=policy))

    return app


def letter(app: FunctionApp, name: str, to: str = "") -> Callable[[F], F]:
    return app.generic_output_binding(name, "testLetter", to=to)


@asynccontextmanager
async def done(app: FunctionApp, value: object) -> AsyncIterator[OrchestrationState]:
    async with TestEnvironment(app) as env:
        id_ = await env.client.schedule_new_orchestration("lead", input=value, instance_id="one")
        yield await env.client.wait_for_instance_completion(id_)


@pytest.mark.parametrize("is_async", [True, False])
async def test_an_activity_gets_its_inputs_and_sends_its_outputs_in_order(is_async: bool) -> None:
    def declare(app: FunctionApp) -> None:
        def work(order: dict[str, int], page: str, copy: Out[str], context: FunctionContext) -> str:
            assert context.function_name == "work"
            copy.set(f"copy of {page}")
            return f"{page}!"

        async def work_async(
            order: dict[str, int], page: str, copy: Out[str], context: FunctionContext
        ) -> str:
            return work(order, page, copy, context)

        function: Any = work_async if is_async else work
        for decorate in (
            letter(app, "$return", "{order.id}/{instanceId}"),
            letter(app, "copy", "{ID}"),
            app.generic_input_binding("page", "testPage", of="{id}"),
            app.activity_trigger("order"),
            app.function_name("work"),
        ):
            function = decorate(function)

    async with done(app_with(declare), {"id": 7}) as state:
        assert state.output == "the page 7!"
    assert [(each.by, each.to, each.value) for each in sent] == [
        ("work", "7/one", "the page 7!"),
        ("work", "7", "copy of the page 7"),
    ]


async def test_the_second_try_of_a_call_has_the_same_id_and_another_call_another() -> None:
    def declare(app: FunctionApp) -> None:
        @app.function_name("work")
        @app.activity_trigger("to")
        @letter(app, "$return", "first")
        @letter(app, "second", "{to}")
        def work(to: str, second: Out[str]) -> str:
            second.set("x")
            return "y"

    failing.add("first")
    async with done(app_with(declare, tries=3), "there") as state:
        assert state.runtime_status is RuntimeStatus.COMPLETED
    async with done(app_with(declare), "here"):
        pass
    ids = [each.repeat_id for each in sent]
    assert [each.to for each in sent] == ["there", "there", "first", "here", "first"]
    assert ids[0] == ids[1] == ids[2] != ids[3] == ids[4]


async def test_an_output_that_fails_fails_the_activity_and_none_after_it_is_sent() -> None:
    def declare(app: FunctionApp) -> None:
        @app.function_name("work")
        @app.activity_trigger("to")
        @letter(app, "$return", "after")
        @letter(app, "middle", "{to}")
        @letter(app, "before", "before")
        def work(to: str, before: Out[str], middle: Out[str]) -> str:
            return "y"

    failing.add("middle")
    async with done(app_with(declare), "middle") as state:
        assert state.runtime_status is RuntimeStatus.FAILED
        assert "nobody takes letters to middle" in str(state.output)
    assert [each.to for each in sent] == ["before"]


async def test_a_result_that_cannot_be_stored_sends_nothing() -> None:
    def declare(app: FunctionApp) -> None:
        @app.function_name("work")
        @app.activity_trigger("to")
        @letter(app, "$return", "there")
        def work(to: str) -> object:
            return object()

    async with done(app_with(declare), "x") as state:
        assert state.runtime_status is RuntimeStatus.FAILED
    assert not sent


async def test_a_name_without_a_value_fails_the_activity() -> None:
    def declare(app: FunctionApp) -> None:
        @app.function_name("work")
        @app.activity_trigger("to")
        @letter(app, "$return", "{missing}")
        def work(to: object) -> str:
            return "y"

    async with done(app_with(declare), {"id": 1}) as state:
        assert "No value for named parameter 'missing'" in str(state.output)


async def test_an_activity_may_have_a_client_and_several_inputs() -> None:
    def declare(app: FunctionApp) -> None:
        @app.function_name("work")
        @app.activity_trigger("a")
        @app.orchestration_client("client")
        async def work(a: int, client: DurableClient, b: int = 5) -> str:
            return f"{a + b} {(await client.get_instance('one')) is not None}"

    async with done(app_with(declare), [1, 2]) as state:
        assert state.output == "3 True"


async def test_an_activity_with_bindings_may_be_faked() -> None:
    def declare(app: FunctionApp) -> None:
        @app.function_name("work")
        @app.activity_trigger("to")
        @letter(app, "$return", "there")
        def work(to: str) -> str:
            return to

    async with TestEnvironment(app_with(declare), fakes={"work": "fake"}) as env:
        id_ = await env.client.schedule_new_orchestration("lead", input="x")
        assert (await env.client.wait_for_instance_completion(id_)).output == "fake"


async def test_a_brace_too_much_disables_the_activity() -> None:
    def declare(app: FunctionApp) -> None:
        @app.function_name("work")
        @app.activity_trigger("to")
        @letter(app, "$return", "{there")
        def work(to: str) -> str:
            return to

    with pytest.raises(FunctionDefinitionError, match="brace"):
        async with TestEnvironment(app_with(declare)):
            pass


def test_an_orchestrator_has_no_other_bindings() -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    @app.generic_output_binding("$return", "testLetter")
    def lead(context: OrchestrationContext) -> None: ...

    with pytest.raises(FunctionDefinitionError, match="cannot have other bindings"):
        app.get_functions()


@pytest.mark.parametrize(("told", "expected"), [("x", "the page 1: x"), (None, None)])
async def test_what_is_both_holds_what_there_is_and_sends_what_is_set(
    told: str | None, expected: str | None
) -> None:
    def declare(app: FunctionApp) -> None:
        @app.function_name("work")
        @app.activity_trigger("value")
        @app.add_binding("testBook", Direction.INOUT, "page", of="1", to="it")
        def work(value: str | None, page: Out[str]) -> None:
            if value is not None:
                page.set(f"{page.get()}: {value}")

    async with done(app_with(declare), told) as state:
        assert state.runtime_status is RuntimeStatus.COMPLETED
    assert [each.value for each in sent] == [expected]


async def test_what_a_call_has_open_is_closed_after_its_outputs_and_one_fault_keeps_no_other() -> (
    None
):
    def declare(app: FunctionApp) -> None:
        @app.function_name("work")
        @app.activity_trigger("to")
        @app.add_binding("testBook", Direction.INOUT, "page", of="1", to="{to}")
        def work(to: str, page: Out[str]) -> None:
            page.set("more")

    async with done(app_with(declare), "here"):
        assert closed == [("work", 1), ("work", 1)]
    failing.add("there")
    async with done(app_with(declare), "there"):
        assert closed == [("work", 1)] * 4
