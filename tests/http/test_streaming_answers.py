"""Answers that functions make while they are sent."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bindings import AuthLevel, FunctionApp, HttpRequest, StreamingResponse
from host.http.answers import FUNCTION_FAILED
from tests.http.hosting import Host, running_host
from tests.kit.manual_clock import ManualClock
from tests.kit.served_app import served

MakeApp = Callable[[Mapping[str, str]], Path]


def returning(make: Callable[[], Any]) -> FunctionApp:
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route()
    async def give(req: HttpRequest) -> Any:
        return make()

    return app


async def several(*chunks: Any) -> AsyncIterator[Any]:
    for chunk in chunks:
        yield chunk


def plain(*chunks: Any) -> Iterator[Any]:
    yield from chunks


TEXT = "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("make", "status", "content_type", "body"),
    [
        (lambda: StreamingResponse(several(b"a", b"b")), 200, TEXT, b"ab"),
        (lambda: StreamingResponse(several("h\xe9", bytearray(b"b"), memoryview(b"c"))), 200, TEXT,
         b"h\xc3\xa9bc"),
        (lambda: StreamingResponse(several("h\xe9"), charset="latin-1"), 200,
         "text/plain; charset=latin-1", b"h\xe9"),
        (lambda: StreamingResponse(plain(b"a", "b")), 200, TEXT, b"ab"),
        (lambda: StreamingResponse(["a", "b"]), 200, TEXT, b"ab"),
        (lambda: StreamingResponse(several(b"", b"a", b"", "")), 200, TEXT, b"a"),
        (lambda: StreamingResponse(several()), 200, TEXT, b""),
        (lambda: StreamingResponse(plain()), 200, TEXT, b""),
        (lambda: StreamingResponse(several(b"a"), 206, {"X-A": "b"}, "text/csv"), 206,
         "text/csv; charset=utf-8", b"a"),
        (lambda: StreamingResponse(several(b"a"), headers={"content-type": "a/b"}), 200, "a/b",
         b"a"),
        (lambda: StreamingResponse(several(b"a"), headers={"Content-Length": "9"}), 200, TEXT,
         b"a"),
        (lambda: (StreamingResponse(several(b"a")), 201), 201, TEXT, b"a"),
        (lambda: (StreamingResponse(several(b"a")), 201, {"Content-Type": "a/b"}), 201, "a/b",
         b"a"),
        (lambda: StreamingResponse(several(b"a"), 204), 204, TEXT, b""),
    ],
)  # fmt: skip
async def test_chunks_become_the_answer(
    make: Callable[[], Any], status: int, content_type: str, body: bytes
) -> None:
    async with running_host(app=returning(make)) as host:
        for _ in range(2):  # the connection serves the next request, too
            response = await host.call("GET", "/api/give")
            got = response.status, response.headers["Content-Type"], await response.read()
            assert got == (status, content_type, body)


def failing_at_once() -> Iterator[Any]:
    yield 1 // 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: StreamingResponse("text"),
        lambda: StreamingResponse(b"text"),
        lambda: StreamingResponse(7),  # type: ignore[arg-type]
        lambda: StreamingResponse(several({"a": 1})),
        lambda: StreamingResponse(plain(1)),
        lambda: StreamingResponse(several("\ud800")),
        lambda: StreamingResponse(several("x"), charset="no-such"),
        lambda: StreamingResponse(several("x"), 99),
        lambda: StreamingResponse(several("x"), headers={"X": "a\r\nb: c"}),
        lambda: StreamingResponse(failing_at_once()),
    ],
)
async def test_what_goes_wrong_before_the_first_chunk_is_the_functions_failure(
    make: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with running_host(app=returning(make)) as host:
        response = await host.call("GET", "/api/give")
        assert (response.status, await response.json()) == (500, {"Message": FUNCTION_FAILED})
    assert "The function 'give' failed" in caplog.text


class Source:
    """A generator of either kind that waits before each chunk but the first until it may go on."""

    def __init__(
        self, *, is_plain: bool, end: BaseException | None = None, at_once: int = 1
    ) -> None:
        self.made = 0
        self.closed = asyncio.Event()
        self.is_plain = is_plain
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._may = threading.Semaphore(at_once)
        self._may_soon = asyncio.Semaphore(at_once)

    def go_on(self) -> None:
        self._may.release()
        self._may_soon.release()

    def response(self) -> StreamingResponse:
        return StreamingResponse(self._plain() if self.is_plain else self._chunks())

    async def _chunks(self) -> AsyncIterator[bytes]:
        try:
            while self.made < 3:
                await self._may_soon.acquire()
                self.made += 1
                yield b"chunk"
            if self._end is not None:
                raise self._end
        finally:
            self.closed.set()

    def _plain(self) -> Iterator[bytes]:
        try:
            while self.made < 3:
                assert self._may.acquire(timeout=30)
                self.made += 1
                yield b"chunk"
            if self._end is not None:
                raise self._end
        finally:
            assert threading.current_thread() is not threading.main_thread()
            self._loop.call_soon_threadsafe(self.closed.set)


kinds = pytest.mark.parametrize("is_plain", [False, True], ids=["async", "plain"])


@kinds
async def test_a_chunk_is_sent_before_the_next_one_is_made(is_plain: bool) -> None:
    source = Source(is_plain=is_plain)
    async with running_host(app=returning(source.response)) as host:
        client = await host.raw.connect()
        await client.send_head("GET", "/api/give")
        assert await client.status() == 200
        for _ in range(2):
            assert await client.chunk() == b"chunk"
            source.go_on()
        assert await client.chunk() == b"chunk"
        assert await client.chunk() == b""
        await source.closed.wait()


@kinds
async def test_an_iterator_is_closed_when_its_client_goes_away_while_it_waits(
    is_plain: bool, caplog: pytest.LogCaptureFixture
) -> None:
    source = Source(is_plain=is_plain)
    async with running_host(app=returning(source.response)) as host:
        client = await host.raw.connect()
        await client.send_head("GET", "/api/give")
        assert await client.status() == 200
        await client.close()
        if is_plain:  # nothing stops its step: it is closed after that
            await asyncio.sleep(0)
            source.go_on()
        await source.closed.wait()
    assert source.made < 3
    assert caplog.text == ""


@kinds
async def test_a_client_that_goes_away_before_the_first_chunk_is_no_failure(
    is_plain: bool, caplog: pytest.LogCaptureFixture
) -> None:
    begun = asyncio.Event()
    source = Source(is_plain=is_plain, at_once=0)

    def make() -> StreamingResponse:
        begun.set()
        return source.response()

    async with running_host(app=returning(make)) as host:
        client = await host.raw.connect()
        await client.send_head("GET", "/api/give")
        await begun.wait()
        for _ in range(10):
            await asyncio.sleep(0)
        await client.close()
        if is_plain:
            source.go_on()
        await source.closed.wait()
        assert (await host.call("GET", "/healthz")).status == 200
    assert caplog.text == ""


async def test_no_more_is_made_than_the_client_reads() -> None:
    made = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal made
        while True:
            made += 1
            yield b"x" * 100_000

    async with running_host(app=returning(lambda: StreamingResponse(endless()))) as host:
        client = await host.raw.connect(limit=1000)
        await client.send_head("GET", "/api/give")
        assert await client.status() == 200
        assert (await host.call("GET", "/healthz")).status == 200
        before = -1
        while made != before:  # until both ends' buffers are full
            before = made
            for _ in range(100):
                await asyncio.sleep(0)
        assert made < 500
        for _ in range(made):
            await client.chunk()
        assert made > before


async def test_a_client_that_reads_nothing_is_cut_off_and_the_iterator_closed() -> None:
    closed, clock = asyncio.Event(), ManualClock()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 100_000
        finally:
            closed.set()

    app = returning(lambda: StreamingResponse(endless()))
    async with running_host(app=app, clock=clock, limits={"writeTimeoutSeconds": 30}) as host:
        client = await host.raw.connect(limit=1000)
        await client.send_head("GET", "/api/give")
        assert await client.status() == 200
        while not closed.is_set():
            await clock.advance(timedelta(seconds=1))


@kinds
@pytest.mark.parametrize("error", [ValueError("no luck"), ConnectionResetError("theirs")])
async def test_an_answer_that_breaks_off_is_not_taken_for_whole(
    is_plain: bool, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    sources = []

    def make() -> StreamingResponse:
        sources.append(Source(is_plain=is_plain, end=error, at_once=3))
        return sources[-1].response()

    async with running_host(app=returning(make)) as host:
        response = await host.http.request("GET", "/api/give")
        assert response.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
        client = await host.raw.connect()
        await client.send(b"GET /api/give HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert await client.is_reset()  # it has no other way to say so
        for each in sources:
            await each.closed.wait()
    assert caplog.text.count("The function 'give' broke off its answer, for it failed") == 2
    assert str(error) in caplog.text


async def test_a_chunk_that_is_none_breaks_the_answer_off(caplog: pytest.LogCaptureFixture) -> None:
    async with running_host(app=returning(lambda: StreamingResponse(several(b"a", 7)))) as host:
        response = await host.http.request("GET", "/api/give")
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    assert "A chunk of the answer is bytes or a text, not int" in caplog.text


async def test_an_old_client_gets_all_of_it_until_the_connection_closes() -> None:
    async with running_host(app=returning(lambda: StreamingResponse(several("ab", "c")))) as host:
        client = await host.raw.connect()
        await client.send(b"GET /api/give HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert await client.status() == 200
        assert (await client.rest()).endswith(b"\r\n\r\nabc")


async def test_head_makes_nothing() -> None:
    source = Source(is_plain=False)
    async with running_host(app=returning(source.response)) as host:
        response = await host.call("HEAD", "/api/give")
        assert (response.status, response.headers["Content-Type"]) == (200, TEXT)
        assert (await host.call("GET", "/healthz")).status == 200
    assert source.made == 0


async def test_what_fails_when_it_is_closed_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
                await asyncio.Event().wait()
        finally:
            closed.set()
            raise ValueError("badly closed")

    async with running_host(app=returning(lambda: StreamingResponse(endless()))) as host:
        client = await host.raw.connect()
        await client.send_head("GET", "/api/give")
        assert await client.status() == 200
        await client.close()
        await closed.wait()
        assert (await host.call("GET", "/healthz")).status == 200
    assert "badly closed" in caplog.text


@pytest.mark.parametrize("setting", ["maxOutstandingRequests", "maxConcurrentRequests"])
async def test_an_answer_counts_among_requests_until_it_is_sent(setting: str) -> None:
    sources: list[Source] = []

    def make() -> StreamingResponse:
        sources.append(Source(is_plain=False))
        return sources[-1].response()

    async def second(host: Host) -> aiohttp.ClientResponse:
        return await host.http.request("GET", "/api/give")

    async with running_host(app=returning(make), http={setting: 1}) as host:
        for _ in range(3):
            client = await host.raw.connect()
            await client.send_head("GET", "/api/give")
            assert await client.status() == 200
            if setting == "maxOutstandingRequests":
                assert (await second(host)).status == 429
                await client.close()
                await sources[-1].closed.wait()
            else:
                waiting = asyncio.create_task(second(host))
                for _ in range(20):
                    await asyncio.sleep(0)
                assert len(sources) == 1
                await client.close()
                response = await waiting
                assert response.status == 200
                response.close()
                await sources[-1].closed.wait()
                sources.clear()


async def test_custom_headers_are_on_answers_that_are_made_while_sent() -> None:
    app = returning(lambda: StreamingResponse(several(b"a")))
    async with running_host(app=app, http={"customHeaders": {"X-A": "b"}}) as host:
        assert (await host.call("GET", "/api/give")).headers["X-A"] == "b"


FUNCTION = """
    from funchost import StreamingResponse

    def chunks():
        yield "a"
        yield "b"

    def give(req):
        return StreamingResponse(chunks())
"""
FOLDER = {
    "give/function.json": json.dumps(
        {
            "bindings": [
                {"type": "httpTrigger", "name": "req", "authLevel": "anonymous"},
                {"type": "http", "direction": "out", "name": "$return"},
            ],
            "entryPoint": "give",
        }
    ),
    "give/__init__.py": FUNCTION,
}


async def test_a_function_json_function_may_answer_so(make_app: MakeApp) -> None:
    async with (
        served(make_app(FOLDER)) as (_, session),
        session.get("/api/give") as response,
    ):
        assert await response.text() == "ab"
