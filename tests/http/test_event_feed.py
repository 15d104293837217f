"""`GET /events`: what happens on a host, for pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from host.http.browser_sessions import LIFETIME
from host.http.keys import KeyKind
from host.http.management.events import LOOK_S, MAX_EVENT_STREAMS, MAX_STREAM_S
from tests.http.hosting import WEBHOOKS, Host, running_host
from tests.http.test_sessions import sign_in
from tests.kit.hub import until
from tests.kit.manual_clock import ManualClock

SECOND = timedelta(seconds=1)


class Page:
    """A page that listens."""

    def __init__(self, response: aiohttp.ClientResponse, clock: ManualClock) -> None:
        self.response = response
        self._clock = clock
        self._rest = b""
        self.last_id = ""

    async def events(self, count: int = 1) -> list[dict[str, Any]]:
        """The next events, for which time passes."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            block = await self.block()
            fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            self.last_id = fields.get("id", self.last_id)
            if "data" in fields:
                found.append(json.loads(fields["data"]))
        return found

    async def block(self) -> str:
        """The next block, comments left out."""
        while True:
            while b"\n\n" not in self._rest:
                self._rest += await self._read()
            block, self._rest = self._rest.split(b"\n\n", 1)
            if block != b":":
                return block.decode()

    async def _read(self) -> bytes:
        reading = asyncio.ensure_future(self.response.content.readany())
        while not reading.done():
            await self._clock.advance(SECOND)
            await asyncio.wait([reading], timeout=0.01)
        chunk = await reading
        assert chunk, "the answer has ended"
        return chunk


@asynccontextmanager
async def listening(
    host: Host, clock: ManualClock, query: str = "", **headers: str
) -> AsyncIterator[Page]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    path = f"{WEBHOOKS}/events?{query}"
    async with host.http.session.get(path, headers=sent) as response:
        assert response.status == 200, await response.text()
        yield Page(response, clock)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def manual_host(clock: ManualClock) -> AsyncIterator[Host]:
    async with running_host(clock=clock) as host:
        yield host


async def test_a_page_is_told_what_happens(manual_host: Host, clock: ManualClock) -> None:
    async with listening(manual_host, clock) as page:
        assert page.response.headers["Content-Type"] == "text/event-stream"
        assert page.response.headers["Cache-Control"] == "no-store"
        first = await page.block()
        assert first.startswith("id: ")
        assert "retry: 2000" in first
        instance_id = await manual_host.ended("shouting", "a")
        found = await page.events(6)
        assert {each["instanceId"] for each in found} == {instance_id}
        assert {each["name"] for each in found} == {"shouting"}
        assert [each["kind"] for each in found][-1] == "ended"
        assert {each["kind"] for each in found} == {
            *("turn", "started", "ended", "activityStarted", "activityCompleted")
        }
        completed = next(each for each in found if each["kind"] == "activityCompleted")
        assert completed["activity"] == "shout"
        assert found[-1]["runtimeStatus"] == "Completed"
        assert found[-1]["lastUpdatedTime"].endswith("Z")


async def test_a_page_that_comes_back_goes_on_where_it_was(
    manual_host: Host, clock: ManualClock
) -> None:
    async with listening(manual_host, clock, "kind=ended") as page:
        first = await manual_host.ended()
        assert [each["instanceId"] for each in await page.events()] == [first]
    second = await manual_host.ended()
    async with listening(manual_host, clock, "kind=ended", Last_Event_ID=page.last_id) as back:
        assert [each["instanceId"] for each in await back.events()] == [second]
    async with listening(manual_host, clock, f"kind=ended&after={page.last_id}") as back:
        assert [each["instanceId"] for each in await back.events()] == [second]
    async with listening(manual_host, clock, "after=somewhere-else.7") as lost:
        assert await lost.events() == [{"kind": "missed"}]


async def test_a_page_asks_for_some_events_only(manual_host: Host, clock: ManualClock) -> None:
    query = "name=failing&runtimeStatus=Failed&kind=ended,quarantined"
    async with listening(manual_host, clock, query) as page:
        await manual_host.ended("echo")
        failed = await manual_host.ended("failing")
        (event,) = await page.events()
        assert (event["instanceId"], event["reason"]) == (failed, "ValueError: no luck")


@pytest.mark.parametrize(
    ("query", "reason"), [("kind=nothing", "one or more of turn"), ("runtimeStatus=x", "Running")]
)
async def test_what_cannot_be_asked_for_is_refused(host: Host, query: str, reason: str) -> None:
    response = await host.call("GET", f"events?{query}")
    assert response.status == 400
    assert reason in await response.text()


async def test_so_many_may_listen_and_one_that_leaves_makes_room(
    manual_host: Host, clock: ManualClock
) -> None:
    pages = [
        await manual_host.http.request("GET", f"{WEBHOOKS}/events")
        for _ in range(MAX_EVENT_STREAMS)
    ]
    refused = await manual_host.call("GET", "events")
    assert (refused.status, refused.headers["Retry-After"]) == (429, "5")
    pages.pop().close()

    async def is_let_in() -> bool:
        response = await manual_host.http.request("GET", f"{WEBHOOKS}/events")
        pages.append(response)
        return response.status == 200

    await until(is_let_in)
    for each in pages:
        each.close()


async def test_a_host_that_stops_ends_the_streams(caplog: pytest.LogCaptureFixture) -> None:
    async with running_host() as host:
        session = aiohttp.ClientSession(host.origin)
        response = await session.get(f"{WEBHOOKS}/events")
        assert (await response.content.readany()).startswith(b"id: ")
        ended = asyncio.create_task(response.read())
    assert await ended == b""
    await session.close()
    assert caplog.text == ""


async def test_a_stream_ends_after_a_while_so_that_its_key_is_looked_at_again(
    manual_host: Host, clock: ManualClock
) -> None:
    async with listening(manual_host, clock) as page:
        await page.block()
        await clock.advance(timedelta(seconds=MAX_STREAM_S))
        await manual_host.ended()
        with pytest.raises(AssertionError, match="the answer has ended"):
            await page.events()


async def test_head_listens_to_nothing(host: Host) -> None:
    response = await host.call("HEAD", "events")
    assert (response.status, response.content_type) == (200, "text/event-stream")
    assert not host.engine.feed.listeners


async def test_a_key_with_a_role_may_listen(tmp_path: Path, clock: ManualClock) -> None:
    async with running_host(tmp_path / "keys.json", clock=clock) as host:
        assert (await host.call("GET", "events")).status == 401
        assert (await host.call("GET", f"events?code={host.keys[KeyKind.FUNCTION]}")).status == 403
        async with listening(host, clock, f"code={host.keys[KeyKind.SYSTEM]}") as page:
            assert (await page.block()).startswith("id: ")


async def ended(page: Page, clock: ManualClock) -> bytes:
    """All that comes until the answer ends, for which time passes."""
    reading = asyncio.ensure_future(page.response.content.read())

    async def is_over() -> bool:
        await clock.advance(SECOND)
        return reading.done()

    await until(is_over)
    return (await reading).replace(b":\n\n", b"")


async def key_to_read(host: Host) -> tuple[str, dict[str, str]]:
    master = {"x-functions-key": host.keys[KeyKind.MASTER]}
    made = await host.call("POST", "/admin/host/systemkeys/page?role=read", headers=master)
    return str((await made.json())["value"]), master


@pytest.mark.parametrize("by", ["key", "session"])
async def test_found_a_stream_ends_with_its_key(
    by: str, tmp_path: Path, clock: ManualClock
) -> None:
    async with running_host(tmp_path / "keys.json", clock=clock) as host:
        value, master = await key_to_read(host)
        shown = {"x-functions-key": value}
        if by == "session":
            shown = {"Cookie": (await sign_in(host, value)).cookie}
        async with listening(host, clock, "kind=ended", **shown) as page:
            await page.block()
            before = clock.monotonic()
            await host.call("DELETE", "/admin/host/systemkeys/page", headers=master)
            assert await ended(page, clock) == b""
            assert clock.monotonic() - before <= LOOK_S + 1
        assert (await host.call("GET", "events", headers=shown)).status == 401


async def test_found_nothing_is_told_to_a_key_that_was_deleted(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with running_host(tmp_path / "keys.json", clock=clock) as host:
        value, master = await key_to_read(host)
        async with listening(host, clock, "kind=ended", x_functions_key=value) as page:
            await page.block()
            await host.call("DELETE", "/admin/host/systemkeys/page", headers=master)
            await host.call("POST", "orchestrators/echo/late", headers=master)
            await host.hub.wait_for_instance_completion("late")
            assert await ended(page, clock) == b""


async def test_found_a_stream_ends_with_its_session(tmp_path: Path, clock: ManualClock) -> None:
    async with running_host(tmp_path / "keys.json", clock=clock) as host:
        browser = await sign_in(host, host.keys[KeyKind.MASTER])
        clock.jump(LIFETIME - timedelta(seconds=30))
        async with listening(host, clock, "kind=ended", Cookie=browser.cookie) as page:
            await page.block()
            before = clock.monotonic()
            assert await ended(page, clock) == b""
            assert clock.monotonic() - before <= 30 + LOOK_S + 1
        assert (await browser.call("GET", "events")).status == 401


async def test_a_quiet_stream_goes_on_as_long_as_its_key(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with running_host(tmp_path / "keys.json", clock=clock) as host:
        value, master = await key_to_read(host)
        async with listening(host, clock, "kind=ended", x_functions_key=value) as page:
            await page.block()
            await clock.advance(timedelta(seconds=LOOK_S * 3))
            await host.call("POST", "orchestrators/echo/it", headers=master)
            assert [each["instanceId"] for each in await page.events()] == ["it"]
