"""What a newcomer's code does wrong at first: it ends at once, and says what to write."""

from __future__ import annotations

import asyncio
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
