"""Polls go on when their callers go away, and nothing they bring is lost."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest

from host.errors import StorageError
from host.storage.aws.queues.polls import KEEP_S, Polls
from host.storage.protocol import WakeUp
from tests.kit.manual_clock import ManualClock

KEPT = timedelta(seconds=KEEP_S)
PATIENCE_S = 10.0


class Source:
    """A queue whose answers a test gives, and the wake-ups that came back."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[Sequence[str] | Exception] = asyncio.Queue()
        self.limits: list[int] = []

    async def poll(self, limit: int) -> Sequence[WakeUp]:
        self.limits.append(limit)
        answer = await self.answers.get()
        if isinstance(answer, Exception):
            raise answer
        return [WakeUp(instance_id=name) for name in answer]


class Bench:
    """Two sources and their polls, on a clock that stands still."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.sources = (Source(), Source())
        self.given_back: list[str] = []
        self.polls = Polls(
            [source.poll for source in self.sources], give_back=self.take, clock=self.clock
        )

    async def take(self, wakeups: Sequence[WakeUp]) -> None:
        self.given_back += [wakeup.instance_id for wakeup in wakeups]

    def receive(self, limit: int = 9) -> asyncio.Future[Sequence[WakeUp]]:
        return asyncio.ensure_future(self.polls.receive(limit))

    async def answer(self, *answers: Sequence[str] | Exception, source: int = 0) -> None:
        for answer in answers:
            self.sources[source].answers.put_nowait(answer)
        await self.clock.until_quiet()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.polls.close(patience_s=0)


async def ids(receiving: asyncio.Future[Sequence[WakeUp]]) -> list[str]:
    return [wakeup.instance_id for wakeup in await receiving]


async def test_nothing_is_polled_before_somebody_waits(bench: Bench) -> None:
    await bench.clock.until_quiet()
    assert [source.limits for source in bench.sources] == [[], []]


async def test_a_poll_asks_for_what_is_wanted_and_goes_on_until_it_has_something(
    bench: Bench,
) -> None:
    receiving = bench.receive(7)
    await bench.answer([], ["a"])
    assert await ids(receiving) == ["a"]
    assert bench.sources[0].limits == [7, 7]


async def test_every_queue_is_polled_and_the_first_answer_counts(bench: Bench) -> None:
    receiving = bench.receive()
    await bench.answer(["b"], source=1)
    assert await ids(receiving) == ["b"]


async def test_a_poll_that_still_runs_serves_the_next_call(bench: Bench) -> None:
    first = bench.receive()
    await bench.answer(["b"], source=1)
    await first
    second = bench.receive()
    await bench.answer(["a"], source=0)
    assert await ids(second) == ["a"]
    assert bench.sources[0].limits == [9]


async def test_what_comes_when_nobody_waits_is_kept_for_the_next_call(bench: Bench) -> None:
    bench.receive().cancel()
    await bench.clock.until_quiet()
    receiving = bench.receive()
    await bench.clock.until_quiet()
    receiving.cancel()
    await bench.answer(["a", "b"])
    assert await ids(bench.receive(1)) == ["a"]
    assert await ids(bench.receive(1)) == ["b"]
    await bench.clock.advance(KEPT)
    assert bench.given_back == []


async def test_what_nobody_takes_is_given_back_after_a_moment(bench: Bench) -> None:
    receiving = bench.receive()
    await bench.clock.until_quiet()
    receiving.cancel()
    await bench.answer(["a", "b"])
    await bench.clock.advance(KEPT)
    assert bench.given_back == ["a", "b"]


async def test_what_came_to_a_call_in_the_moment_it_was_cancelled_is_not_lost(
    bench: Bench,
) -> None:
    cancelled = bench.receive()
    await bench.clock.until_quiet()
    bench.sources[0].answers.put_nowait(["a", "b"])
    await asyncio.sleep(0)  # the poll has its answer; the call has not run yet
    cancelled.cancel()
    assert await ids(bench.receive()) == ["a", "b"]


async def test_more_than_one_call_wants_goes_to_the_next(bench: Bench) -> None:
    first, second = bench.receive(2), bench.receive(2)
    await bench.answer(["a", "b", "c"])
    assert (await ids(first), await ids(second)) == (["a", "b"], ["c"])


async def test_an_error_reaches_all_who_wait_and_the_next_call_polls_again(bench: Bench) -> None:
    callers = [bench.receive(), bench.receive()]
    await bench.answer(StorageError("down"))
    for caller in callers:
        with pytest.raises(StorageError, match="down"):
            await caller
    again = bench.receive()
    await bench.answer(["a"])
    assert await ids(again) == ["a"]


async def test_closing_ends_calls_with_nothing_and_gives_back_what_is_left(bench: Bench) -> None:
    cancelled = bench.receive()
    await bench.clock.until_quiet()
    cancelled.cancel()
    await bench.answer(["a"])
    await bench.answer([], source=1)
    await bench.polls.close(patience_s=PATIENCE_S)
    assert bench.given_back == ["a"]
    assert list(await bench.polls.receive(9)) == []


async def test_found_a15_polls_under_way_are_heard_out_and_what_they_bring_is_given_back(
    bench: Bench,
) -> None:
    receiving = bench.receive()
    await bench.clock.until_quiet()
    closing = asyncio.ensure_future(bench.polls.close(patience_s=PATIENCE_S))
    await bench.clock.until_quiet()
    assert list(await receiving) == []
    assert not closing.done()
    await bench.answer(["late"], source=1)
    assert not closing.done()
    await bench.answer([], source=0)
    await closing
    assert bench.given_back == ["late"]


async def test_found_a15_no_poll_begins_after_the_stop_whatever_the_last_one_brings(
    bench: Bench,
) -> None:
    bench.receive()
    await bench.clock.until_quiet()
    closing = asyncio.ensure_future(bench.polls.close(patience_s=PATIENCE_S))
    await bench.clock.until_quiet()
    late = bench.receive()
    await bench.answer([], source=0)
    await bench.answer(StorageError("down"), source=1)
    await closing
    assert list(await late) == []
    assert [len(source.limits) for source in bench.sources] == [1, 1]


async def test_found_a15_a_poll_that_never_ends_holds_up_no_stop(bench: Bench) -> None:
    bench.receive()
    await bench.answer([], source=0)
    await bench.polls.close(patience_s=0)
    assert bench.given_back == []
