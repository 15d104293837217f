"""Every shape of request and response that users of Azure Functions, Flask or aiohttp would try."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDict
from pydantic import BaseModel

from bindings import AuthLevel, DurableClient, FunctionApp, HttpRequest, HttpResponse
from host.http.answers import FUNCTION_FAILED
from tests.http.hosting import durable_app, running_host

TEXT = "text/plain; charset=utf-8"
JSON = "application/json; charset=utf-8"


class Order(BaseModel):
    name: str
    count: int = 1


class Pair(NamedTuple):
    """A value, and no answer with a status."""

    name: str
    size: int


class Size(TypedDict):
    width: int


WHEN = b'{"when":"2026-01-02T00:00:00Z"}'


@dataclass(frozen=True)
class Answer:
    """What a client sees: the header fields that are not the server's, in order."""

    status: int
    content_type: str
    body: bytes
    headers: list[tuple[str, str]]


OWN = {"content-type", "content-length", "date", "server", "connection"}
SAFETY = {"x-content-type-options", "cross-origin-resource-policy"}


def returning(value: Any) -> FunctionApp:
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route("give")
    def give(req: HttpRequest) -> Any:
        return value(req) if callable(value) else value

    return app


async def answer_to(value: Any, *, is_drop_in: bool = False, **request: Any) -> Answer:
    async with running_host(app=returning(value), drop_in=is_drop_in) as host:
        method = "POST" if {"data", "json"} & request.keys() else "GET"
        response = await host.call(method, "/api/give", **request)
        headers = [
            (name, each)
            for name, each in response.headers.items()
            if name.lower() not in OWN | SAFETY
        ]
        content_type = response.headers.get("Content-Type", "")
        return Answer(response.status, content_type, await response.read(), headers)


# ---- what is returned ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"body":"x","headers":{"Set-Cookie":"a=b"},"status":302}',
        '{"body":"x","status":201}',
        '{"Body":{"a":1},"StatusCode":"202","total":3}',
        '{"body":null}',
        '  {"body": 1, "cookies": [{"name": "a", "value": "b"}]}',
    ],
)
@pytest.mark.parametrize("is_drop_in", [False, True])
async def test_found_d7_a_text_is_a_text_whatever_it_looks_like(
    text: str, is_drop_in: bool
) -> None:
    assert await answer_to(text, is_drop_in=is_drop_in) == Answer(200, TEXT, text.encode(), [])


@pytest.mark.parametrize(
    "value",
    [{"body": "x"}, {"body": "x", "status": 201}, {"body": 1, "headers": {"X": "y"}, "more": 2}],
)
async def test_found_d7_an_object_with_a_body_is_json(value: dict[str, Any]) -> None:
    answer = await answer_to(value)
    assert (answer.status, answer.content_type, answer.headers) == (200, JSON, [])
    assert b'"body":' in answer.body


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"body": "x", "status": 201}, Answer(201, TEXT, b"x", [])),
        ({"Body": {"a": 1}, "StatusCode": "202"}, Answer(202, JSON, b'{"a":1}', [])),
        ({"body": None}, Answer(200, TEXT, b"", [])),
        ({"body": b"\x00"}, Answer(200, "application/octet-stream", b"\x00", [])),
        (
            {"body": "<x/>", "headers": {"content-type": "text/xml", "X-A": 1}},
            Answer(200, "text/xml", b"<x/>", [("X-A", "1")]),
        ),
        (
            {"body": "x", "cookies": [{"name": "c", "value": "v", "maxAge": 5, "Secure": True}]},
            Answer(200, TEXT, b"x", [("Set-Cookie", "c=v; Max-Age=5; Secure")]),
        ),
        ({"body": "x", "total": 2}, Answer(200, JSON, b'{"body":"x","total":2}', [])),
    ],
)
async def test_found_d7_a_function_json_function_may_describe_a_response(
    value: dict[str, Any], expected: Answer
) -> None:
    assert await answer_to(value, is_drop_in=True) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (("made", 201), Answer(201, TEXT, b"made", [])),
        (({"a": 1}, HTTPStatus.ACCEPTED), Answer(202, JSON, b'{"a":1}', [])),
        ((None, 404), Answer(404, "", b"", [])),
        (("x", 201, {"X-A": "b"}), Answer(201, TEXT, b"x", [("X-A", "b")])),
        (("x", 200, {"Content-Type": "text/csv"}), Answer(200, "text/csv", b"x", [])),
        ((1, 2), Answer(200, JSON, b"[1,2]", [])),
        ((200, 404), Answer(200, JSON, b"[200,404]", [])),
        (("a", "b"), Answer(200, JSON, b'["a","b"]', [])),
        (("a", True), Answer(200, JSON, b'["a",true]', [])),
        (Pair("a", 404), Answer(200, JSON, b'["a",404]', [])),
        ((Pair("a", 404), 201), Answer(201, JSON, b'["a",404]', [])),
        ((Order(name="x"), 201), Answer(201, JSON, b'{"name":"x","count":1}', [])),
        (([1], 202, [("X-A", "b")]), Answer(202, JSON, b"[1]", [("X-A", "b")])),
        ((None, 201, {"Location": "/x"}), Answer(201, "", b"", [("Location", "/x")])),
        ((b"\x00", 206), Answer(206, "application/octet-stream", b"\x00", [])),
        ({"when": datetime(2026, 1, 2, tzinfo=UTC)}, Answer(200, JSON, WHEN, [])),
        ({"left": Order(name="x")}, Answer(200, JSON, b'{"left":{"name":"x","count":1}}', [])),
        (Size(width=2), Answer(200, JSON, b'{"width":2}', [])),
        (memoryview(b"x"), Answer(200, "application/octet-stream", b"x", [])),
        (False, Answer(200, JSON, b"false", [])),
        ([], Answer(200, JSON, b"[]", [])),
        ({}, Answer(200, JSON, b"{}", [])),
        ((), Answer(200, JSON, b"[]", [])),
        (Order(name="x"), Answer(200, JSON, b'{"name":"x","count":1}', [])),
        (HttpResponse({"a": 1}), Answer(200, "application/json", b'{"a":1}', [])),
        (
            HttpResponse(Order(name="x"), 201),
            Answer(201, "application/json", b'{"name":"x","count":1}', []),
        ),
        (
            HttpResponse([1], mimetype="application/problem+json"),
            Answer(200, "application/problem+json", b"[1]", []),
        ),
        (HttpResponse(bytearray(b"x")), Answer(200, TEXT, b"x", [])),
        (HttpResponse(None, 204), Answer(204, TEXT, b"", [])),
        (lambda _: web.Response(text="own", status=203), Answer(203, TEXT, b"own", [])),
        (lambda _: web.json_response({"a": 1}), Answer(200, JSON, b'{"a": 1}', [])),
    ],
)
async def test_shapes_of_values(value: Any, expected: Answer) -> None:
    assert await answer_to(value) == expected


def with_header_added() -> HttpResponse:
    response = HttpResponse("x")
    response.headers["X-A"] = "1"
    response.headers.add("x-a", "2")
    return response


def with_cookies() -> HttpResponse:
    response = HttpResponse("x")
    response.set_cookie("a", "1", max_age=60, httponly=True, secure=False, samesite="Lax")
    response.set_cookie("b", "2")
    return response


@pytest.mark.parametrize(
    ("response", "headers"),
    [
        (HttpResponse("x", headers=None), []),
        (HttpResponse("x", headers={}), []),
        (HttpResponse("x", headers={"X-A": "b"}), [("X-A", "b")]),
        (HttpResponse("x", headers={"X-A": 1, "X-B": None}), [("X-A", "1")]),
        (HttpResponse("x", headers={"X-A": b"b"}), [("X-A", "b")]),
        (HttpResponse("x", headers={"X-A": ""}), [("X-A", "")]),
        (HttpResponse("x", headers={"X-A": "a\tb"}), [("X-A", "a\tb")]),
        (HttpResponse("x", headers=[("X-A", "1"), ("X-A", "2")]), [("X-A", "1"), ("X-A", "2")]),
        (
            HttpResponse("x", headers=CIMultiDict([("X-A", "1"), ("x-a", "2")])),
            [("X-A", "1"), ("x-a", "2")],
        ),
        (
            HttpResponse("x", headers={"Set-Cookie": ["a=1", "b=2; Path=/"]}),
            [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2; Path=/")],
        ),
        (with_header_added(), [("X-A", "1"), ("x-a", "2")]),
        (
            with_cookies(),
            [("Set-Cookie", "a=1; Max-Age=60; HttpOnly; SameSite=Lax"), ("Set-Cookie", "b=2")],
        ),
        (HttpResponse("x", headers={"Transfer-Encoding": "chunked", "Connection": "close"}), []),
    ],
)
async def test_found_d13_shapes_of_headers(
    response: HttpResponse, headers: list[tuple[str, str]]
) -> None:
    assert await answer_to(response) == Answer(200, TEXT, b"x", headers)


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse("x", headers={"X:Y": "a"}),
        HttpResponse("x", headers={"Transfer-Encoding ": "chunked"}),
        HttpResponse("x", headers={"": "a"}),
        HttpResponse("x", headers={"X Y": "a"}),
        HttpResponse("x", headers={"Xé": "a"}),
        HttpResponse("x", headers={"X": "a\r\nSet-Cookie: b=c"}),
        HttpResponse("x", headers={"X": "a\nb"}),
        HttpResponse("x", headers={"X": "a\x00b"}),
        HttpResponse("x", headers={"X": "a\x01b"}),
        HttpResponse("x", headers={"X": "a\x7fb"}),
        HttpResponse("x", headers={"X": "\ud800"}),
        HttpResponse("x", headers={"Set-Cookie": "a b=c"}),
        HttpResponse("x", headers={"Set-Cookie": "a=b c; Path=/"}),
        HttpResponse("x", mimetype="text/html\r\nX: y"),
        HttpResponse("x", 600),
        ("x", 201, {"X:Y": "a"}),
        ("x", 201, 5),
    ],
)
async def test_found_d13_what_would_be_another_message_is_a_clear_500(
    response: Any, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await answer_to(response)
    assert (answer.status, answer.headers) == (500, [])
    assert json.loads(answer.body) == {"Message": FUNCTION_FAILED}
    assert "FunctionResponseError" in caplog.text


@pytest.mark.parametrize(
    "cookie",
    [
        1,
        {"name": "a"},
        {"name": "a b", "value": "x"},
        {"name": "a", "value": "x; Domain=evil"},
        {"name": "a", "value": "x", "path": "/; Secure"},
        {"name": "a", "value": "x", "path": "/\r\nX: y"},
        {"name": "a", "value": "x", "colour": "red"},
    ],
)
async def test_found_d13_no_cookie_can_be_made_another_one(
    cookie: Any, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await answer_to({"body": "x", "cookies": [cookie]}, is_drop_in=True)
    assert (answer.status, answer.headers) == (500, [])
    assert "cookie" in caplog.text


@pytest.mark.parametrize(
    ("value", "attributes"),
    [("x; Domain=evil", {}), ("a b", {}), ("x", {"path": "/; Secure"}), ("x", {"colour": "red"})],
)
def test_found_d13_set_cookie_refuses_what_would_add_attributes(
    value: str, attributes: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="cookie"):
        HttpResponse("x").set_cookie("a", value, **attributes)


# ---- what is sent --------------------------------------------------------------------------------


def multipart() -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("title", "Grüße")
    form.add_field("tag", "a")
    form.add_field("tag", "b")
    form.add_field("file", b"\x00\xff\r\n--", filename="ab.bin", content_type="image/png")
    return form


@pytest.mark.parametrize(
    ("read", "request_", "expected"),
    [
        (
            lambda r: dict(r.params),
            {"params": [("a", "1"), ("a", "2"), ("b", "")]},
            {"a": "2", "b": ""},
        ),
        (
            lambda r: r.cookies,
            {"headers": {"Cookie": 'a=1; b="x y"; a=2; bad; c=d=e'}},
            {"a": "1", "b": "x y", "c": "d=e"},
        ),
        (lambda r: r.cookies, {}, {}),
        (lambda r: r.headers["x-a"], {"headers": {"X-A": "b"}}, "b"),
        (lambda r: r.headers.get("X-None", "none"), {}, "none"),
        (lambda r: r.get_json(), {"json": {"a": [1, None]}}, {"a": [1, None]}),
        (lambda r: r.json(), {"data": b" "}, None),
        (lambda r: r.get_body().decode(), {"data": b"raw"}, "raw"),
        (lambda r: dict(r.form), {"data": {"a": "1", "b": "x y"}}, {"a": "1", "b": "x y"}),
        (
            lambda r: r.form.getall("a"),
            {"data": aiohttp.FormData([("a", "1"), ("a", "2")])},
            ["1", "2"],
        ),
        (lambda r: r.form["a"], {"data": aiohttp.FormData([("a", "1"), ("a", "2")])}, "1"),
        (lambda r: dict(r.form), {}, {}),
        (lambda r: dict(r.form), {"json": {"a": "b=c"}}, {}),
        (lambda r: dict(r.form), {"data": "a=b", "headers": {"Content-Type": "text/plain"}}, {}),
        (lambda r: dict(r.files), {"data": {"a": "1"}}, {}),
        (
            lambda r: [*r.form.getall("tag"), r.form["title"]],
            {"data": multipart},
            ["a", "b", "Grüße"],
        ),
        (
            lambda r: [r.files["file"].filename, r.files["file"].content_type],
            {"data": multipart},
            ["ab.bin", "image/png"],
        ),
        (lambda r: r.files["file"].read().hex(), {"data": multipart}, b"\x00\xff\r\n--".hex()),
        (lambda r: r.files["file"].stream.read(1).hex(), {"data": multipart}, "00"),
    ],
)
async def test_found_d15_shapes_of_requests(
    read: Callable[[HttpRequest], Any], request_: dict[str, Any], expected: Any
) -> None:
    sent = {key: each() if callable(each) else each for key, each in request_.items()}
    got: list[Any] = []
    await answer_to(lambda request: got.append(read(request)), **sent)
    assert got == [expected]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=a", b"x"),
        (
            "multipart/form-data; boundary=a",
            b"--a\r\nContent-Disposition: form-data; name=b\r\n\r\nx",
        ),
        ("multipart/form-data; boundary=", b"----\r\n\r\n"),
        ("application/x-www-form-urlencoded", b"&".join(b"a=%d" % n for n in range(1001))),
    ],
)
async def test_found_d15_a_form_that_cannot_be_read_is_a_400(
    content_type: str, body: bytes
) -> None:
    headers = {"Content-Type": content_type}
    answer = await answer_to(lambda request: dict(request.form), data=body, headers=headers)
    assert answer.status == 400
    assert b"form" in answer.body


# ---- what is raised ------------------------------------------------------------------------------


def refusing() -> FunctionApp:
    """An app whose functions let the errors of the client and of models out."""
    app = durable_app()
    app.http_auth_level = AuthLevel.ANONYMOUS

    @app.route("begin/{id}")
    @app.orchestration_client("client")
    async def begin(req: HttpRequest, client: DurableClient) -> str:
        name = req.params.get("name", "waiting")
        return await client.schedule_new_orchestration(name, instance_id=req.route_params["id"])

    @app.route("resume/{id}")
    @app.orchestration_client("client")
    async def raise_event(req: HttpRequest, client: DurableClient) -> None:
        await client.raise_event(req.route_params["id"], "go")

    @app.route("order")
    async def order(req: HttpRequest) -> int:
        return Order.model_validate(req.get_json()).count

    @app.route("raw")
    async def raw(req: HttpRequest) -> int:
        return Order.model_validate_json(req.get_body()).count

    @app.route("part")
    async def part(req: HttpRequest) -> int:
        return sum(Order.model_validate(each).count for each in req.get_json()["orders"])

    @app.route("query")
    async def query(req: HttpRequest) -> int:
        return Order.model_validate(req.params).count

    @app.route("own")
    async def own(req: HttpRequest) -> int:
        return Order.model_validate({"name": "x", "count": "of my own"}).count

    return app


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "/api/begin/one", None, 409, "already exists"),
        ("POST", "/api/begin/two?name=nobody", None, 404, "'nobody'"),
        ("POST", f"/api/begin/{'x' * 1000}", None, 400, "instance"),
        ("POST", "/api/resume/nobody", None, 404, "nobody"),
        ("POST", "/api/order", "{", 400, "not JSON"),
        ("POST", "/api/order", "{}", 400, "name: Field required"),
        ("POST", "/api/order", '{"name": "x", "count": "many"}', 400, "count: "),
        ("POST", "/api/order", "[]", 400, "the whole: "),
        ("POST", "/api/raw", '{"name": 5}', 400, "name: "),
        ("POST", "/api/part", '{"orders": [{"name": "x"}, {"name": null}]}', 400, "name: "),
        ("GET", "/api/query?name=x&count=many", None, 400, "count: "),
        ("POST", "/api/own", '{"name": "x", "count": 1}', 500, ""),
        ("POST", "/api/own", None, 500, ""),
    ],
)
async def test_found_d16_whose_fault_it_is_decides_the_status(
    method: str, path: str, body: str | None, status: int, said: str
) -> None:
    async with running_host(app=refusing()) as host:
        await host.call("POST", "/api/begin/one")
        response = await host.call(method, path, data=body)
        assert response.status == status
        assert said in await response.text()


@pytest.mark.parametrize(
    "error", [GeneratorExit, KeyboardInterrupt, type("Own", (BaseException,), {})]
)
@pytest.mark.parametrize("path", ["coroutine", "plain"])
async def test_found_h9_whatever_is_raised_is_answered(
    error: type[BaseException], path: str
) -> None:
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route("coroutine")
    async def coroutine(req: HttpRequest) -> None:
        await asyncio.sleep(0)
        raise error

    @app.route("plain")
    def plain(req: HttpRequest) -> None:
        raise error

    async with running_host(app=app) as host:
        for _ in range(2):
            assert (await host.call("GET", f"/api/{path}")).status == 500


# ---- responses that are kept ---------------------------------------------------------------------


def keeping(make: Callable[[], Any]) -> FunctionApp:
    """An app whose function `give` returns one and the same thing each time."""
    kept = make()
    return returning(lambda _: kept)


def cookie_response() -> web.Response:
    response = web.json_response({"a": 1}, status=203, headers={"X": "y"})
    response.set_cookie("c", "1")
    return response


@pytest.mark.parametrize(
    "make",
    [
        cookie_response,
        lambda: web.Response(text="kept"),
        lambda: web.Response(status=204),
        lambda: web.HTTPNotFound(text="kept"),
        lambda: (web.Response(text="kept"), 418, {"X": "y"}),
        lambda: HttpResponse("kept", headers={"X": "y"}),
    ],
)
async def test_found_d13_a_response_that_is_kept_is_sent_each_time_it_is_returned(
    make: Callable[[], Any],
) -> None:
    async with running_host(app=keeping(make), http={"customHeaders": {"Own": "1"}}) as host:
        answers = []
        for _ in range(3):
            response = await host.call("GET", "/api/give")
            fields = [each for each in response.headers.items() if each[0] != "Date"]
            answers.append((response.status, await response.read(), fields))
    assert answers[0] == answers[1] == answers[2]
    assert dict(answers[0][2])["Own"] == "1"


async def test_found_d13_nobody_gets_the_answer_to_the_request_after_theirs() -> None:
    app, kept = (
        keeping(lambda: web.Response(text="kept")),
        b"GET /api/give HTTP/1.1\r\nHost: localhost\r\n",
    )

    @app.route("other")
    async def other(req: HttpRequest) -> str:
        return "other"

    async with running_host(app=app) as host:
        await host.call("GET", "/api/give")
        reader, writer = await asyncio.open_connection(host.http.host, host.http.port)
        last = b"GET /api/other HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        writer.write(kept + b"\r\n" + last + b"\r\n")
        text = (await reader.read()).decode()
        writer.close()
    assert text.count("HTTP/1.1 200") == 2
    assert text.index("kept") < text.index("other")


async def chunks() -> AsyncIterator[bytes]:
    yield b"once"


@pytest.mark.parametrize(
    "make", [web.StreamResponse, lambda: web.FileResponse("/etc/hostname"), web.WebSocketResponse]
)
async def test_found_d13_a_response_that_cannot_be_sent_is_the_functions_failure(
    make: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    assert (await answer_to(lambda _: make())).status == 500
    assert "cannot be sent" in caplog.text


@pytest.mark.parametrize("is_file", [True, False])
async def test_found_d13_a_body_that_can_be_read_once_is_never_sent_as_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, is_file: bool
) -> None:
    (tmp_path / "file").write_bytes(b"once")

    def body() -> Any:
        return (tmp_path / "file").open("rb") if is_file else chunks()

    async with running_host(app=keeping(lambda: web.Response(body=body()))) as host:
        first = await host.call("GET", "/api/give")
        assert await first.read() == b"once"
        second = await host.call("GET", "/api/give")
        assert second.status == 500
    assert "was sent before" in caplog.text


@pytest.mark.parametrize("length", ["50", "0"])
async def test_found_d13_a_wrong_length_makes_no_answer_part_of_the_next(length: str) -> None:
    def returns() -> web.Response:
        return web.Response(text="w", headers={"Content-Length": length})

    async with running_host(app=keeping(returns)) as host:
        for _ in range(2):
            response = await host.call("GET", "/api/give")
            assert (response.headers["Content-Length"], await response.text()) == ("1", "w")
