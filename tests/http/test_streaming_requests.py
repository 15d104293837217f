"""Bodies that functions read while they come."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bindings import (
    AuthLevel,
    DurableClient,
    FunctionApp,
    HttpRequest,
    HttpResponse,
    RequestBodyError,
    StreamingRequest,
    StreamingResponse,
)
from host.http.answers import FUNCTION_FAILED
from tests.http.hosting import running_host
from tests.kit.served_app import served

MakeApp = Callable[[Mapping[str, str]], Path]


class Counting:
    """An app whose functions read bodies, and what they saw."""

    def __init__(self) -> None:
        self.seen: asyncio.Queue[bytes] = asyncio.Queue()
        self.left: asyncio.Queue[str] = asyncio.Queue()
        self.app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)
        self.app.route()(self.count)
        self.app.route()(self.measure)
        self.app.route()(self.echo)
        self.app.route()(self.forgive)
        self.app.route()(self.unread)
        self.app.route()(self.twice)

    async def count(self, req: StreamingRequest) -> dict[str, Any]:
        size, digest = 0, hashlib.sha256()
        try:
            async for chunk in req.stream():
                assert chunk
                size += len(chunk)
                digest.update(chunk)
                self.seen.put_nowait(chunk)
        except RequestBodyError as error:
            self.left.put_nowait(str(error))
            raise
        return {"size": size, "digest": digest.hexdigest(), "headers": dict(req.headers)}

    async def measure(self, req: StreamingRequest) -> dict[str, int]:
        return {"size": sum([len(chunk) async for chunk in req.stream()])}

    async def echo(self, req: StreamingRequest) -> StreamingResponse:
        return StreamingResponse(req.stream(), mimetype="application/octet-stream")

    async def forgive(self, req: StreamingRequest) -> str:
        try:
            async for _ in req.stream():
                pass
        except RequestBodyError as error:
            return f"{error.status}"
        return "whole"

    async def unread(self, req: StreamingRequest) -> str:
        return req.method

    async def twice(self, req: StreamingRequest) -> None:
        for _ in range(2):
            async for _ in req.stream():
                pass


async def test_a_function_reads_a_body_while_it_comes() -> None:
    counting = Counting()
    async with running_host(app=counting.app) as host:
        client = await host.raw.connect()
        await client.send_head("POST", "/api/count", "Transfer-Encoding: chunked")
        for part in (b"one", b"two!"):
            await client.send(b"%x\r\n%s\r\n" % (len(part), part))
            assert await counting.seen.get() == part
        await client.send(b"0\r\n\r\n")
        assert await client.status() == 200


async def test_an_answer_may_be_made_of_the_body_while_that_comes() -> None:
    async with running_host(app=Counting().app) as host:
        client = await host.raw.connect()
        await client.send_head("POST", "/api/echo", "Transfer-Encoding: chunked")
        for number, part in enumerate((b"one", b"two!")):
            await client.send(b"%x\r\n%s\r\n" % (len(part), part))
            assert number or await client.status() == 200
            assert await client.chunk() == part
        await client.send(b"0\r\n\r\n")
        assert await client.chunk() == b""


BODY = b"abc" * 100_000
RAW_DEFLATE = zlib.compressobj(wbits=-15)
PACKED = {
    "gzip": gzip.compress(BODY),
    "x-gzip": gzip.compress(BODY),
    "deflate": zlib.compress(BODY),
    "Deflate": RAW_DEFLATE.compress(BODY) + RAW_DEFLATE.flush(),
    "identity": BODY,
}


@pytest.mark.parametrize("encoding", PACKED)
async def test_a_packed_body_comes_unpacked(encoding: str) -> None:
    async with running_host(app=Counting().app) as host:
        headers = {"Content-Encoding": encoding}
        response = await host.call("POST", "/api/count", data=PACKED[encoding], headers=headers)
        said = await response.json()
        assert (said["size"], said["digest"]) == (len(BODY), hashlib.sha256(BODY).hexdigest())
        assert ("Content-Encoding" in said["headers"]) == (encoding == "identity")


async def test_a_body_that_is_packed_in_an_unknown_way_comes_as_it_is() -> None:
    async with running_host(app=Counting().app) as host:
        response = await host.call(
            "POST", "/api/count", data=b"br!", headers={"Content-Encoding": "br"}
        )
        said = await response.json()
        assert (said["size"], said["headers"]["Content-Encoding"]) == (3, "br")


async def test_a_body_of_any_size_needs_little_room() -> None:
    budget = {"maxBodyBytesInFlight": 300_000}
    async with running_host(app=Counting().app, limits=budget) as host:
        for _ in range(3):
            response = await host.call("POST", "/api/measure", data=BytesIO(b"x" * 5_000_000))
            assert await response.json() == {"size": 5_000_000}
        packed = gzip.compress(b"x" * 5_000_000)
        headers = {"Content-Encoding": "gzip"}
        response = await host.call("POST", "/api/measure", data=packed, headers=headers)
        assert await response.json() == {"size": 5_000_000}


async def chunked(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.mark.parametrize(
    ("data", "encoding", "status", "reason"),
    [
        (b"x" * 1001, "", 413, "larger than the host takes"),
        ([b"x" * 600, b"x" * 600], "", 413, "larger than the host takes"),
        (gzip.compress(b"x" * 50_000), "gzip", 413, "larger than the host takes"),
        (b"no gzip", "gzip", 400, "not encoded as it says"),
        (gzip.compress(b"x")[:-3], "gzip", 400, "ends before or after"),
        (gzip.compress(b"x") + b"y", "gzip", 400, "ends before or after"),
    ],
    ids=["declared", "in chunks", "unpacked", "not packed", "cut off", "with more"],
)
async def test_what_is_wrong_with_a_body_is_told_by_status_and_reason(
    data: Any, encoding: str, status: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    limit = {"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1000"}
    async with running_host(app=Counting().app, values=limit) as host:
        for path in ("count", "forgive", "echo"):
            body = chunked(*data) if isinstance(data, list) else data
            headers = {"Content-Encoding": encoding} if encoding else {}
            try:
                response = await host.call("POST", f"/api/{path}", data=body, headers=headers)
                text = await response.text()
            except aiohttp.ClientPayloadError:
                assert path == "echo"  # it had begun, and breaks off
                continue
            if path == "forgive":
                assert (response.status, text) == (200, str(status))
            else:
                assert response.status == status
                assert reason in json.loads(text)["Message"]
        assert (await host.call("POST", "/api/measure", data=b"x")).status == 200
    assert "Traceback" not in caplog.text


async def test_a_body_must_come_in_time() -> None:
    limits = {"bodyTimeoutSeconds": 0.05}
    async with running_host(app=Counting().app, limits=limits) as host:
        for length in ("Content-Length: 10", "Transfer-Encoding: chunked"):
            client = await host.raw.connect()
            await client.send_head("POST", "/api/count", length)
            assert await client.status() == 408
            assert b"did not come in time" in await client.rest()


async def test_a_body_that_drips_is_cut_off_however_long_it_may_take_in_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("host.http.bodies._PACE_S", 0.0)  # nothing that is waited for is in time
    async with running_host(app=Counting().app) as host:
        client = await host.raw.connect()
        await client.send_head("POST", "/api/count", "Transfer-Encoding: chunked")
        await client.send(b"1\r\nx\r\n")
        assert await client.status() == 408


async def test_a_function_learns_that_its_client_went_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counting = Counting()
    async with running_host(app=counting.app) as host:
        client = await host.raw.connect()
        await client.send_head("POST", "/api/count", "Content-Length: 10")
        await client.send(b"abc")
        assert await counting.seen.get() == b"abc"
        await client.close()
        assert "did not come as a whole" in await counting.left.get()
        assert (await host.call("POST", "/api/measure", data=b"x")).status == 200
    assert "Traceback" not in caplog.text


async def test_a_body_that_is_not_read_is_not_asked_for() -> None:
    async with running_host(app=Counting().app) as host:
        client = await host.raw.connect()
        lines = ("Content-Length: 10", "Expect: 100-continue")
        await client.send_head("POST", "/api/unread", *lines)
        assert await client.status() == 200
        assert b"connection: close" in (await client.rest()).lower()
        client = await host.raw.connect()
        await client.send_head("POST", "/api/measure", *lines)
        assert await client.status() == 100
        await client.send(b"0123456789")
        assert await client.status() == 200


async def test_a_stream_is_read_once(caplog: pytest.LogCaptureFixture) -> None:
    async with running_host(app=Counting().app) as host:
        response = await host.call("POST", "/api/twice", data=b"x")
        assert (response.status, await response.json()) == (500, {"Message": FUNCTION_FAILED})
    assert "comes only once" in caplog.text


async def test_nothing_is_held_for_who_reads_on_after_the_answer() -> None:
    app, ended = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS), asyncio.Event()
    tasks = []

    async def read_on(req: StreamingRequest) -> None:
        await ended.wait()
        with pytest.raises(RequestBodyError):
            async for _ in req.stream():
                pass

    @app.route()
    async def leave(req: StreamingRequest) -> None:
        tasks.append(asyncio.create_task(read_on(req)))

    async with running_host(app=app) as host:
        response = await host.call("POST", "/api/leave", data=b"x" * 200_000)
        assert response.status == 204
        ended.set()
        await tasks[0]


async def test_a_function_run_by_hand_gets_its_text_as_a_stream() -> None:
    counting = Counting()
    async with running_host(app=counting.app) as host:
        response = await host.call("POST", "/admin/functions/count", json={"input": "by hand"})
        assert response.status == 202
        assert await counting.seen.get() == b"by hand"


def test_only_a_coroutine_function_takes_a_stream() -> None:
    def plain(req: StreamingRequest) -> None: ...

    app = FunctionApp()
    app.route()(plain)
    (found,) = app.declarations()
    assert "which only an `async def` can" in str(found.error)  # type: ignore[union-attr]


@pytest.mark.parametrize("hint", [HttpRequest, bytes, dict[str, int]])
def test_a_stream_is_annotated_as_one(hint: Any) -> None:
    async def other(req: Any) -> None: ...

    other.__annotations__["req"] = hint
    app = FunctionApp()
    app.route(data_type="stream")(other)
    (found,) = app.declarations()
    assert "annotate it with StreamingRequest" in str(found.error)  # type: ignore[union-attr]


SOURCE = """
    from funchost import StreamingRequest

    async def annotated(req: StreamingRequest):
        return {"chunks": sum([1 async for chunk in req.stream() if chunk])}

    async def bare(req):
        return await annotated(req)
"""


def folder(entry_point: str, **properties: str) -> str:
    trigger = {"type": "httpTrigger", "name": "req", "authLevel": "anonymous", **properties}
    reply = {"type": "http", "direction": "out", "name": "$return"}
    declared = {"scriptFile": "../bodies.py", "entryPoint": entry_point}
    return json.dumps({**declared, "bindings": [trigger, reply]})


STYLES = {
    "decorator": {
        "function_app.py": """
            import bodies
            from funchost import FunctionApp
            app = FunctionApp(http_auth_level="anonymous")
            app.route("take")(bodies.annotated)
        """
    },
    "decorator, by data type": {
        "function_app.py": """
            import bodies
            from funchost import FunctionApp
            app = FunctionApp(http_auth_level="anonymous")
            app.route("take", data_type="stream")(bodies.bare)
        """
    },
    "function.json": {"take/function.json": folder("annotated")},
    "function.json, by data type": {"take/function.json": folder("bare", dataType="Stream")},
}


@pytest.mark.parametrize("style", STYLES)
async def test_both_styles_take_streams(make_app: MakeApp, style: str) -> None:
    app = make_app({"bodies.py": SOURCE, **STYLES[style]})
    async with served(app) as (_, session):
        async with session.post("/api/take", data=b"x" * 100_000) as response:
            assert response.status == 200, await response.text()
            assert (await response.json())["chunks"] > 1
        async with session.post("/api/take") as response:
            assert await response.json() == {"chunks": 0}


async def test_a_test_of_an_author_makes_a_request_of_chunks() -> None:
    counting = Counting()
    request = StreamingRequest(method="POST", url="http://localhost/", chunks=[b"a", b"b"])
    assert (await counting.count(request))["size"] == 2
    request = StreamingRequest(method="POST", url="http://localhost/", chunks=chunked(b"a"))
    assert (await counting.measure(request)) == {"size": 1}


async def test_a_stream_can_start_an_orchestration() -> None:
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.orchestration_trigger()
    async def noop(context: Any) -> None: ...

    @app.route()
    @app.orchestration_client("client")
    async def start(req: StreamingRequest, client: DurableClient) -> HttpResponse:
        size = sum([len(chunk) async for chunk in req.stream()])
        return client.create_check_status_response(
            req, await client.schedule_new_orchestration("noop", input=size)
        )

    async with running_host(app=app) as host:
        response = await host.call("POST", "/api/start", data=b"abc")
        assert response.status == 202
        assert (await response.json())["statusQueryGetUri"].startswith(host.origin)
