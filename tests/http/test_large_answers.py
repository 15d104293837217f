"""Listings, status and history are bounded by bytes, and stored JSON goes out as it is."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext
from bindings.client import OrchestrationQuery
from tests.http.hosting import Host, durable_app, running_host

TOKEN = "x-ms-continuation-token"
SMALL = {"maxPageBytes": 25_000}
LARGE = "x" * 10_000


def steps() -> FunctionApp:
    app = durable_app()

    @app.orchestration_trigger()
    async def many(context: OrchestrationContext, count: int) -> int:
        for _ in range(count):
            await context.call_activity("shout", LARGE)
        return count

    return app


async def test_found_d4_a_page_of_a_listing_ends_by_bytes_and_the_next_goes_on() -> None:
    async with running_host(limits=SMALL) as host:
        started = [await host.start("waiting", LARGE) for _ in range(7)]
        listed: list[str] = []
        token, sizes = "", []
        while True:
            response = await host.call("GET", "instances", headers={TOKEN: token})
            page = await response.json()
            sizes.append(len(page))
            assert len(await response.read()) < 40_000
            listed += [each["instanceId"] for each in page]
            token = response.headers[TOKEN]
            if not token:
                break
        assert sorted(listed) == sorted(started)
        assert max(sizes) == 2
        first = await host.hub.query_instances(OrchestrationQuery())
        assert (len(first.items), first.continuation_token is None) == (2, False)
        everyone = [each async for each in host.hub.get_all_instances()]
        assert len(everyone) == 7


async def test_found_d4_hidden_inputs_are_not_in_the_answer() -> None:
    async with running_host() as host:
        await host.start("waiting", LARGE, "i")
        for path in ("instances?showInput=false", "instances/i?showInput=false"):
            assert LARGE not in await (await host.call("GET", path)).text()


@pytest.mark.parametrize(
    "text", ['{"b":1,"a":[1.0,"\\u00e9"]}', "123456789012345678901234567890", '"ü"', "null"]
)
async def test_found_d4_what_is_stored_goes_out_as_it_is(host: Host, text: str) -> None:
    headers = {"Content-Type": "application/json"}
    path = "orchestrators/echo/i?timeout=100&pollingInterval=1"
    response = await host.call("POST", path, data=text.encode(), headers=headers)
    assert await response.json() == json.loads(text)
    for target in ("instances/i", "instances"):
        answer = await (await host.call("GET", target)).json()
        status = answer if isinstance(answer, dict) else answer[0]
        assert (status["input"], status["output"]) == (json.loads(text),) * 2


async def history(host: Host, query: str, token: str = "") -> tuple[int, Any, str | None]:
    path = f"instances/i?showHistory=true&showHistoryOutput=true&{query}"
    response = await host.call("GET", path, headers={TOKEN: token})
    return response.status, await response.json(), response.headers.get(TOKEN)


async def test_found_d4_a_large_history_is_shown_page_by_page() -> None:
    async with running_host(app=steps(), limits=SMALL) as host:
        await host.start("many", 6, "i")
        await host.hub.wait_for_instance_completion("i")

        status, refused, _ = await history(host, "")
        assert status == 413
        assert "historyTop" in refused["ExceptionMessage"]

        events: list[Any] = []
        token: str | None = ""
        pages = 0
        while token is not None and (token or not pages):
            status, body, token = await history(host, "historyTop=1000", token)
            assert status == 200
            assert len(json.dumps(body["historyEvents"])) < 26_000
            events += body["historyEvents"]
            pages += 1
        assert pages > 3
        kinds = [event["EventType"] for event in events]
        assert kinds == ["ExecutionStarted", *["TaskCompleted"] * 6, "ExecutionCompleted"]
        assert {event.get("Result") for event in events[1:-1]} == {LARGE.upper()}


async def test_found_d4_a_page_of_a_history_ends_by_count(host: Host) -> None:
    await host.start("shouting", "a", "i")
    await host.hub.wait_for_instance_completion("i")
    _, whole, token = await history(host, "")
    assert token is None
    _, first, token = await history(host, "historyTop=1")
    assert first["historyEvents"] == whole["historyEvents"][:1]
    _, rest, token = await history(host, "historyTop=9", token or "")
    assert (rest["historyEvents"], token) == (whole["historyEvents"][1:], "")


@pytest.mark.parametrize("token", ["nonsense", "h1.other", "h-1.x", "h99999999999.x", "h1"])
async def test_found_d4_a_token_of_another_history_is_refused(host: Host, token: str) -> None:
    await host.start("shouting", "a", "i")
    await host.hub.wait_for_instance_completion("i")
    assert (await history(host, "", token))[0] == 400


@pytest.mark.parametrize("top", ["0", "-1", "x"])
async def test_found_d4_a_count_that_cannot_be_is_refused(host: Host, top: str) -> None:
    await host.start("echo", "a", "i")
    assert (await history(host, f"historyTop={top}"))[0] == 400


async def test_found_d4_one_event_larger_than_a_page_comes_alone() -> None:
    async with running_host(app=steps(), limits={"maxPageBytes": 1}) as host:
        await host.start("many", 1, "i")
        await host.hub.wait_for_instance_completion("i")
        status, body, token = await history(host, "historyTop=9")
        assert (status, len(body["historyEvents"]), bool(token)) == (200, 1, True)
        status, body, _ = await history(host, "historyTop=9", token or "")
        assert (status, len(body["historyEvents"])) == (200, 1)


async def test_found_d4_events_for_an_instance_that_takes_nothing_in_are_bounded() -> None:
    async with running_host(durable={"maxInboxBytes": 40_000}) as host:
        instance_id = await host.hub.schedule_new_orchestration(
            "waiting", start_at=timedelta(hours=1)
        )
        statuses = []
        for _ in range(9):
            path = f"instances/{instance_id}/raiseEvent/other"
            response = await host.call("POST", path, json=LARGE)
            statuses.append(response.status)
        assert (set(statuses), statuses[-1]) == ({202, 429}, 429)
        assert "maxInboxBytes" in await response.text()
        assert response.headers["Retry-After"] == "5"
        assert (await host.call("POST", f"instances/{instance_id}/terminate")).status == 202
