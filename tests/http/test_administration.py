"""The administration, health and the homepage over real HTTP."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from bindings import AuthLevel, FunctionApp, HttpRequest, OrchestrationContext
from host.functions.model import BrokenFunction
from tests.http.hosting import Host, running_host


def recording(inputs: asyncio.Queue[Any]) -> FunctionApp:
    """An app whose functions note what they are run with."""
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.generic_trigger("text", "manualTrigger")
    async def by_hand(text: str) -> None:
        inputs.put_nowait(text)

    @app.route("web")
    async def web(req: HttpRequest) -> None:
        inputs.put_nowait(req.json())

    @app.generic_trigger("text", "manualTrigger")
    async def failing(text: str) -> None:
        inputs.put_nowait(text)
        raise ValueError("by hand, in vain")

    @app.activity_trigger()
    async def activity(value: str) -> None:
        return None

    return app


async def test_the_ping_is_empty(host: Host) -> None:
    for method in ("GET", "POST"):
        response = await host.call(method, "/admin/host/ping")
        assert (response.status, await response.read()) == (200, b"")
        assert response.headers["Cache-Control"] == "no-store"


async def test_the_status_says_running_or_what_is_wrong(host: Host) -> None:
    status = await (await host.call("GET", "/admin/host/status")).json()
    assert (status["id"], status["state"]) == ("TestHub", "Running")
    assert "errors" not in status
    assert re.fullmatch(r"\d.*|unknown", status["version"])
    host.problems.append("the store is gone")
    status = await (await host.call("GET", "/admin/host/status")).json()
    assert (status["state"], status["errors"]) == ("Error", ["the store is gone"])


async def test_the_functions_are_listed_with_their_urls(host: Host) -> None:
    listed = await (await host.call("GET", "/admin/functions")).json()
    by_name = {each["name"]: each for each in listed}
    start = by_name["start"]
    assert start["invoke_url_template"] == f"{host.origin}/api/start/{{name}}/{{id?}}"
    assert start["href"] == f"{host.origin}/admin/functions/start"
    assert start["config"]["bindings"][0]["type"] == "httpTrigger"
    assert by_name["echo"]["invoke_url_template"] is None


async def test_one_function_is_shown_by_its_name_in_any_case(host: Host) -> None:
    response = await host.call("GET", "/admin/functions/ECHO")
    assert (response.status, (await response.json())["name"]) == (200, "echo")
    assert (await host.call("GET", "/admin/functions/nope")).status == 404


async def test_functions_of_one_name_are_listed_with_their_versions() -> None:
    app = FunctionApp()

    @app.orchestration_trigger(orchestration="order", version="2")
    async def second(context: OrchestrationContext) -> str:
        return "second"

    @app.orchestration_trigger(orchestration="order", version="3")
    async def third(context: OrchestrationContext) -> str:
        return "third"

    webhook = "/runtime/webhooks/durabletask/orchestrators/order"
    async with running_host(app=app) as host:
        listed = await (await host.call("GET", "/admin/functions")).json()
        assert [(each["name"], each["version"]) for each in listed] == [
            ("order", "2"),
            ("order", "3"),
        ]
        assert (await host.call("POST", f"{webhook}?version=3")).status == 202
        refused = await host.call("POST", f"{webhook}?version=4")
        assert refused.status == 400
        assert "'order' of version '4', only of '2', '3'" in await refused.text()
        assert (await host.call("POST", webhook)).status == 400


async def test_a_broken_function_is_shown_with_its_error() -> None:
    broken = BrokenFunction(name="Bad", directory=Path(), error="no module named x")
    async with running_host(broken=[broken]) as host:
        listed = await (await host.call("GET", "/admin/functions")).json()
        shown = await (await host.call("GET", "/admin/functions/bad")).json()
        errors = await (await host.call("GET", "/admin/functions/bad/status")).json()
        fine = await (await host.call("GET", "/admin/functions/echo/status")).json()
        status = await (await host.call("GET", "/admin/host/status")).json()
        assert (await host.call("GET", "/admin/functions/nope/status")).status == 404
        assert (await host.call("POST", "/admin/functions/bad", json={})).status == 404
    assert [each["errors"] for each in listed if "errors" in each] == [["no module named x"]]
    assert shown["errors"] == errors["errors"] == ["no module named x"]
    assert fine == {}
    assert status["state"] == "Running"
    assert "no module named x" in status["errors"][0]


@pytest.mark.parametrize("text", ["hello", '{"a": 1}', ""])
async def test_a_function_is_run_by_hand_with_a_text(text: str) -> None:
    inputs: asyncio.Queue[Any] = asyncio.Queue()
    async with running_host(app=recording(inputs)) as host:
        response = await host.call("POST", "/admin/functions/by_hand", json={"input": text})
        assert (response.status, await response.read()) == (202, b"")
        assert await inputs.get() == text


async def test_an_http_function_run_by_hand_gets_the_text_as_its_body() -> None:
    inputs: asyncio.Queue[Any] = asyncio.Queue()
    async with running_host(app=recording(inputs)) as host:
        body = {"input": '{"a": 1}'}
        assert (await host.call("POST", "/admin/functions/web", json=body)).status == 202
        assert await inputs.get() == {"a": 1}


async def test_the_failure_of_a_function_run_by_hand_is_logged_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    inputs: asyncio.Queue[Any] = asyncio.Queue()
    async with running_host(app=recording(inputs)) as host:
        body = {"input": "x"}
        assert (await host.call("POST", "/admin/functions/failing", json=body)).status == 202
        await inputs.get()
    assert "by hand, in vain" in caplog.text


async def test_a_function_run_by_hand_ends_before_the_host_does() -> None:
    ended: list[str] = []
    started, go_on = asyncio.Event(), asyncio.Event()
    app = FunctionApp()

    @app.generic_trigger("text", "manualTrigger")
    async def slow(text: str) -> None:
        started.set()
        await go_on.wait()
        ended.append(text)

    async with running_host(app=app) as host:
        await host.call("POST", "/admin/functions/slow", json={"input": "x"})
        await started.wait()
        go_on.set()
    assert ended == ["x"]


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b'{"input": {"a": 1}}', b"\xff"])
async def test_a_run_by_hand_with_a_bad_body_is_refused(body: bytes) -> None:
    async with running_host(app=recording(asyncio.Queue())) as host:
        response = await host.call("POST", "/admin/functions/by_hand", data=body)
        assert response.status == 400


async def test_what_orchestrations_run_is_not_run_by_hand() -> None:
    async with running_host(app=recording(asyncio.Queue())) as host:
        response = await host.call("POST", "/admin/functions/activity", json={"input": "x"})
        assert response.status == 400
        assert "start one with" in (await response.json())["ExceptionMessage"]
        assert (await host.call("POST", "/admin/functions/nope", json={})).status == 404


async def test_health_is_live_and_ready_until_there_is_a_problem(host: Host) -> None:
    assert (await host.call("GET", "/healthz")).status == 200
    assert (await host.call("GET", "/readyz")).status == 200
    host.problems.append("the secret orchestrator is stuck")
    assert (await host.call("GET", "/healthz")).status == 200
    response = await host.call("GET", "/readyz")
    assert response.status == 503
    assert "secret" not in await response.text()


async def test_the_homepage_is_the_dashboard_unless_it_is_switched_off(host: Host) -> None:
    response = await host.call("GET", "/", allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (303, "/dashboard/")
    response = await host.call("GET", "/")
    assert (response.status, response.content_type) == (200, "text/html")
    async with running_host(values={"AzureWebJobsDisableHomepage": "true"}) as quiet:
        response = await quiet.call("GET", "/")
        assert (response.status, await response.read()) == (204, b"")


async def test_an_error_with_half_a_character_is_shown(tmp_path: Path) -> None:
    broken = [BrokenFunction(name="half", directory=tmp_path, error="no \ud800 here")]
    async with running_host(broken=broken) as host:
        for path in ("/admin/host/status", "/admin/functions", "/admin/functions/half/status"):
            response = await host.call("GET", path)
            assert response.status == 200
            assert "\\ud800" in await response.text()
            await response.json()


class Order(BaseModel):
    item: str
    count: int = 1


class Odd:
    pass


async def test_an_orchestrators_annotation_is_the_schema_of_its_input() -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def typed(context: OrchestrationContext, order: Order) -> None: ...

    @app.orchestration_trigger()
    async def plain(context: OrchestrationContext) -> None: ...

    @app.orchestration_trigger()
    async def odd(context: OrchestrationContext, value: Odd) -> None: ...

    @app.activity_trigger()
    def work(text: str) -> str:
        return text

    async with running_host(app=app) as host:

        async def shown(name: str) -> dict[str, Any]:
            response = await host.call("GET", f"/admin/functions/{name}")
            assert response.status == 200
            return dict(await response.json())

        schema = (await shown("typed"))["inputSchema"]
        assert schema["properties"]["item"]["type"] == "string"
        assert (schema["properties"]["count"]["default"], schema["required"]) == (1, ["item"])
        for name in ("plain", "odd", "work"):
            assert "inputSchema" not in await shown(name)
