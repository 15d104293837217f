"""No refusal is a bare status: each has a body that says what is wrong, and none tells secrets."""

from __future__ import annotations

import pytest

from bindings import AuthLevel, FunctionApp, HttpRequest
from tests.http.hosting import running_host

INSTANCES = "/runtime/webhooks/durabletask/instances"


def app() -> FunctionApp:
    app = FunctionApp(http_auth_level=AuthLevel.FUNCTION)

    @app.route("broken", methods=["POST"])
    def broken(req: HttpRequest) -> str:
        raise ValueError("a secret")

    @app.route("off", methods=["POST"])
    def off(req: HttpRequest) -> str:
        return "off"

    @app.orchestration_trigger()
    async def echo(context: object, value: object) -> object:
        return value

    return app


@pytest.mark.parametrize(
    ("verb", "path", "status", "words"),
    [
        ("GET", f"{INSTANCES}/nobody", 404, "'nobody'"),
        ("DELETE", f"{INSTANCES}/nobody", 404, "'nobody'"),
        ("DELETE", f"{INSTANCES}?createdTimeFrom=2999-01-01", 404, "finished instance"),
        ("POST", f"{INSTANCES}/nobody/raiseEvent/go", 404, "'nobody'"),
        ("POST", f"{INSTANCES}/nobody/suspend", 404, "'nobody'"),
        ("POST", f"{INSTANCES}/nobody/redrive", 404, "'nobody'"),
        ("POST", f"{INSTANCES}/ended/terminate", 410, "Completed"),
        ("POST", f"{INSTANCES}/ended/resume", 410, "Completed"),
        ("PUT", INSTANCES, 405, "GET"),
        ("GET", "/runtime/webhooks/durabletask/nothing", 404, "/admin/functions"),
        ("GET", "/admin/nothing", 404, "/admin/functions"),
        ("GET", "/admin/functions/nobody", 404, "'nobody'"),
        ("GET", "/admin/functions/nobody/status", 404, "'nobody'"),
        ("POST", "/admin/functions/nobody", 404, "'nobody'"),
        ("POST", "/api/typo", 404, "/admin/functions"),
        ("GET", "/api/broken", 404, "/admin/functions"),
        ("POST", "/api/off", 404, "/admin/functions"),
        ("POST", "/api/broken", 500, "log"),
    ],
)
async def test_a_refusal_says_what_is_wrong(verb: str, path: str, status: int, words: str) -> None:
    async with running_host(app=app(), disabled=["off"]) as host:
        await host.start("echo", instance_id="ended")
        await host.until("ended", "Completed")
        response = await host.call(verb, path, json="")
        assert response.status == status
        assert response.content_type == "application/json"
        told = await response.json()
        assert words in told["Message"]
        assert "secret" not in str(told)


async def test_a_head_has_no_body() -> None:
    async with running_host(app=app()) as host:
        response = await host.call("HEAD", "/api/typo")
        assert (response.status, await response.read()) == (404, b"")
