"""A store that is away: the host is alive and ready, and what needs the store answers 503."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from bindings import DurableClient, FunctionApp
from bindings.http import HttpRequest, HttpResponse
from host.clock import SystemClock
from host.errors import StorageUnavailableError
from host.storage.aws.wire.errors import ResourceMissingError
from host.storage.local_queues import LocalQueues
from host.storage.memory import MemoryStore
from tests.http.hosting import Host, running_host
from tests.kit.hub import until
from tests.kit.seams import StoreSeam

AWAY = StorageUnavailableError("Query failed: AWS answered 503 without a reason")

GONE = ResourceMissingError(
    "GetItem",
    code="ResourceNotFoundException",
    message="Requested resource not found",
    status=400,
    advice="Has the hub been created here? `funchost hub create` does it.",
)


class Away:
    """What a store does that can be taken away."""

    def __init__(self, error: Exception = AWAY) -> None:
        self.is_on = False
        self.error = error

    async def __call__(self, name: str, _: tuple[Any, ...]) -> None:
        if self.is_on:
            raise self.error


def app() -> FunctionApp:
    made = FunctionApp()

    @made.route("hello")
    def hello(req: HttpRequest) -> str:
        return "hello"

    @made.route("begin", methods=["POST"])
    @made.orchestration_client("client")
    async def begin(req: HttpRequest, client: DurableClient) -> HttpResponse:
        instance_id = await client.schedule_new_orchestration("leads")
        return client.create_check_status_response(req, instance_id)

    @made.orchestration_trigger()
    async def leads(context: Any) -> str:
        return "done"

    return made


async def page(host: Host, path: str) -> tuple[int, Any]:
    response = await host.call("GET", path)
    return response.status, await response.json()


async def test_found_f6_a_store_that_is_away_takes_no_host_out_of_the_balancer() -> None:
    store, away = StoreSeam(MemoryStore(SystemClock().now)), Away()
    store.before = away
    async with running_host(app=app(), storage=(store.as_store, LocalQueues())) as host:
        assert await page(host, "/readyz") == (200, {"status": "ready", "store": "working"})

        away.is_on = True
        response = await host.call("POST", "/api/begin")
        assert response.status == 503
        await until(lambda: host.engine.store_watch.is_failing)

        assert await page(host, "/healthz") == (200, {"status": "live"})
        assert await page(host, "/readyz") == (200, {"status": "ready", "store": "failing"})
        status = (await page(host, "/admin/host/status"))[1]
        assert (status["state"], status["errors"]) == ("Error", [str(AWAY)])


async def test_what_needs_no_store_is_served_while_it_is_away() -> None:
    store, away = StoreSeam(MemoryStore(SystemClock().now)), Away()
    store.before = away
    async with running_host(app=app(), storage=(store.as_store, LocalQueues())) as host:
        away.is_on = True
        response = await host.call("GET", "/api/hello")
        assert (response.status, await response.text()) == (200, "hello")


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("POST", "orchestrators/leads"),
        ("GET", "instances/it"),
        ("GET", "instances"),
        ("POST", "instances/it/raiseEvent/go"),
        ("POST", "instances/it/terminate"),
        ("DELETE", "instances/it"),
        ("POST", "/api/begin"),
    ],
)
async def test_what_needs_the_store_says_to_come_again_and_nothing_of_it_is_done(
    verb: str, path: str
) -> None:
    store, away = StoreSeam(MemoryStore(SystemClock().now)), Away()
    store.before = away
    async with running_host(app=app(), storage=(store.as_store, LocalQueues())) as host:
        away.is_on = True
        response = await host.call(verb, path, json={})
        assert (response.status, response.headers["Retry-After"]) == (503, "5")
        assert "cannot store anything right now" in (await response.json())["Message"]
        away.is_on = False
        assert (await (await host.call("GET", "instances")).json()) == []


async def test_a_table_that_is_gone_is_a_store_that_is_away_and_no_fault_of_each_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, away = StoreSeam(MemoryStore(SystemClock().now)), Away(GONE)
    store.before = away
    async with running_host(app=app(), storage=(store.as_store, LocalQueues())) as host:
        away.is_on = True
        for _ in range(5):
            response = await host.call("GET", "instances/it")
            assert (response.status, response.headers["Retry-After"]) == (503, "5")
        assert (await page(host, "/readyz"))[1] == {"status": "ready", "store": "failing"}
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.exc_info for record in told] == [None]
    assert "`funchost hub create` does it" in told[0].getMessage()
