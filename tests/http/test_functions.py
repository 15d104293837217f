"""HTTP-triggered functions over real HTTP: routing, requests, responses, limits, failures."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bindings import AuthLevel, FunctionApp, HttpRequest, HttpResponse
from host.errors import ConfigurationError
from host.functions.model import App
from host.http.answers import FUNCTION_FAILED
from host.http.functions.routes import route_functions
from tests.http.hosting import Host, host_functions, running_host


@dataclass(frozen=True)
class Point:
    x: int
    y: int


def returning(value: Any) -> FunctionApp:
    """An app whose function `give` returns the value."""
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route("give")
    def give(req: HttpRequest) -> Any:
        return value

    return app


async def answer_to(value: Any) -> tuple[int, str, bytes]:
    """Status, content type and body of the answer when a function returns the value."""
    async with running_host(app=returning(value)) as host:
        response = await host.call("GET", "/api/give")
        content_type = response.headers.get("Content-Type", "")
        return response.status, content_type, await response.read()


TEXT = "text/plain; charset=utf-8"
JSON = "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("value", "status", "content_type", "body"),
    [
        (None, 204, "", b""),
        ("hé", 200, TEXT, "hé".encode()),
        ("", 200, TEXT, b""),
        (b"\x00\xff", 200, "application/octet-stream", b"\x00\xff"),
        ({"a": [1]}, 200, JSON, b'{"a":[1]}'),
        ([1, None], 200, JSON, b"[1,null]"),
        (Point(1, 2), 200, JSON, b'{"x":1,"y":2}'),
        (0, 200, JSON, b"0"),
        ({"body": "x"}, 200, JSON, b'{"body":"x"}'),
        ('{"a":1}', 200, TEXT, b'{"a":1}'),
        ("{no json", 200, TEXT, b"{no json"),
        (HttpResponse("x", 404), 404, TEXT, b"x"),
        (HttpResponse("{}", mimetype="application/json"), 200, "application/json", b"{}"),
        (HttpResponse("é", charset="latin-1"), 200, "text/plain; charset=latin-1", b"\xe9"),
        (HttpResponse(b"x", headers={"Content-Type": "a/b"}), 200, "a/b", b"x"),
        (HttpResponse("x", headers={"Content-Length": "99"}), 200, TEXT, b"x"),
    ],
)
async def test_what_a_function_returns_becomes_the_response(
    value: Any, status: int, content_type: str, body: bytes
) -> None:
    assert await answer_to(value) == (status, content_type, body)


@pytest.mark.parametrize(
    "value",
    [
        HttpResponse("x", 99),
        HttpResponse("x", 1000),
        HttpResponse("x", headers={"X": "a\r\nb: c"}),
        HttpResponse("€", charset="latin-1"),
        HttpResponse("x", charset="no-such"),
        "\ud800",
        float("nan"),
        object(),
    ],
)
async def test_what_cannot_be_sent_is_the_functions_failure(
    value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    status, _, body = await answer_to(value)
    assert (status, json.loads(body)) == (500, {"Message": FUNCTION_FAILED})
    assert "The function 'give' failed" in caplog.text


def describing() -> FunctionApp:
    """An app whose functions say who was called and with what."""
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route("items/{id:int}", methods=["GET"])
    async def item(req: HttpRequest) -> Any:
        return {"item": req.route_params}

    @app.route("items/special", methods=["GET"])
    async def special(req: HttpRequest) -> Any:
        return "special"

    @app.route("items/{name}", methods=["GET", "PUT"])
    async def named(req: HttpRequest) -> Any:
        return {"named": req.route_params, "method": req.method}

    @app.route("files/{*path}")
    async def files(req: HttpRequest) -> Any:
        return {"path": req.route_params["path"]}

    @app.route(methods=["POST"])
    async def whole(req: HttpRequest) -> Any:
        return {
            "url": req.url,
            "params": req.params,
            "header": req.headers["X-CUSTOM"],
            "json": req.get_json(),
        }

    @app.route("fail")
    def fail(req: HttpRequest) -> None:
        raise ValueError("secret detail")

    return app


async def test_the_most_specific_route_wins() -> None:
    async with running_host(app=describing()) as host:
        got = [await read(host, f"/api/items/{each}") for each in ("7", "special", "x")]
    assert got == [
        {"item": {"id": "7"}},
        "special",
        {"named": {"name": "x"}, "method": "GET"},
    ]


async def read(host: Host, path: str, method: str = "GET") -> Any:
    response = await host.call(method, path)
    assert response.status == 200
    is_json = response.headers["Content-Type"].startswith("application/json")
    return await response.json() if is_json else await response.text()


async def test_a_route_of_the_right_verb_is_found_behind_more_specific_ones() -> None:
    async with running_host(app=describing()) as host:
        assert await read(host, "/api/items/7", "PUT") == {"named": {"name": "7"}, "method": "PUT"}


async def test_a_function_that_changes_its_route_parameters_changes_no_other_request() -> None:
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route("things/{id}/{rest?}", methods=["GET"])
    async def thing(req: HttpRequest) -> dict[str, str]:
        seen = dict(req.route_params)
        req.route_params["rest"] = "left behind"  # type: ignore[index]
        return seen

    async with running_host(app=app) as host:
        for _ in range(3):
            answer = await host.call("GET", "/api/things/1")
            assert await answer.json() == {"id": "1"}
        other = await host.call("GET", "/api/THINGS/2/b%2Fc")
        assert await other.json() == {"id": "2", "rest": "b/c"}


async def test_a_path_of_any_length_finds_its_route() -> None:
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route("all/{*rest}", methods=["GET"])
    async def everything(req: HttpRequest) -> str:
        return req.route_params["rest"]

    async with running_host(app=app) as host:
        for rest in ("a", "a/" * 40 + "b", "a" * 300, "a/b%20c", "a" * 300 + "%20"):
            for _ in range(2):
                answer = await host.call("GET", f"/api/all/{rest}")
                assert await answer.text() == rest.replace("%20", " ")
        for _ in range(2):
            client = await host.raw.connect()
            await client.send_head("GET", "/api/all/%ff")
            assert await client.status() == 400


async def test_a_wrong_verb_is_no_route() -> None:
    async with running_host(app=describing()) as host:
        assert (await host.call("DELETE", "/api/items/7")).status == 404
        assert (await host.call("GET", "/api/whole")).status == 404


async def test_paths_match_in_any_case_and_are_decoded_once() -> None:
    async with running_host(app=describing()) as host:
        assert await read(host, "/API/Items/a%20b") == {
            "named": {"name": "a b"},
            "method": "GET",
        }
        assert await read(host, "/api/files/a/b.txt/") == {"path": "a/b.txt"}


async def test_a_function_sees_the_whole_request() -> None:
    async with running_host(app=describing()) as host:
        path = "/api/whole?a=1&a=2&b=x%20y"
        response = await host.call("POST", path, json=[1], headers={"x-custom": "h"})
        assert await response.json() == {
            "url": host.origin + path,
            "params": {"a": "2", "b": "x y"},
            "header": "h",
            "json": [1],
        }


async def test_a_failing_function_is_a_500_without_details_and_a_logged_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running_host(app=describing()) as host:
        response = await host.call("GET", "/api/fail")
        assert (response.status, await response.json()) == (500, {"Message": FUNCTION_FAILED})
    assert "secret detail" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
@pytest.mark.parametrize("path", ["coroutine", "plain"])
async def test_what_would_end_a_program_is_a_500_without_details(
    caplog: pytest.LogCaptureFixture, error: type[BaseException], path: str
) -> None:
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route("coroutine")
    async def coroutine(req: HttpRequest) -> None:
        raise error

    @app.route("plain")
    def plain(req: HttpRequest) -> None:
        raise error

    async with running_host(app=app) as host:
        for _ in range(2):  # the host goes on
            response = await host.call("GET", f"/api/{path}")
            assert (response.status, await response.json()) == (500, {"Message": FUNCTION_FAILED})
    assert f"Function '{path}' raised {error.__name__}" in caplog.text


async def test_a_body_over_the_limit_is_refused() -> None:
    limit = {"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1000"}
    async with running_host(app=describing(), values=limit) as host:
        response = await host.call("POST", "/api/whole", data=b"x" * 1001)
        assert response.status == 413


async def test_the_route_prefix_can_be_changed_and_removed() -> None:
    for prefix, path in (("v1/x", "/v1/x/give"), ("", "/give")):
        async with running_host(app=returning("x"), http={"routePrefix": prefix}) as host:
            assert await read(host, path) == "x"
            assert (await host.call("GET", "/api/give")).status == 404


async def test_custom_headers_are_added() -> None:
    http = {"customHeaders": {"X-Frame-Options": "DENY"}}
    async with running_host(app=returning("x"), http=http) as host:
        response = await host.call("GET", "/api/give")
        assert response.headers["X-Frame-Options"] == "DENY"


def pausing(started: asyncio.Semaphore, go_on: asyncio.Event) -> FunctionApp:
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route("pause")
    async def pause(req: HttpRequest) -> str:
        started.release()
        await go_on.wait()
        return "done"

    return app


async def test_requests_over_the_outstanding_limit_are_turned_away() -> None:
    started, go_on = asyncio.Semaphore(0), asyncio.Event()
    http = {"maxOutstandingRequests": 1}
    async with running_host(app=pausing(started, go_on), http=http) as host:
        first = asyncio.create_task(host.call("GET", "/api/pause"))
        await started.acquire()
        second = await host.call("GET", "/api/pause")
        assert (second.status, second.headers["X-FUNCTION-SCALEOUT"]) == (429, "1")
        assert (await host.call("GET", "instances")).status == 200
        go_on.set()
        assert (await first).status == 200
        assert (await host.call("GET", "/api/pause")).status == 200


async def test_requests_over_the_concurrency_limit_wait() -> None:
    started, go_on = asyncio.Semaphore(0), asyncio.Event()
    http = {"maxConcurrentRequests": 1}
    async with running_host(app=pausing(started, go_on), http=http) as host:
        calls = [asyncio.create_task(host.call("GET", "/api/pause")) for _ in range(2)]
        await started.acquire()
        assert (await host.call("GET", "instances")).status == 200
        assert started.locked()
        go_on.set()
        assert [(await each).status for each in calls] == [200, 200]


async def test_a_disabled_function_is_not_found() -> None:
    async with running_host(app=returning("x"), disabled=["give"]) as host:
        assert (await host.call("GET", "/api/give")).status == 404


def routed(**routes: str) -> FunctionApp:
    app = FunctionApp()

    def add(name: str, route: str) -> None:
        @app.function_name(name)
        @app.route(route, methods=["GET"])
        def function(req: HttpRequest) -> None:
            return None

    for name, route in routes.items():
        add(name, route)
    return app


@pytest.mark.parametrize(
    ("routes", "error"),
    [
        ({"a": "x/{id}", "b": "X/{name}"}, "taken by the function 'a'"),
        ({"a": "x", "b": "x/{id"}, "brace"),
        ({"a": "x", "b": "x/{id:no}"}, "no route constraint"),
    ],
)
def test_a_function_with_an_impossible_route_is_broken(routes: dict[str, str], error: str) -> None:
    app, table = route_functions(App(functions=host_functions(routed(**routes))), "api")
    assert [each.name for each in app.functions] == ["a"]
    assert [each.name for each in app.broken] == ["b"]
    assert error in app.broken[0].error
    assert [each.path for each in table.routes] == [f"/api/{routes['a']}"]


def test_routes_of_the_host_itself_cannot_be_taken() -> None:
    functions = host_functions(routed(a="healthz", b="readyz/x", c="fine"))
    app, _ = route_functions(App(functions=functions), "")
    assert [each.name for each in app.broken] == ["a", "b"]
    app, _ = route_functions(App(functions=functions), "admin/x")
    assert [each.name for each in app.broken] == ["a", "b", "c"]
    app, _ = route_functions(App(functions=functions), "api")
    assert app.broken == ()


async def test_a_lost_connection_is_no_failure_of_the_host(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.ERROR)
    async with running_host(app=describing()) as host:
        _, writer = await asyncio.open_connection(host.http.host, host.http.port)
        writer.write(b"POST /api/whole HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert (await host.call("GET", "/healthz")).status == 200
    assert caplog.text == ""


async def test_an_id_that_was_not_awaited_is_the_functions_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)
    left: list[Any] = []

    @app.route("forgets")
    @app.durable_client_input("client")
    async def forgets(req: HttpRequest, client: Any) -> HttpResponse:
        left.append(client.schedule_new_orchestration("x"))
        response: HttpResponse = client.create_check_status_response(req, left[0])
        return response

    async with running_host(app=app) as host:
        response = await host.call("GET", "/api/forgets")
        assert (response.status, await response.json()) == (500, {"Message": FUNCTION_FAILED})
    left[0].close()
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert "a coroutine that was not awaited: write await before the call" in record.getMessage()


async def test_found_d13_a_header_that_is_no_utf8_is_latin_1_to_a_function() -> None:
    app = FunctionApp()

    @app.route("echo")
    async def echo(req: HttpRequest) -> dict[str, object]:
        return {"name": req.headers["X-Name"], "cookies": dict(req.cookies)}

    async with running_host(app=app) as host:
        client = await host.raw.connect()
        await client.send_head("GET", "/api/echo", "X-Name: Jos\xe9", "Cookie: n=Jos\xe9")
        assert await client.status() == 200
        assert "Jos\xe9".encode() in await client.body(30)
        await client.close()


@pytest.mark.parametrize("text", ["1O0", "abc", "-1", "0"])
async def test_found_g13_a_body_limit_that_is_none_is_refused(text: str) -> None:
    limit = {"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": text}
    with pytest.raises(ConfigurationError, match="FUNCTIONS_REQUEST_BODY_SIZE_LIMIT must be"):
        async with running_host(app=describing(), values=limit):
            pass
