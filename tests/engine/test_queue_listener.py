"""What becomes of the messages of a queue function: runs, failures, holds, stops, crashes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bindings.kinds.queues import OutgoingMessage, ReceivedMessage
from bindings.queues import BatchFailure, QueueMessage, UnfitMessages
from host.errors import StorageUnavailableError
from host.resources.embedded.queues import EmbeddedQueues, EmbeddedSource
from host.settings.queues import QueueSettings
from host.triggers.queue_holds import BEATS
from host.triggers.queues import HOLD_S
from tests.kit.manual_clock import ManualClock
from tests.kit.queue_hosts import QueueHost, Work, queue_host


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def host(tmp_path: Path, clock: ManualClock) -> AsyncIterator[QueueHost]:
    async with queue_host("memory", tmp_path, clock) as found:
        yield found


async def send(host: QueueHost, *bodies: str, queue: str = "orders", group: str = "a") -> None:
    group_id = group if queue.endswith(".fifo") else None
    messages = [OutgoingMessage(body=body, group_id=group_id) for body in bodies]
    await host.queues.queue(queue).send(messages)


def failing(*texts: str) -> Work:
    async def work(messages: Sequence[QueueMessage]) -> None:
        for each in messages:
            if each.get_text() in texts:
                raise ValueError(f"not {each.get_text()}")

    return work


async def test_each_message_is_run_and_gone(host: QueueHost, clock: ManualClock) -> None:
    function = await host.listen()
    await send(host, *map(str, range(100)))
    await clock.until_quiet()
    await clock.until_quiet()
    assert sorted(map(int, function.texts)) == list(range(100))
    assert await host.left("orders") == []


async def test_what_fails_ends_in_the_poison_queue_with_the_reason(
    host: QueueHost, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    function = await host.listen(failing("bad"))
    await send(host, "good", "bad", "better")
    await clock.until_quiet()
    assert function.texts.count("bad") == 5
    assert [each.dequeue_count for run in function.runs for each in run if each.body == b"bad"] == [
        1,
        2,
        3,
        4,
        5,
    ]
    (poisoned,) = await host.queues.peek("orders-poison", 10)
    assert poisoned.body == "bad"
    assert poisoned.attributes == {
        "funchost-error": "ValueError: not bad",
        "funchost-function": "handle",
        "funchost-failed-at": "2026-01-01T00:00:00Z",
        "funchost-tries": "5",
    }
    assert await host.left("orders") == []
    assert "is in the poison queue after 5 tries: ValueError: not bad" in caplog.text


async def test_a_message_waits_after_a_try_that_failed(host: QueueHost, clock: ManualClock) -> None:
    function = await host.listen(failing("bad"), visibilityTimeout="00:01:00", maxDequeueCount=2)
    await send(host, "bad")
    await clock.advance(timedelta(seconds=59))
    assert function.ends == ["failed"]
    await clock.advance(timedelta(seconds=1))
    assert function.ends == ["failed", "failed"]
    assert await host.left("orders-poison") == ["bad"]


async def test_a_long_run_keeps_its_message(host: QueueHost, clock: ManualClock) -> None:
    async def work(_: Sequence[QueueMessage]) -> None:
        await clock.sleep(10 * HOLD_S)

    function = await host.listen(work)
    await send(host, "long")
    await clock.advance(timedelta(seconds=HOLD_S / BEATS), steps=10 * BEATS)
    assert (function.texts, function.ends) == (["long"], ["done"])
    assert await host.left("orders") == []


async def test_who_lost_the_hold_is_cancelled_and_ends_nothing(
    host: QueueHost,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fails(*_: object) -> object:
        raise StorageUnavailableError("the queue is away")

    async def work(messages: Sequence[QueueMessage]) -> None:
        if messages[0].dequeue_count == 1:
            await asyncio.Event().wait()

    monkeypatch.setattr(EmbeddedSource, "extend", fails)
    function = await host.listen(work)
    await send(host, "a")
    await clock.advance(timedelta(seconds=HOLD_S / BEATS), steps=BEATS)
    assert function.ends == ["cancelled", "done"]
    assert [run[0].dequeue_count for run in function.runs] == [1, 2]
    assert await host.left("orders") == []
    assert "is lost to others: it was not held in time" in caplog.text


async def test_no_more_are_in_work_than_said(host: QueueHost, clock: ManualClock) -> None:
    at_once = most = 0
    gate = asyncio.Semaphore(0)

    async def work(_: Sequence[QueueMessage]) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await gate.acquire()
        at_once -= 1

    await host.listen(work, batchSize=4, newBatchThreshold=2)
    await send(host, *map(str, range(20)))
    await clock.until_quiet()
    assert at_once == 4
    for _ in range(2):
        gate.release()
    await clock.until_quiet()
    assert at_once == 6
    for _ in range(20):
        gate.release()
    await clock.until_quiet()
    assert (at_once, most) == (0, 6)


async def test_one_at_a_time(host: QueueHost, clock: ManualClock) -> None:
    running: list[str] = []

    async def work(messages: Sequence[QueueMessage]) -> None:
        running.append(messages[0].get_text())
        assert len(running) == 1
        await asyncio.sleep(0)
        running.clear()

    function = await host.listen(work, batchSize=1, newBatchThreshold=0)
    await send(host, "1", "2", "3")
    await clock.until_quiet()
    assert (function.texts, function.ends) == (["1", "2", "3"], ["done"] * 3)


async def test_a_group_is_in_order_and_waits_for_one_that_fails(
    host: QueueHost, clock: ManualClock
) -> None:
    fails = {"a1": 2}

    async def work(messages: Sequence[QueueMessage]) -> None:
        text = messages[0].get_text()
        if fails.get(text):
            fails[text] -= 1
            raise OSError("not yet")

    function = await host.listen(work, queue="work.fifo", visibilityTimeout="00:00:10")
    await send(host, "a1", "a2", "a3", queue="work.fifo", group="a")
    await send(host, "b1", "b2", queue="work.fifo", group="b")
    await clock.until_quiet()
    assert sorted(function.texts) == ["a1", "b1", "b2"]
    await clock.advance(timedelta(seconds=10), steps=2)
    assert [each for each in function.texts if each[0] == "a"] == ["a1", "a1", "a1", "a2", "a3"]


async def test_a_group_goes_on_after_a_message_that_is_poisoned(
    host: QueueHost, clock: ManualClock
) -> None:
    function = await host.listen(failing("a1"), queue="work.fifo", maxDequeueCount=2)
    await send(host, "a1", "a2", queue="work.fifo")
    await clock.until_quiet()
    assert function.texts == ["a1", "a1", "a2"]
    assert await host.left("work-poison.fifo") == ["a1"]


class SeveralOfAGroup(EmbeddedSource):
    """Hands out several messages of a group at once, in order, as SQS does."""

    async def receive(self, limit: int) -> Sequence[ReceivedMessage]:
        found = list(await super().receive(limit))
        if [each.body for each in found] == ["a1"]:
            await self._queues.queue("work.fifo").send(
                [OutgoingMessage(body=body, group_id="b") for body in ("a2",)]
            )
            found += await super().receive(limit)
        return [_in_group_a(each) for each in found]


def _in_group_a(message: ReceivedMessage) -> ReceivedMessage:
    return replace(message, group_id="a")


async def test_of_several_of_a_group_those_after_one_that_fails_wait_for_its_end(
    host: QueueHost, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        EmbeddedQueues,
        "source",
        lambda self, name, hold_s: SeveralOfAGroup(self, clock, name, hold_s),
    )
    function = await host.listen(
        failing("a1"), queue="work.fifo", visibilityTimeout="00:01:00", maxDequeueCount=2
    )
    await send(host, "a1", queue="work.fifo")
    await clock.advance(timedelta(seconds=HOLD_S / BEATS), steps=2 * BEATS)
    assert function.texts == ["a1", "a1", "a2"]
    assert [run[0].dequeue_count for run in function.runs] == [1, 2, 1]
    assert await host.left("work-poison.fifo") == ["a1"]


async def test_a_stop_gives_back_what_waits_behind_one_that_failed(
    host: QueueHost, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(
            EmbeddedQueues,
            "source",
            lambda self, name, hold_s: SeveralOfAGroup(self, clock, name, hold_s),
        )
        await host.listen(failing("a1"), queue="work.fifo", visibilityTimeout="00:01:00")
    await send(host, "a1", queue="work.fifo")
    await clock.until_quiet()
    await host.listeners[0].stop()
    function = await host.listen(queue="work.fifo")
    await clock.advance(timedelta(seconds=60))
    assert sorted((run[0].get_text(), run[0].dequeue_count) for run in function.runs) == [
        ("a1", 2),
        ("a2", 1),
    ]


async def test_a_batch_is_one_run(host: QueueHost, clock: ManualClock) -> None:
    await send(host, *map(str, range(10)))
    function = await host.listen(cardinality="many", batchSize=4)
    await clock.until_quiet()
    assert [len(run) for run in function.runs] == [4, 4, 2]
    assert await host.left("orders") == []


@pytest.mark.parametrize("is_raised", [True, False])
async def test_of_a_batch_only_what_failed_comes_back(
    host: QueueHost, clock: ManualClock, is_raised: bool
) -> None:
    async def work(messages: Sequence[QueueMessage]) -> object:
        failure = BatchFailure([each for each in messages if each.body == b"bad"], "it is bad")
        if failure.failed_ids and is_raised:
            raise failure
        return failure

    await send(host, "1", "bad", "2")
    function = await host.listen(work, cardinality="many", maxDequeueCount=2)
    await clock.until_quiet()
    assert [[each.get_text() for each in run] for run in function.runs] == [
        ["1", "bad", "2"],
        ["bad"],
    ]
    (poisoned,) = await host.queues.peek("orders-poison", 10)
    assert "it is bad" in poisoned.attributes["funchost-error"]
    assert await host.left("orders") == []


async def test_a_batch_that_names_strange_messages_has_failed(
    host: QueueHost, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(_: Sequence[QueueMessage]) -> object:
        return BatchFailure(["who?"])

    await send(host, "1", "2")
    await host.listen(work, cardinality="many", maxDequeueCount=1)
    await clock.until_quiet()
    assert await host.left("orders-poison") == ["1", "2"]
    assert "names messages that are not of its batch" in caplog.text


async def test_a_batch_runs_without_what_does_not_fit(host: QueueHost, clock: ManualClock) -> None:
    async def work(messages: Sequence[QueueMessage]) -> None:
        unfit = [each for each in messages if each.body == b"bad"]
        if unfit:
            raise UnfitMessages(unfit, "no number")

    await send(host, "1", "bad", "2")
    function = await host.listen(work, cardinality="many", maxDequeueCount=1)
    await clock.until_quiet()
    assert [[each.get_text() for each in run] for run in function.runs] == [
        ["1", "bad", "2"],
        ["1", "2"],
    ]
    assert await host.left("orders-poison") == ["bad"]


async def test_what_is_not_written_as_said_fails_and_the_rest_runs(
    host: QueueHost, clock: ManualClock
) -> None:
    await send(host, "aGVsbG8=", "no base64!")
    function = await host.listen(cardinality="many", messageEncoding="base64", maxDequeueCount=1)
    await clock.until_quiet()
    assert function.texts == ["hello"]
    (poisoned,) = await host.queues.peek("orders-poison", 10)
    assert "is not written in base64" in poisoned.attributes["funchost-error"]


async def test_a_stop_waits_for_what_runs_and_gives_back_the_rest(
    host: QueueHost, clock: ManualClock
) -> None:
    gate = asyncio.Event()

    async def work(_: Sequence[QueueMessage]) -> None:
        await gate.wait()

    function = await host.listen(work, batchSize=2, newBatchThreshold=0)
    await send(host, "1", "2", "3")
    await clock.until_quiet()
    stopping = asyncio.create_task(host.listeners[0].stop())
    await clock.advance(timedelta(seconds=HOLD_S), steps=3)  # it holds what runs
    assert not stopping.done()
    gate.set()
    await stopping
    assert (function.texts, function.ends) == (["1", "2"], ["done", "done"])
    assert await host.left("orders") == ["3"]
    ((state),) = await host.queues.states()
    assert state.held == 0


async def test_what_a_stop_cuts_off_is_given_back_and_is_no_try(
    host: QueueHost, clock: ManualClock
) -> None:
    never = asyncio.Event()

    async def work(messages: Sequence[QueueMessage]) -> None:
        if messages[0].get_text() == "long":
            await never.wait()

    for _ in range(7):
        function = await host.listen(work)
        await send(host, "short")
        if not await host.left("orders") or _ == 0:
            await send(host, "long")
        await clock.until_quiet()
        stopping = asyncio.create_task(host.listeners.pop().stop())
        await clock.until_quiet()
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
        assert (
            function.runs[[run[0].get_text() for run in function.runs].index("long")][
                0
            ].dequeue_count
            == 1
        )
    (state,) = await host.queues.states()
    assert (state.messages, state.held) == (1, 0)


async def test_a_queue_that_is_away_is_asked_again_and_shown(
    host: QueueHost,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    take = EmbeddedQueues.take

    async def fails(*_: object) -> object:
        raise StorageUnavailableError("the disk is away")

    monkeypatch.setattr(EmbeddedQueues, "take", fails)
    function = await host.listen()
    await clock.advance(timedelta(seconds=1), steps=10)
    (listener,) = host.listeners
    assert listener.problems() == ["the queue 'orders' does not answer: the disk is away"]
    assert caplog.text.count("the disk is away") == 1
    await send(host, "1")
    monkeypatch.setattr(EmbeddedQueues, "take", take)
    await clock.advance(timedelta(seconds=30))
    assert function.texts == ["1"]
    assert listener.problems() == []


async def test_deletes_that_fail_are_tried_again_while_the_message_is_held(
    host: QueueHost, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = EmbeddedQueues.delete
    failures = 50

    async def fails(self: EmbeddedQueues, name: str, numbers: Sequence[int]) -> None:
        nonlocal failures
        failures -= 1
        if failures > 0:
            raise StorageUnavailableError("the disk is away")
        await delete(self, name, numbers)

    monkeypatch.setattr(EmbeddedQueues, "delete", fails)
    function = await host.listen()
    await send(host, "1", "2")
    await clock.advance(timedelta(seconds=1), steps=60)
    assert sorted(function.texts) == ["1", "2"]
    assert await host.left("orders") == []


async def test_a_message_that_takes_its_host_with_it_ends_in_the_poison_queue(
    tmp_path: Path, clock: ManualClock
) -> None:
    settings = QueueSettings.model_validate({"maxDequeueCount": 3})
    began = asyncio.Event()

    async def never(_: Sequence[QueueMessage]) -> None:
        began.set()
        await asyncio.Event().wait()

    async with queue_host("sqlite", tmp_path, clock) as host:
        await send(host, "deadly")
    for _ in range(3):
        async with queue_host("sqlite", tmp_path, clock, settings) as host:
            began.clear()
            await host.listen(never)
            await began.wait()
    async with queue_host("sqlite", tmp_path, clock, settings) as host:
        function = await host.listen(never)
        (poisoned,) = await host.queues.source("orders-poison", HOLD_S).receive(1)
        assert "no run of it came to an end" in poisoned.attributes["funchost-error"]
        assert poisoned.attributes["funchost-tries"] == "3"
        assert function.runs == []
