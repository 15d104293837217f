"""HEAD for whatever takes GET, and OPTIONS for every path of a function."""

from __future__ import annotations

import pytest

from bindings import AuthLevel, FunctionApp, HttpRequest
from tests.http.hosting import Host, running_host


def an_app() -> FunctionApp:
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route("gets", methods=["GET"])
    def gets(req: HttpRequest) -> dict[str, str]:
        return {"method": req.method}

    @app.route("gets", methods=["POST", "DELETE"])
    def posts(req: HttpRequest) -> str:
        return req.method

    @app.route("heads", methods=["GET"])
    def other(req: HttpRequest) -> str:
        return "not asked"

    @app.route("heads", methods=["HEAD"])
    def heads(req: HttpRequest) -> str:
        return "asked"

    @app.route("options", methods=["GET", "OPTIONS"])
    def options(req: HttpRequest) -> str:
        return f"own {req.method}"

    @app.route("any")
    def any_verb(req: HttpRequest) -> str:
        return f"any {req.method}"

    @app.route("items/{id:int}", methods=["PUT"])
    def items(req: HttpRequest) -> None: ...

    return app


async def test_a_function_that_takes_get_takes_head() -> None:
    async with running_host(app=an_app()) as host:
        got = await host.call("GET", "/api/gets")
        head = await host.call("HEAD", "/api/gets")
        assert (head.status, await head.read()) == (200, b"")
        ignored = {"Date", "Content-Length"}
        assert {k: v for k, v in head.headers.items() if k not in ignored} == {
            k: v for k, v in got.headers.items() if k not in ignored
        }
        assert head.headers["Content-Length"] == str(len(b'{"method":"HEAD"}'))
        assert (await host.call("HEAD", "/api/heads")).headers["Content-Length"] == "5"
        assert (await host.call("HEAD", "/api/items/1")).status == 404


@pytest.mark.parametrize("path", ["instances", "/healthz", "/", "/openapi.json", "export"])
async def test_what_the_host_itself_gives_can_be_asked_for_by_head(host: Host, path: str) -> None:
    got = await host.call("GET", path)
    head = await host.call("HEAD", path)
    assert (got.status, head.status, await head.read()) == (200, 200, b"")
    for name in ("Content-Type", "Content-Length"):
        assert head.headers.get(name) == got.headers.get(name)


async def test_head_needs_the_key_that_get_needs(locked: Host) -> None:
    for path in ("instances", "/admin/functions", "/openapi.json"):
        assert (await locked.call("HEAD", path)).status == 401


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/api/gets", "GET, POST, DELETE, HEAD, OPTIONS"),
        ("/API/Gets", "GET, POST, DELETE, HEAD, OPTIONS"),
        ("/api/items/7", "PUT, OPTIONS"),
    ],
)
async def test_options_says_what_a_path_takes(path: str, allow: str) -> None:
    async with running_host(app=an_app()) as host:
        response = await host.call("OPTIONS", path)
        assert (response.status, response.headers["Allow"]) == (204, allow)
        assert await response.read() == b""


async def test_a_function_that_takes_options_is_asked() -> None:
    async with running_host(app=an_app()) as host:
        assert await (await host.call("OPTIONS", "/api/options")).text() == "own OPTIONS"
        assert await (await host.call("OPTIONS", "/api/any")).text() == "any OPTIONS"


async def test_options_of_nothing_is_nothing() -> None:
    async with running_host(app=an_app()) as host:
        for path in ("/api/nothing", "/api/items/x"):
            assert (await host.call("OPTIONS", path)).status == 404
        assert (await host.call("OPTIONS", "instances")).status == 405
