"""`call_http` on an engine: its waits are durable, and its requests are activities like others."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bindings import (
    FunctionApp,
    InvalidArgumentError,
    OrchestrationContext,
    RetryPolicy,
    RuntimeStatus,
    TaskFailedError,
)
from bindings.errors import FunctionDefinitionError, HttpCallError
from host.core.failures import Caught, caught
from host.core.history import Payload
from host.core.http_calls import HTTP_ACTIVITY, HttpOrder, answer, read_order
from tests.kit.hub import Host, Hub, until
from tests.kit.manual_clock import ManualClock

URL = "https://example.com/jobs"
app = FunctionApp()


@app.orchestration_trigger()
async def monitors(context: OrchestrationContext) -> Any:
    policy = RetryPolicy(timedelta(seconds=10), 3)
    response = await context.call_http("POST", URL, {"n": 1}, retry=policy)
    return [response.status_code, response.content]


@app.orchestration_trigger()
async def gives_up(context: OrchestrationContext) -> str:
    try:
        await context.call_http("GET", URL, timeout=timedelta(seconds=30))
    except TimeoutError:
        await context.create_timer(timedelta(seconds=1))
        return f"after {(context.current_utc_datetime).isoformat()}"
    return "?"


@app.orchestration_trigger()
async def fails(context: OrchestrationContext) -> Any:
    try:
        await context.call_http("GET", URL)
    except TaskFailedError as error:
        return [error.details.error_type, error.details.is_non_retriable, str(error)]
    return None


class Web:
    """Answers the requests of hosts, one after the other."""

    def __init__(self, clock: ManualClock, *answers: Any) -> None:
        self._clock = clock
        self._answers = list(answers)
        self.seen: list[HttpOrder] = []

    def serve(self, host: Host) -> Host:
        host.slot.send_http = self.send
        return host

    async def has_seen(self, requests: int) -> None:
        await until(lambda: len(self.seen) == requests)

    async def send(self, payload: Payload) -> Payload | Caught:
        order = read_order(payload)
        self.seen.append(order)
        found = self._answers.pop(0)
        if isinstance(found, asyncio.Event):
            await found.wait()
            found = self._answers.pop(0)
        if isinstance(found, Exception):
            return caught(found, is_non_retriable=isinstance(found, HttpCallError))
        status, headers = found
        now = self._clock.now()
        told = answer(order.uri, status, headers, b"said", now=now, default_pause_s=30)
        return told.to_payload()


ACCEPTED = (202, {"Location": "/status", "Retry-After": "20"})


async def test_polling_goes_on_after_a_crash_at_each_of_its_steps(each_hub: Hub) -> None:
    clock = each_hub.clock
    web = Web(clock, ACCEPTED, (503, {}), ACCEPTED, ConnectionError("reset"), (200, {}))
    host = web.serve(await each_hub.start(app))
    instance_id = await host.begin(monitors)
    for requests in range(1, 5):
        await web.has_seen(requests)
        await host.rest()
        assert await host.status(instance_id) is RuntimeStatus.RUNNING
        await host.crash()
        await clock.advance(timedelta(seconds=5))
        host = web.serve(await each_hub.start(app))
        await clock.advance(timedelta(seconds=15))
    assert (await host.finished(instance_id)).output == [200, "said"]
    assert [(each.method, each.uri) for each in web.seen] == [
        ("POST", URL),
        *[("GET", "https://example.com/status")] * 4,
    ]


async def test_a_request_that_a_crash_cut_short_is_sent_again(hub: Hub) -> None:
    web = Web(hub.clock, asyncio.Event(), (200, {}))
    host = web.serve(await hub.start(app))
    instance_id = await host.begin(monitors)
    await until(lambda: len(web.seen) == 1)
    await host.crash()
    host = web.serve(await hub.start(app))
    assert (await host.finished(instance_id)).output == [200, "said"]
    assert len(web.seen) == 2


async def test_a_timeout_comes_while_a_request_is_on_its_way_and_after_a_crash(hub: Hub) -> None:
    web = Web(hub.clock, ACCEPTED, asyncio.Event(), asyncio.Event())
    host = web.serve(await hub.start(app))
    instance_id = await host.begin(gives_up)
    await host.rest()
    await hub.clock.advance(timedelta(seconds=20))
    await until(lambda: len(web.seen) == 2)
    assert web.seen[0].timeout_seconds == 30
    assert web.seen[1].timeout_seconds == 10
    await host.crash()
    host = web.serve(await hub.start(app))
    await hub.clock.advance(timedelta(seconds=10))
    await hub.clock.advance(timedelta(seconds=1))
    state = await host.finished(instance_id)
    assert state.runtime_status is RuntimeStatus.COMPLETED
    assert state.output.startswith("after ")


async def test_a_failure_says_what_happened(hub: Hub) -> None:
    web = Web(hub.clock, HttpCallError("It is private."), ConnectionError("reset"))
    host = web.serve(await hub.start(app))
    text = f"GET {URL} failed: "
    assert (await host.run(fails)).output == ["HttpCallError", True, f"{text}It is private."]
    assert (await host.run(fails)).output == ["ConnectionError", False, f"{text}reset"]


async def test_a_rewind_sends_again_what_failed_and_keeps_what_came(hub: Hub) -> None:
    web = Web(hub.clock, ACCEPTED, HttpCallError("no"), (200, {}))
    host = web.serve(await hub.start(app))
    instance_id = await host.begin(monitors)
    await host.rest()
    await hub.clock.advance(timedelta(seconds=20))
    assert (await host.finished(instance_id)).runtime_status is RuntimeStatus.FAILED
    await host.client.rewind_instance(instance_id, "it is mended")
    assert (await host.finished(instance_id)).output == [200, "said"]
    assert [each.method for each in web.seen] == ["POST", "GET", "GET"]


async def test_the_activity_is_in_no_list_and_nobody_can_take_its_name(hub: Hub) -> None:
    host = await hub.start(app)
    catalog = host.registry.current()
    assert catalog.activity(HTTP_ACTIVITY)
    assert HTTP_ACTIVITY not in {each.name for each in host.registry.version.app.functions}
    assert HTTP_ACTIVITY not in catalog.orchestrator_names()
    other = FunctionApp()
    with pytest.raises(FunctionDefinitionError):
        other.function_name(HTTP_ACTIVITY)(other.activity_trigger()(lambda: None))
        list(other.get_functions())


async def test_a_host_that_sends_none_says_so(hub: Hub) -> None:
    host = await hub.start(app)
    kind, *_ = (await host.run(fails)).output
    assert kind == InvalidArgumentError.__name__


async def test_no_client_starts_the_activity(hub: Hub) -> None:
    host = await hub.start(app)
    with pytest.raises(Exception, match="BuiltIn"):
        await host.client.schedule_new_orchestration(HTTP_ACTIVITY, input={})
