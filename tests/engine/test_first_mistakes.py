"""What a newcomer's code does wrong at first: it ends at once, and says what to write."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from bindings import (
    FunctionApp,
    HttpRequest,
    InvalidArgumentError,
    OrchestrationContext,
    RuntimeStatus,
    TaskFailedError,
    when_all,
    when_any,
)
from tests.kit.hub import Host, Hub

Ctx = OrchestrationContext


async def z(n: int) -> int:
    return n + 1


async def child(context: Ctx) -> str:
    return "child"


def an_app(*orchestrators: Callable[..., Any], activities: Any = (z,)) -> FunctionApp:
    app = FunctionApp()
    for each in (child, *orchestrators):
        app.orchestration_trigger()(each)
    for each in activities:
        app.activity_trigger()(each)
    return app


async def end_of(hub: Hub, orchestrator: Callable[..., Any], *activities: Any) -> str:
    """What the status of a failed instance says."""
    host = await hub.start(an_app(orchestrator, activities=(z, *activities)))
    instance_id = await host.client.schedule_new_orchestration(orchestrator)
    state = await host.client.wait_for_instance_completion(instance_id)
    assert state.runtime_status is RuntimeStatus.FAILED
    return str(state.output)


async def test_an_activity_that_is_called_as_a_sub_orchestrator_fails_at_once(hub: Hub) -> None:
    async def led(context: Ctx) -> Any:
        return await context.call_sub_orchestrator(z, 1)  # type: ignore[arg-type]

    assert "'z' is an activity: use call_activity" in await end_of(hub, led)


async def test_an_orchestrator_that_is_called_as_an_activity_fails_at_once(hub: Hub) -> None:
    async def led(context: Ctx) -> Any:
        return await context.call_activity(child)  # type: ignore[arg-type]

    assert "'child' is an orchestrator: use call_sub_orchestrator" in await end_of(hub, led)


async def test_an_activity_starts_no_orchestration(hub: Hub) -> None:
    host = await hub.start(an_app())
    with pytest.raises(InvalidArgumentError, match="'z' is an activity: use call_activity"):
        await host.client.schedule_new_orchestration(z)


async def test_an_orchestrator_that_is_waited_for_as_an_activity_says_so(hub: Hub) -> None:
    async def led(context: Ctx) -> Any:
        return await context.call_activity("child")

    host = await hub.start(an_app(led))
    instance_id = await host.client.schedule_new_orchestration(led)
    assert "(orchestrators are called with call_sub_orchestrator)" in await blocked_reason(
        host, instance_id
    )


async def test_an_activity_that_is_started_by_name_as_a_child_says_so(hub: Hub) -> None:
    async def led(context: Ctx) -> Any:
        return await context.call_sub_orchestrator("z", 1, instance_id="below")

    host = await hub.start(an_app(led))
    await host.client.schedule_new_orchestration(led)
    assert "(activities are called with call_activity)" in await blocked_reason(host, "below")


async def blocked_reason(host: Host, instance_id: str) -> str:
    while True:
        state = await host.client.get_instance(instance_id)
        if state is not None and state.blocked_reason is not None:
            return state.blocked_reason
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "act",
    [
        lambda context: context.call_activity(z, 1),
        lambda context: {"a": [context.call_activity(z, 1)]},
        lambda context: context.wait_for_external_event("go"),
        lambda context: when_any([context.call_activity(z, 1)]),
    ],
)
async def test_a_task_that_is_returned_says_that_it_was_not_awaited(
    act: Callable[[Ctx], Any], hub: Hub
) -> None:
    async def led(context: Ctx) -> Any:
        return act(context)

    assert "it is a task that was not awaited: write await" in await end_of(hub, led)


async def test_what_when_any_gives_is_a_task_too(hub: Hub) -> None:
    async def led(context: Ctx) -> Any:
        return await when_any([context.call_activity(z, 1)])

    assert "What when_any gives is a task, too." in await end_of(hub, led)


async def test_a_task_as_input_says_that_it_was_not_awaited(hub: Hub) -> None:
    async def led(context: Ctx) -> Any:
        return await context.call_activity(z, context.call_activity(z, 1))  # type: ignore[arg-type]

    said = await end_of(hub, led)
    assert "The input of activity 'z' cannot be written" in said
    assert "it is a task that was not awaited" in said


async def test_a_coroutine_that_is_returned_says_that_it_was_not_awaited(hub: Hub) -> None:
    coroutines = []

    def forgets(_: None) -> Any:
        coroutines.append(z(1))
        return coroutines[-1]

    async def led(context: Ctx) -> Any:
        return await context.call_activity(forgets)

    assert "it is a coroutine that was not awaited" in await end_of(hub, led, forgets)
    for each in coroutines:
        each.close()


async def test_a_coroutine_instead_of_an_instance_id_is_refused(hub: Hub) -> None:
    client: Any = (await hub.start(an_app())).client
    coroutine = client.schedule_new_orchestration(child)
    request = HttpRequest(method="GET", url="http://x/")
    with pytest.raises(InvalidArgumentError, match=r"An instance id is a text.*not awaited"):
        client.create_check_status_response(request, coroutine)
    with pytest.raises(InvalidArgumentError, match=r"An instance id is a text.*not awaited"):
        client.create_http_management_payload(coroutine, request)
    coroutine.close()


@pytest.mark.parametrize("instance_id", [None, 5, "", b"x"])
async def test_a_status_response_without_an_instance_id_is_refused(
    instance_id: Any, hub: Hub
) -> None:
    client = (await hub.start(an_app())).client
    with pytest.raises(InvalidArgumentError, match="An instance id is a text"):
        client.create_check_status_response(None, instance_id)
    with pytest.raises(InvalidArgumentError, match="The request is a HttpRequest"):
        client.create_check_status_response("id", "request")  # type: ignore[arg-type]


class _MissingError(KeyError):
    """An author's own kind of KeyError."""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError("huge"), "failed: KeyError: 'huge'"),
        (_MissingError("huge"), "failed: _MissingError: 'huge'"),
        (ValueError(), "failed: ValueError"),
        (AssertionError("  "), "failed: AssertionError"),
        (OSError(5), "failed: OSError: 5"),
        (ValueError("boom"), "failed: boom"),
        (IndexError("no 5 here"), "failed: no 5 here"),
    ],
)
async def test_a_failure_names_its_type_where_its_message_says_nothing(
    error: Exception, said: str, hub: Hub
) -> None:
    async def fails() -> None:
        raise error

    async def led(context: Ctx) -> Any:
        with pytest.raises(TaskFailedError) as caught:
            await context.call_activity(fails)
        assert str(caught.value).endswith(said)
        raise error

    host = await hub.start(an_app(led, activities=(fails,)))
    instance_id = await host.client.schedule_new_orchestration(led)
    state = await host.client.wait_for_instance_completion(instance_id)
    assert str(state.output).endswith(said)
    with pytest.raises(TaskFailedError) as caught:
        state.raise_if_failed()
    assert str(caught.value).endswith(said)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda context: when_all(*a_pair(context)), "write when_all([task, another])"),
        (lambda context: when_any(*a_pair(context)), "write when_any([task, another])"),
        (lambda context: when_all(a_pair(context)[0]), "write when_all([task, another])"),
        (lambda context: context.task_all(*a_pair(context)), "write task_all([task, another])"),
        (lambda context: context.task_any(a_pair(context)[0]), "write task_any([task, another])"),
        (lambda context: context.call_activity(z, 1, 2), "call_activity(function, [value, "),
        (lambda context: context.call_sub_orchestrator(child, 1, 2), "pass several as a list"),
        (lambda context: context.continue_as_new(1, 2), "continue_as_new([value, another])"),
        (lambda context: context.set_custom_status("a", 2), "set_custom_status([value, another])"),
        (lambda context: context.send_event("a", "b", 1, 2), "as a list, send_event(instance_id, "),
    ],
)
async def test_a_call_with_too_many_arguments_says_how_to_give_them(
    act: Callable[[Any], Any], said: str, hub: Hub
) -> None:
    async def led(context: Ctx) -> Any:
        return await act(context)

    assert said in await end_of(hub, led)


def a_pair(context: Any) -> list[Any]:
    return [context.call_activity(z, 1), context.call_activity(z, 2)]


async def test_a_start_with_its_input_by_place_says_how_to_give_it(hub: Hub) -> None:
    client: Any = (await hub.start(an_app())).client
    with pytest.raises(TypeError, match=r"schedule_new_orchestration\(orchestrator, input="):
        await client.schedule_new_orchestration(child, 1)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (10**4300, "holds a whole number of more than 4,300 digits"),
        ({"a": [-(10**5000)]}, "write it as a text"),
        (b"\xff\x00", "base64.b64encode"),
        ({"a": bytearray(b"\xff")}, "base64.b64encode"),
    ],
    ids=["an int", "an int within", "bytes", "bytes within"],
)
async def test_a_result_that_nobody_could_read_is_refused_where_it_is_written(
    value: Any, said: str, hub: Hub
) -> None:
    def gives(_: None) -> Any:
        return value

    async def led(context: Ctx) -> Any:
        return await context.call_activity(gives)

    output = await end_of(hub, led, gives)
    assert "The result of activity 'gives'" in output
    assert said in output


@pytest.mark.parametrize(
    "value",
    [10**4299, "1" * 5000, ["2" * 5000, 10**4299, b"text"]],
    ids=["an int", "a text", "both"],
)
async def test_a_long_number_that_can_be_read_is_passed_on(value: Any, hub: Hub) -> None:
    def gives(_: None) -> Any:
        return value

    async def led(context: Ctx) -> bool:
        return bool(await context.call_activity(gives))

    host = await hub.start(an_app(led, activities=(gives,)))
    instance_id = await host.client.schedule_new_orchestration(led)
    assert (await host.client.wait_for_instance_completion(instance_id)).output is True


async def test_the_log_of_data_that_do_not_fit_has_one_line_and_no_parsers_traceback(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    def takes(n: int) -> int:
        return n

    async def led(context: Ctx) -> Any:
        return await context.call_activity("takes", "many")

    await end_of(hub, led, takes)
    record = next(each for each in caplog.records if "Activity 'takes'" in each.message)
    assert "\n" not in record.message
    assert "The input of activity 'takes' does not fit" in record.message
    for each in caplog.records:
        if each.exc_info:
            text = logging.Formatter().formatException(each.exc_info)
            assert "converter.py" not in text
            assert "pydantic" not in text.partition("errors.pydantic.dev")[0]
