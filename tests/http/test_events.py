"""Server-sent events: how they are written, kept alive, come back to, and end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from pydantic import BaseModel

from bindings import AuthLevel, EventStream, FunctionApp, HttpRequest, ServerSentEvent
from tests.http.hosting import running_host
from tests.kit.manual_clock import ManualClock


class Step(BaseModel):
    number: int


def telling(make: Callable[[HttpRequest], Any]) -> FunctionApp:
    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route()
    async def tell(req: HttpRequest) -> Any:
        return make(req)

    return app


async def several(*events: Any) -> AsyncIterator[Any]:
    for event in events:
        yield event


def plain(*events: Any) -> Iterator[Any]:
    yield from events


WRITTEN = [
    ("text", b"data: text\n\n"),
    ("h\xe9", b"data: h\xc3\xa9\n\n"),
    ("", b"data: \n\n"),
    ("two\nlines\r\nor\rmore", b"data: two\ndata: lines\ndata: or\ndata: more\n\n"),
    ({"a": [1]}, b'data: {"a":[1]}\n\n'),
    ([1, 2], b"data: [1,2]\n\n"),
    (7, b"data: 7\n\n"),
    (None, b"data: null\n\n"),
    (Step(number=1), b'data: {"number":1}\n\n'),
    ({"a": "x\ny"}, b'data: {"a":"x\\ny"}\n\n'),
    (ServerSentEvent("x"), b"data: x\n\n"),
    (ServerSentEvent({"a": 1}, event="step"), b'event: step\ndata: {"a":1}\n\n'),
    (
        ServerSentEvent("x", event="e", id="7", retry=1000),
        b"event: e\nid: 7\nretry: 1000\ndata: x\n\n",
    ),
    (ServerSentEvent(id="7"), b"id: 7\n\n"),
    (ServerSentEvent(id=""), b"id: \n\n"),
]


@pytest.mark.parametrize("iterate", [several, plain], ids=["async", "plain"])
async def test_events_are_written_as_pages_read_them(iterate: Callable[..., Any]) -> None:
    events = [event for event, _ in WRITTEN]
    async with running_host(app=telling(lambda _: EventStream(iterate(*events)))) as host:
        response = await host.call("GET", "/api/tell")
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert await response.read() == b"".join(written for _, written in WRITTEN)


async def test_an_authors_headers_come_first() -> None:
    headers = {"cache-control": "no-cache", "X-A": "b"}
    app = telling(lambda _: EventStream(several("x"), 201, headers))
    async with running_host(app=app) as host:
        response = await host.call("GET", "/api/tell")
        assert (response.status, response.headers.getall("Cache-Control")) == (201, ["no-cache"])
        assert response.headers["X-A"] == "b"


@pytest.mark.parametrize(
    "fields",
    [
        {"event": "a\nb"},
        {"event": "a\rb"},
        {"id": "a\r\nb"},
        {"id": "a\0"},
        {"id": 7},
        {"event": b"x"},
        {"retry": -1},
        {"retry": True},
        {"retry": "5"},
        {"retry": 1.5},
    ],
)
def test_what_would_be_another_event_is_none(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"The {next(iter(fields))} of an event"):
        ServerSentEvent("x", **fields)


@pytest.mark.parametrize("event", ["\ud800", {"a": object()}, float("nan")])
async def test_an_event_that_cannot_be_written_breaks_the_stream_off(
    event: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_host(app=telling(lambda _: EventStream(several("x", event)))) as host:
        response = await host.http.request("GET", "/api/tell")
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    assert "The function 'tell' broke off its answer" in caplog.text


async def test_a_page_that_comes_back_says_which_event_it_had_last() -> None:
    def after(req: HttpRequest) -> EventStream:
        first = int(req.last_event_id or 0) + 1
        events = [ServerSentEvent(n, id=f"{n}") for n in range(first, 4)]
        return EventStream(several(*events))

    async with running_host(app=telling(after)) as host:
        response = await host.call("GET", "/api/tell", headers={"Last-Event-ID": "2"})
        assert await response.read() == b"id: 3\ndata: 3\n\n"
        assert (await (await host.call("GET", "/api/tell")).read()).startswith(b"id: 1\n")


class Feed:
    """Events that a test gives, and whether the iterator was closed."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        self.closed = asyncio.Event()

    async def __call__(self) -> AsyncIterator[Any]:
        try:
            while True:
                yield await self.events.get()
        finally:
            self.closed.set()


async def test_the_head_is_sent_at_once_and_comments_while_nothing_happens() -> None:
    feed, clock = Feed(), ManualClock()
    app = telling(lambda _: EventStream(feed()))
    async with running_host(app=app, clock=clock) as host:
        client = await host.raw.connect()
        await client.send_head("GET", "/api/tell")
        assert await client.status() == 200  # before there is any event
        await clock.advance(timedelta(seconds=14))
        feed.events.put_nowait("one")
        assert await client.chunk() == b"data: one\n\n"
        await clock.advance(timedelta(seconds=14))
        await clock.advance(timedelta(seconds=1))  # 15 s after the event
        assert await client.chunk() == b":\n\n"
        for _ in range(2):
            await clock.advance(timedelta(seconds=15))
            assert await client.chunk() == b":\n\n"
        feed.events.put_nowait("two")
        assert await client.chunk() == b"data: two\n\n"
        await client.close()
        await feed.closed.wait()


async def test_a_page_that_goes_away_closes_its_iterator(
    caplog: pytest.LogCaptureFixture,
) -> None:
    feed = Feed()
    async with running_host(app=telling(lambda _: EventStream(feed()))) as host:
        client = await host.raw.connect()
        await client.send_head("GET", "/api/tell")
        assert await client.status() == 200
        await client.close()
        await feed.closed.wait()
    assert caplog.text == ""


async def test_streams_end_as_they_should_when_their_host_stops(
    caplog: pytest.LogCaptureFixture,
) -> None:
    feed = Feed()
    async with running_host(app=telling(lambda _: EventStream(feed()))) as host:
        session = aiohttp.ClientSession(host.origin)
        response = await session.get("/api/tell")
        feed.events.put_nowait("one")
        assert await response.content.readany() == b"data: one\n\n"
        ended = asyncio.create_task(response.read())
    assert await ended == b""  # no error: all chunks came, the last one, too
    assert feed.closed.is_set()
    await session.close()
    assert caplog.text == ""


async def test_head_makes_no_events() -> None:
    feed = Feed()
    async with running_host(app=telling(lambda _: EventStream(feed()))) as host:
        response = await host.call("HEAD", "/api/tell")
        assert (response.status, response.content_type) == (200, "text/event-stream")
