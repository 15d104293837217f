"""Polls go on when their callers go away, and nothing they bring is lost."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest

from host.errors import StorageError
from host.storage.aws.queues.polls import KEEP_S, POKE_AGAIN_S, Polled, Polls, Source
from host.storage.protocol import WakeUp
from tests.kit.manual_clock import ManualClock

KEPT = timedelta(seconds=KEEP_S)
PATIENCE_S = 10.0


AT_ONCE = 10
MAX_POLLS = 3
FULL = [f"i{number}" for number in range(AT_ONCE)]


class Queue:
    """A queue whose answers a test gives."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[Sequence[str] | Exception] = asyncio.Queue()
        self.limits: list[int] = []
        self.pokes = 0
        self.is_poked = True
        """Whether a poke ends a poll."""
        self.may_poke = asyncio.Event()
        self.may_poke.set()

    async def poll(self, limit: int) -> Polled[WakeUp]:
        self.limits.append(limit)
        answer = await self.answers.get()
        if isinstance(answer, Exception):
            raise answer
        names = [name for name in answer if name != "poke"]
        hints = [WakeUp(instance_id=name) for name in names]
        return Polled(hints, len(answer) >= limit, len(answer) - len(names))

    async def poke(self) -> None:
        await self.may_poke.wait()
        self.pokes += 1
        if self.is_poked:
            self.answers.put_nowait(["poke"])


class Bench:
    """Two sources and their polls, on a clock that stands still."""

    def __init__(self, *, gives_back: bool = True) -> None:
        self.clock = ManualClock()
        self._gives_back = gives_back
        self.sources = (Queue(), Queue())
        self.given_back: list[str] = []
        self.polls = Polls[WakeUp](
            [Source(queue.poll, queue.poke) for queue in self.sources],
            give_back=self.take,
            clock=self.clock,
            at_once=AT_ONCE,
            max_polls=MAX_POLLS,
        )

    def are_poked(self, are: bool) -> None:
        for source in self.sources:
            source.is_poked = are

    async def take(self, wakeups: Sequence[WakeUp]) -> None:
        if not self._gives_back:
            raise StorageError("down")
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


async def test_a_queue_that_is_away_is_no_line_here_for_whoever_receives_tells_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Polls fail that nobody waits for any more, one a queue and moment while SQS is away."""
    caplog.set_level(logging.INFO)
    bench = Bench(gives_back=False)
    for answer in (["a"], StorageError("down")):
        receiving = bench.receive()
        await bench.clock.until_quiet()
        receiving.cancel()
        await bench.answer(answer)
    await bench.clock.advance(KEPT)
    assert bench.given_back == []
    await bench.polls.close(patience_s=0)
    assert caplog.messages == []


async def test_a_poll_that_breaks_for_another_reason_is_a_line_if_nobody_waits(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    receiving = bench.receive()
    await bench.clock.until_quiet()
    receiving.cancel()
    await bench.answer(KeyError("Body"))
    assert caplog.messages == ["Hints could not be received: KeyError('Body')"]


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
    bench.are_poked(False)
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
    bench.are_poked(False)
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


# ---- pokes ---------------------------------------------------------------------------------------


async def test_a_stop_pokes_the_queues_that_it_polls_and_ends_as_soon_as_the_polls_do(
    bench: Bench,
) -> None:
    bench.receive()
    await bench.answer([], source=0)
    await bench.polls.close(patience_s=PATIENCE_S)
    assert [source.pokes for source in bench.sources] == [1, 1]
    assert bench.given_back == []


async def test_a_stop_pokes_no_queue_that_it_does_not_poll(bench: Bench) -> None:
    await bench.polls.close(patience_s=PATIENCE_S)
    assert [source.pokes for source in bench.sources] == [0, 0]


async def test_a_poke_that_went_astray_is_sent_again(bench: Bench) -> None:
    bench.receive()
    await bench.clock.until_quiet()
    bench.sources[0].is_poked = False
    closing = asyncio.ensure_future(bench.polls.close(patience_s=PATIENCE_S))
    await bench.clock.until_quiet()
    assert not closing.done()
    bench.sources[0].is_poked = True
    await bench.clock.advance(timedelta(seconds=POKE_AGAIN_S))
    await closing
    assert [source.pokes for source in bench.sources] == [2, 1]


async def test_a_poll_that_ends_by_itself_leaves_its_poke_to_the_next_one(bench: Bench) -> None:
    bench.receive(2 * AT_ONCE)
    await bench.answer(FULL)
    bench.receive(5 * AT_ONCE)
    await bench.clock.until_quiet()
    assert len(bench.sources[0].limits) == 1 + 2
    bench.sources[0].is_poked = False
    closing = asyncio.ensure_future(bench.polls.close(patience_s=PATIENCE_S))
    await bench.answer([])
    assert bench.sources[0].pokes == 1
    await bench.answer(["poke"])
    await closing
    assert bench.sources[0].pokes == 1


async def test_a_poke_that_cannot_be_sent_keeps_no_stop_waiting(bench: Bench) -> None:
    bench.receive()
    await bench.clock.until_quiet()
    for source in bench.sources:
        source.may_poke.clear()
    await bench.polls.close(patience_s=0)


# ---- several polls -------------------------------------------------------------------------------


async def test_found_f8_a_full_answer_allows_one_more_poll_of_its_queue(bench: Bench) -> None:
    bench.receive(100)
    await bench.clock.until_quiet()
    assert bench.sources[0].limits == [AT_ONCE]
    await bench.answer(FULL)
    bench.receive(100)
    await bench.clock.until_quiet()
    assert bench.sources[0].limits == [AT_ONCE] * 3
    assert bench.sources[1].limits == [AT_ONCE]  # the other queue's answer is still to come


async def test_no_more_polls_run_than_may_however_full_they_are(bench: Bench) -> None:
    for _ in range(10):
        bench.receive(100)
        await bench.answer(FULL)
    bench.receive(100)
    await bench.clock.until_quiet()
    assert len(bench.sources[0].limits) == 10 + MAX_POLLS


async def test_an_answer_that_is_not_full_leaves_one_poll(bench: Bench) -> None:
    for _ in range(10):
        bench.receive(100)
        await bench.answer(FULL)
    bench.receive(100)
    await bench.answer(["a"])
    bench.receive(100)
    await bench.answer([], [])
    begun = len(bench.sources[0].limits)
    bench.receive(100)
    await bench.answer(["b"])
    bench.receive(100)
    await bench.clock.until_quiet()
    assert len(bench.sources[0].limits) == begun + 1


async def test_several_polls_ask_for_no_more_than_there_is_room_for(bench: Bench) -> None:
    bench.receive(100)
    await bench.answer(FULL)
    bench.receive(AT_ONCE + 3)
    await bench.clock.until_quiet()
    assert bench.sources[0].limits == [AT_ONCE, AT_ONCE, 3]
