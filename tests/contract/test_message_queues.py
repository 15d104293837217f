"""What queues of messages promise to functions, wherever they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from bindings.errors import InvalidArgumentError
from bindings.kinds.queues import OutgoingMessage, ReceivedMessage
from host.errors import QueueFullError
from host.resources.embedded.queues import QueueLimits
from host.storage.messages import OVERHEAD
from tests.contract.builders import ManualClock
from tests.kit.message_queues import (
    HOLD_S,
    MessageQueues,
    Queues,
    QueuesOnSqs,
    bodies,
    embedded_queues,
    send,
)

DRIVERS = ["memory", "sqlite"]


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
async def queues(driver: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[MessageQueues]:
    async with embedded_queues(driver, tmp_path, clock) as embedded:
        yield MessageQueues(embedded)


@pytest.fixture(params=[*DRIVERS, "sqs"])
async def everywhere(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> AsyncIterator[Queues]:
    """Queues of each kind. What is SQS's own say `tests/aws/test_sqs_sources.py` and others."""
    if request.param == "sqs":
        on_sqs = QueuesOnSqs(clock)
        yield on_sqs
        await on_sqs.sqs.close()
        return
    async with embedded_queues(request.param, tmp_path, clock) as embedded:
        yield MessageQueues(embedded)


async def test_messages_come_in_the_order_in_which_they_were_sent(everywhere: Queues) -> None:
    await send(everywhere, "orders", "a", "b", "c")
    source = everywhere.source("orders")
    assert bodies(await source.receive(2)) == ["a", "b"]
    assert bodies(await source.receive(2)) == ["c"]


async def test_a_message_says_what_is_known_of_it(
    queues: MessageQueues, clock: ManualClock
) -> None:
    (sent,) = await send(queues, "orders", "a", attributes={"kind": "new"})
    (message,) = await queues.source("orders").receive(10)
    assert (message.id, message.dequeue_count, message.group_id) == (sent, 1, None)
    assert message.attributes == {"kind": "new"}
    assert message.inserted_at == clock.now()
    assert message.next_visible_at == clock.now() + timedelta(seconds=HOLD_S)
    assert message.expires_at == clock.now() + timedelta(days=14)


async def test_who_waits_gets_a_message_as_soon_as_it_is_sent(everywhere: Queues) -> None:
    waiting = asyncio.create_task(everywhere.source("orders").receive(10))
    await asyncio.sleep(0)
    await send(everywhere, "orders", "a")
    assert bodies(await waiting) == ["a"]


async def test_a_deleted_message_is_gone_and_a_released_one_comes_again(
    everywhere: Queues,
) -> None:
    await send(everywhere, "orders", "a", "b")
    source = everywhere.source("orders")
    first, second = await source.receive(10)
    await source.delete([first])
    await source.release([second])
    (again,) = await source.receive(10)
    assert (again.body, again.dequeue_count, again.id) == ("b", 2, second.id)
    assert again.receipt != second.receipt


async def test_what_is_given_back_untried_does_not_count(everywhere: Queues) -> None:
    await send(everywhere, "orders", "a")
    source = everywhere.source("orders")
    for _ in range(3):
        (message,) = await source.receive(1)
        assert message.dequeue_count == 1
        await source.release([message], is_tried=False)


async def test_an_old_receipt_does_nothing(everywhere: Queues) -> None:
    await send(everywhere, "orders", "a")
    source = everywhere.source("orders")
    (first,) = await source.receive(1)
    await source.release([first])
    (second,) = await source.receive(1)
    await source.delete([first])
    await source.release([first], delay_s=100)
    await source.poison(first, {"why": "old"})
    assert list(await source.extend([first])) == [first.id]
    assert list(await source.extend([second])) == []
    await source.release([second])
    assert bodies(await source.receive(1)) == ["a"]


async def test_a_message_in_the_poison_queue_is_as_it_was_with_the_reason(
    everywhere: Queues,
) -> None:
    await send(everywhere, "orders", '{"id": 1}', attributes={"kind": "new"})
    source = everywhere.source("orders")
    (message,) = await source.receive(1)
    await source.poison(message, {"funchost-error": "ValueError: no"})
    (poisoned,) = await everywhere.source("orders-poison").receive(1)
    assert poisoned.body == '{"id": 1}'
    assert poisoned.attributes == {"kind": "new", "funchost-error": "ValueError: no"}
    assert poisoned.dequeue_count == 1
    await send(everywhere, "orders", "next")
    assert bodies(await source.receive(10)) == ["next"]


async def test_of_a_group_none_comes_before_the_one_before_it_has_ended(
    queues: MessageQueues,
) -> None:
    await send(queues, "work.fifo", "a1", "a2", "a3", group_id="a")
    await send(queues, "work.fifo", "b1", "b2", group_id="b")
    source = queues.source("work.fifo")
    a1, b1 = await source.receive(2)
    assert (a1.body, b1.body) == ("a1", "b1")
    await source.release([b1])
    (b1,) = await source.receive(10)
    assert (b1.body, b1.dequeue_count) == ("b1", 2)
    await source.poison(a1, {})
    (a2,) = await source.receive(10)
    assert a2.body == "a2"
    await source.delete([b1, a2])
    assert sorted(bodies(await source.receive(10))) == ["a3", "b2"]
    (poisoned,) = await queues.source("work-poison.fifo").receive(10)
    assert (poisoned.body, poisoned.group_id) == ("a1", "a")


async def test_of_a_group_others_wait_for_one_that_comes_back_later(
    queues: MessageQueues, clock: ManualClock
) -> None:
    await send(queues, "work.fifo", "a1", "a2", group_id="a")
    source = queues.source("work.fifo")
    (a1,) = await source.receive(10)
    await source.release([a1], delay_s=60)
    waiting = asyncio.create_task(source.receive(10))
    await clock.advance(timedelta(seconds=59))
    assert not waiting.done()
    await clock.advance(timedelta(seconds=1))
    (a1,) = await waiting
    assert a1.body == "a1"


async def test_what_was_sent_by_the_same_id_is_sent_once(
    queues: MessageQueues, clock: ManualClock
) -> None:
    first = await send(queues, "orders", "a", deduplication_id="1")
    assert await send(queues, "orders", "a", deduplication_id="1") == first
    assert await send(queues, "others", "a", deduplication_id="1") != first
    await clock.advance(timedelta(minutes=5))
    assert await send(queues, "orders", "a", deduplication_id="1") != first
    assert len(await queues.source("orders").receive(10)) == 2


async def test_one_call_sends_what_has_the_same_id_once(queues: MessageQueues) -> None:
    same = OutgoingMessage(body="a", deduplication_id="1")
    first, second = await queues.queue("orders").send([same, same])
    assert first == second
    assert len(await queues.source("orders").receive(10)) == 1


async def test_delayed_messages_come_when_it_is_time(
    everywhere: Queues, clock: ManualClock
) -> None:
    await send(everywhere, "orders", "late", delay_s=60)
    await send(everywhere, "orders", "now")
    source = everywhere.source("orders")
    now = await source.receive(10)
    assert bodies(now) == ["now"]
    await source.delete(now)
    waiting = asyncio.create_task(source.receive(10))
    await clock.advance(timedelta(seconds=59))
    assert not waiting.done()
    await clock.advance(timedelta(seconds=1))
    assert bodies(await waiting) == ["late"]


async def test_a_hold_that_nobody_extends_ends(queues: MessageQueues, clock: ManualClock) -> None:
    await send(queues, "orders", "kept", "left")
    mine, others = queues.source("orders"), queues.source("orders")
    kept, left = await mine.receive(10)
    waiting = asyncio.create_task(others.receive(10))
    await clock.advance(timedelta(seconds=HOLD_S / 2))
    assert list(await mine.extend([kept])) == []
    await clock.advance(timedelta(seconds=HOLD_S / 2))
    (message,) = await waiting
    assert (message.body, message.dequeue_count) == ("left", 2)
    assert list(await mine.extend([kept, left])) == [left.id]
    await mine.delete([left])
    await others.release([message])
    assert bodies(await others.receive(10)) == ["left"]


async def test_who_is_cancelled_loses_nothing(everywhere: Queues) -> None:
    await send(everywhere, "orders", "a", "b")
    source = everywhere.source("orders")
    found: list[ReceivedMessage] = []
    for _ in range(20):
        waiting = asyncio.create_task(source.receive(1))
        await asyncio.sleep(0)
        waiting.cancel()
        with suppress(asyncio.CancelledError):  # it may be done already
            found += await waiting
    while len(found) < 2:
        found += await source.receive(1)
    assert sorted(bodies(found)) == ["a", "b"]
    assert {each.dequeue_count for each in found} == {1}


async def test_a_closed_source_gives_back_what_it_has_not_handed_out(
    queues: MessageQueues,
) -> None:
    source, other = queues.source("orders"), queues.source("orders")
    waiting = asyncio.create_task(source.receive(1))
    await asyncio.sleep(0)
    await source.close()
    assert list(await waiting) == []
    await send(queues, "orders", "a")
    assert list(await source.receive(1)) == []
    (message,) = await other.receive(1)
    assert message.dequeue_count == 1


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (OutgoingMessage(body=""), "it is empty"),
        (OutgoingMessage(body="x" * 1024 * 1024 + "y"), "it has 1048577 bytes"),
        (OutgoingMessage(body="\x00"), "the character U\\+0000 at 0"),
        (OutgoingMessage(body="\ud800"), "the character U\\+D800 at 0"),
        (OutgoingMessage(body="a", delay_s=901), "its delay is 901 s"),
        (OutgoingMessage(body="a", group_id="a b"), "its group id"),
        (OutgoingMessage(body="a", deduplication_id="ü"), "its deduplication id"),
        (OutgoingMessage(body="a", attributes={"a b": "c"}), "cannot be an attribute's name"),
        (OutgoingMessage(body="a", attributes={"a": ""}), "its attribute 'a' is empty"),
        (OutgoingMessage(body="a", attributes={f"a{i}": "b" for i in range(11)}), "11 attributes"),
    ],
)
async def test_what_no_queue_takes_is_refused_with_the_reason(
    everywhere: Queues, message: OutgoingMessage, why: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=why):
        await everywhere.queue("orders").send([OutgoingMessage(body="fine"), message])
    await send(everywhere, "orders", "next")
    assert bodies(await everywhere.source("orders").receive(10)) == ["next"]


async def test_fifo_queues_need_a_group_and_have_no_delays(everywhere: Queues) -> None:
    with pytest.raises(InvalidArgumentError, match="need a group"):
        await send(everywhere, "work.fifo", "a")
    with pytest.raises(InvalidArgumentError, match="no delay"):
        await send(everywhere, "work.fifo", "a", group_id="a", delay_s=1)


@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 81, "a.b", "a.fifo.fifo"])
async def test_names_that_no_queue_can_have(everywhere: Queues, name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="cannot be a queue's name"):
        everywhere.source(name)


@pytest.mark.parametrize("name", ["arn:aws:sqs:eu-west-1:1:a", "https://sqs.example/1/a"])
async def test_queues_of_sqs_need_a_connection(queues: MessageQueues, name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="by a connection"):
        queues.queue(name)


async def test_a_full_queue_takes_no_more_and_others_do(
    driver: str, tmp_path: Path, clock: ManualClock
) -> None:
    limits = QueueLimits(max_bytes=3 * OVERHEAD)
    async with embedded_queues(driver, tmp_path, clock, limits) as embedded:
        queues = MessageQueues(embedded)
        await send(queues, "orders", "a", "b")
        with pytest.raises(QueueFullError, match="'orders' is full: it has 768 bytes"):
            await send(queues, "orders", "c")
        await send(queues, "others", "c")
        source = queues.source("orders")
        await source.delete(await source.receive(1))
        await send(queues, "orders", "c")


async def test_what_is_too_old_is_dropped_and_its_group_goes_on(
    driver: str, tmp_path: Path, clock: ManualClock
) -> None:
    limits = QueueLimits(retention=timedelta(hours=1))
    async with embedded_queues(driver, tmp_path, clock, limits) as embedded:
        queues = MessageQueues(embedded)
        await send(queues, "work.fifo", "old", group_id="a")
        await clock.advance(timedelta(hours=1, seconds=1))
        await send(queues, "work.fifo", "new", group_id="a")
        assert bodies(await queues.source("work.fifo").receive(10)) == ["new"]


async def test_what_a_process_held_when_it_died_comes_at_the_next_start(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with embedded_queues("sqlite", tmp_path, clock) as embedded:
        queues = MessageQueues(embedded)
        await send(queues, "orders", "a", "b")
        await send(queues, "work.fifo", "a1", "a2", group_id="a")
        await queues.source("orders").receive(1)
        await queues.source("work.fifo").receive(1)
    async with embedded_queues("sqlite", tmp_path, clock) as embedded:
        queues = MessageQueues(embedded)
        first, second = await queues.source("orders").receive(10)
        assert [(first.body, first.dequeue_count), (second.body, second.dequeue_count)] == [
            ("a", 2),
            ("b", 1),
        ]
        assert bodies(await queues.source("work.fifo").receive(10)) == ["a1"]


async def test_what_there_is_can_be_seen_emptied_and_tried_again(queues: MessageQueues) -> None:
    await send(queues, "orders", "a", "b", "c")
    await send(queues, "orders", "d", delay_s=60)
    source = queues.source("orders")
    held, poisoned = await source.receive(2)
    await source.poison(poisoned, {"why": "b"})
    embedded = queues.embedded
    orders, poison = await embedded.states()
    assert (orders.name, orders.messages, orders.held, orders.delayed) == ("orders", 3, 1, 1)
    assert (poison.name, poison.messages, poison.held) == ("orders-poison", 1, 0)
    assert [each.body for each in await embedded.peek("orders-poison", 10)] == ["b"]
    assert await embedded.redrive("orders") == 1
    assert await embedded.redrive("orders") == 0
    again = await source.receive(10)
    assert [(each.body, each.dequeue_count) for each in again] == [("c", 1), ("b", 1)]
    await source.release(again)
    assert await embedded.purge("orders") == 3
    await source.release([held])
    assert bodies(await source.receive(10)) == ["a"]
    assert await embedded.purge("nothing") == 0
    assert list(await embedded.peek("nothing", 1)) == []
