"""Clients that wait for an instance: a wait ends with its client, and there are only so many."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bindings import (
    AuthLevel,
    DurableClient,
    FunctionApp,
    HttpRequest,
    HttpResponse,
    OrchestrationContext,
    TooManyWaitsError,
)
from host.engine import waiters
from tests.http.hosting import WEBHOOKS, Host, running_host

START = f"{WEBHOOKS}/orchestrators/waiting"
LONG = "?timeout=3600&pollingInterval=1"


def waiting_app(ended: asyncio.Queue[str]) -> FunctionApp:
    """Functions that wait in every way, and say how that ended."""
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.orchestration_trigger()
    async def waiting(context: OrchestrationContext) -> Any:
        return await context.wait_for_external_event("go")

    @app.route("answer/{id}")
    @app.orchestration_client("client")
    async def answer(req: HttpRequest, client: DurableClient) -> HttpResponse:
        instance_id = req.route_params["id"]
        await client.schedule_new_orchestration("waiting", instance_id=instance_id)
        response = await client.wait_for_completion_or_create_check_status_response(
            req, instance_id, timeout_in_milliseconds=3_600_000
        )
        ended.put_nowait(f"answered {response.status_code}")
        return response

    @app.route("wait/{id}")
    @app.orchestration_client("client")
    async def wait(req: HttpRequest, client: DurableClient) -> str:
        try:
            await client.wait_for_instance_completion(req.route_params["id"])
        except BaseException as error:
            ended.put_nowait(type(error).__name__)
            raise
        return "there"

    return app


async def some_wait(host: Host, count: int) -> None:
    """Until so many clients wait."""
    while True:
        if host.engine.parts.waiters.callers >= count:
            return
        await asyncio.sleep(0)


async def some_wait_no_more(host: Host) -> None:
    """Until nobody waits for anything."""
    while True:
        if not host.engine.parts.waiters.callers and not len(host.engine.parts.waiters):
            return
        await asyncio.sleep(0)


async def test_found_d5_a_wait_ends_when_its_client_goes_away() -> None:
    ended: asyncio.Queue[str] = asyncio.Queue()
    async with running_host(app=waiting_app(ended)) as host:
        await host.start("waiting", instance_id="it")
        for path, how in (
            (f"{START}/other{LONG}", None),
            (f"{WEBHOOKS}/instances/it/restart{LONG}", None),
            ("/api/answer/another", "answered 202"),
            ("/api/wait/it", "WaitOverError"),
        ):
            client = await host.raw.connect()
            await client.send_head("POST", path, "Content-Length: 0")
            await some_wait(host, 1)
            await client.close()
            await some_wait_no_more(host)
            if how is not None:
                assert await ended.get() == how


async def test_found_d5_only_so_many_clients_wait_and_the_next_one_starts_nothing() -> None:
    ended: asyncio.Queue[str] = asyncio.Queue()
    async with running_host(app=waiting_app(ended), limits={"maxWaits": 2}) as host:
        for _ in range(2):
            client = await host.raw.connect()
            await client.send_head("POST", f"{START}{LONG}", "Content-Length: 0")
        await some_wait(host, 2)
        for path in (f"{START}/late{LONG}", "/api/wait/x"):
            late = await host.call("POST", path)
            assert (late.status, late.headers["Retry-After"]) == (429, "5")
        assert (await host.call("GET", "instances/late")).status == 404
        assert (await host.call("POST", "/api/answer/started")).status == 202
        assert (await host.call("POST", f"{START}/no-wait")).status == 202
        state = await host.hub.wait_for_instance_start("no-wait")  # no client's wait
        assert state.instance_id == "no-wait"
        await host.raw.close()
        await some_wait_no_more(host)
        await host.hub.raise_event("started", "go", 1)
        assert (await host.call("GET", "/api/wait/started")).status == 200


async def test_found_d5_a_client_waits_a_short_time_at_most() -> None:
    async with running_host(limits={"maxWaitSeconds": 0.05}) as host:
        response = await host.call("POST", f"{START}{LONG}")
        assert response.status == 202
        assert "statusQueryGetUri" in await response.json()


async def test_found_d5_however_many_wait_the_store_is_asked_once_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiters, "POLL_S", 0.01)
    reads = 0
    async with running_host() as host:
        instance_id = await host.waiting()
        store = host.engine.parts.store
        get = store.get
        enough = asyncio.Event()

        async def counting(instance_id: str) -> Any:
            nonlocal reads
            reads += 1
            if reads >= 50 + 5:
                enough.set()
            return await get(instance_id)

        monkeypatch.setattr(store, "get", counting)
        waits = [
            asyncio.create_task(
                host.hub.wait_for_instance_completion(instance_id, timeout=timedelta(minutes=1))
            )
            for _ in range(50)
        ]
        await enough.wait()  # one look each, and then one for all of them at a time
        assert len(host.engine.parts.waiters) == 1
        await host.hub.raise_event(instance_id, "go", "end")
        assert {(await each).output for each in waits} == {"end"}
        assert len(host.engine.parts.waiters) == 0


async def test_found_d5_a_function_run_by_hand_waits_though_its_client_has_gone() -> None:
    app = FunctionApp()
    done: asyncio.Queue[str] = asyncio.Queue()

    @app.orchestration_trigger()
    async def waiting(context: OrchestrationContext) -> Any:
        return await context.wait_for_external_event("go")

    @app.generic_trigger("text", "manualTrigger")
    @app.orchestration_client("client")
    async def by_hand(text: str, client: DurableClient) -> None:
        await client.schedule_new_orchestration("waiting", instance_id=text)
        done.put_nowait("begun")
        done.put_nowait((await client.wait_for_instance_completion(text)).output)

    async with running_host(app=app) as host:
        client = await host.raw.connect()
        body = b'{"input": "it"}'
        await client.send_head("POST", "/admin/functions/by_hand", f"Content-Length: {len(body)}")
        await client.send(body)
        assert await client.status() == 202
        await client.close()
        assert await done.get() == "begun"
        await host.hub.raise_event("it", "go", "end")
        assert await done.get() == "end"


def test_found_d5_the_error_says_what_to_do() -> None:
    assert "maxWaits" in str(TooManyWaitsError(3))
