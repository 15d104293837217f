"""A store that is away when a host starts: it is waited for, but not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import pytest

from host.errors import StartStoppedError, StorageUnavailableError, StoreAwayError
from host.storage.local_queues import LocalQueues
from host.storage.memory import MemoryStore
from host.storage.patience import SLOW_S, TOLD_EVERY_S, StoreOpener, unless
from host.storage.protocol import HubQueues, HubStore
from tests.kit.manual_clock import ManualClock

SECOND = timedelta(seconds=1)
AWAY = StoreAwayError("GetItem failed: AWS answered 503 without a reason")


class Place:
    """Where a store is that cannot be opened until `error` is None."""

    def __init__(self, clock: ManualClock, error: Exception | None = AWAY) -> None:
        self.clock = clock
        self.error = error
        self.tries = 0
        self.is_open = False
        self.answers = asyncio.Event()
        self.answers.set()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[tuple[HubStore, HubQueues]]:
        self.tries += 1
        await self.answers.wait()
        if self.error is not None:
            raise self.error
        self.is_open = True
        yield MemoryStore(self.clock.now), LocalQueues()
        self.is_open = False

    def opener(self, patience_s: float = 900) -> StoreOpener:
        return StoreOpener(self.opened, self.clock, patience_s=patience_s, jitter=lambda: 1.0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def test_a_store_that_is_there_is_opened_at_once_and_closed_in_the_end(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    place = Place(clock, error=None)
    async with AsyncExitStack() as stack:
        await place.opener().open(stack)
        are_open = [place.is_open]
    assert [*are_open, place.is_open] == [True, False]
    assert not caplog.records


async def test_found_f14_a_store_that_is_away_is_opened_when_it_is_back(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    place = Place(clock)
    async with AsyncExitStack() as stack:
        opening = asyncio.create_task(place.opener().open(stack))
        await clock.advance(SECOND, steps=200)
        assert 10 < place.tries < 25
        place.error = None
        await clock.advance(SECOND, steps=15)
        await opening
        assert place.is_open
    told = [record.getMessage() for record in caplog.records]
    assert told[0] == (
        f"The host waits for its store, for 900 s more at most (funchost.startPatienceSeconds): "
        f"{AWAY}"
    )
    assert len(told) == 1 + 200 // TOLD_EVERY_S
    assert all("still waits" in line for line in told[1:])


async def test_after_its_patience_a_start_ends_and_says_how_long_it_tried(
    clock: ManualClock,
) -> None:
    place = Place(clock)
    opening = asyncio.create_task(place.opener(60).open(AsyncExitStack()))
    await clock.advance(SECOND, steps=60)
    with pytest.raises(StorageUnavailableError, match=r"without a reason The host tried \d+ times"):
        await opening


@pytest.mark.parametrize(
    ("error", "patience_s"),
    [
        pytest.param(StorageUnavailableError("There is no table"), 900, id="what stays so"),
        pytest.param(AWAY, 0, id="no patience at all"),
    ],
)
async def test_what_is_not_waited_for_ends_the_start_at_once(
    clock: ManualClock, error: StorageUnavailableError, patience_s: float
) -> None:
    place = Place(clock, error)
    with pytest.raises(StorageUnavailableError) as caught:
        await place.opener(patience_s).open(AsyncExitStack())
    assert caught.value is error
    assert place.tries == 1


async def test_a_store_that_says_nothing_is_soon_told_of(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    place = Place(clock, error=None)
    place.answers.clear()
    async with AsyncExitStack() as stack:
        opening = asyncio.create_task(place.opener().open(stack))
        await clock.advance(SECOND, steps=int(SLOW_S))
        assert [record.getMessage() for record in caplog.records] == [
            "The store has not answered for 3 s. The host goes on trying."
        ]
        place.answers.set()
        await opening


async def test_a_host_that_is_told_to_stop_waits_no_longer(clock: ManualClock) -> None:
    place, stopped = Place(clock), asyncio.Event()
    opening = asyncio.create_task(unless(stopped, place.opener().open(AsyncExitStack())))
    await clock.advance(SECOND)
    stopped.set()
    with pytest.raises(StartStoppedError):
        await opening


async def test_what_ends_before_the_stop_is_not_stopped() -> None:
    stopped = asyncio.Event()
    assert await unless(stopped, asyncio.sleep(0, "done")) == "done"
    stopped.set()
    await asyncio.sleep(0)
