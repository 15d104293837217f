"""A queue on SQS that is listened to, on a service and a clock that do what a test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from bindings.kinds.queues import OutgoingMessage, QueueFacts, ReceivedMessage
from host.errors import ResourceAwayError, ResourceError
from host.resources.sqs.source import SqsSource
from host.storage.aws.wire.retries import RetryRules
from host.storage.aws.wire.transport import Failure, Request, Response, TransportError
from tests.kit.faulty_transport import FaultyTransport
from tests.kit.manual_clock import ManualClock
from tests.kit.queues_on_sqs import HostOnSqs
from tests.kit.simulated_sqs import SimulatedSqs

HOLD_S = 30.0
FIRST_S = 20 + HOLD_S / 2
"""So long is held what a poll of 20 s brings: at its end half of a hold is left of it."""


@dataclass
class Bench:
    """A service and hosts on it."""

    clock: ManualClock
    sqs: SimulatedSqs

    def host(self, **options: Any) -> HostOnSqs:
        return HostOnSqs(self.sqs, self.clock, **options)

    async def source(self, name: str = "orders", **attributes: str) -> SqsSource:
        """A new host's way to a queue, which is there afterwards."""
        if name not in self.sqs.names():
            self.sqs.add(name, **attributes)
        source = self.host().queue_source(name, hold_s=HOLD_S)
        await source.facts()
        return source

    async def send(self, name: str, *bodies: str, group: str | None = None) -> Sequence[str]:
        messages = [OutgoingMessage(body=body, group_id=group) for body in bodies]
        sent: Sequence[str] = await self.done(self.host().queue(name).send(messages))
        return sent

    async def done(self, doing: Any, *, within_s: float = 60.0) -> Any:
        """Let time pass until this is done."""
        task = asyncio.ensure_future(doing)
        for _ in range(round(within_s / 0.5)):
            await self.clock.until_quiet()
            if task.done():
                break
            await self.clock.pass_time(timedelta(seconds=0.5))
        return await asyncio.wait_for(task, 1)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    clock = ManualClock()
    bench = Bench(clock, SimulatedSqs(clock))
    yield bench
    await bench.sqs.close()


def bodies(messages: Sequence[ReceivedMessage]) -> list[str]:
    return [message.body for message in messages]


async def test_a_message_comes_with_all_that_is_known_of_it(bench: Bench) -> None:
    source = await bench.source("orders.fifo", MessageRetentionPeriod="3600")
    sent_at = bench.clock.now()
    message = OutgoingMessage(body="a", group_id="g", attributes={"k": "v"})
    (id_,) = await bench.done(bench.host().queue("orders.fifo").send([message]))
    (received,) = await bench.done(source.receive(5))
    assert (received.id, received.body, received.group_id) == (id_, "a", "g")
    assert received.dequeue_count == 1
    assert received.attributes == {"k": "v"}
    assert timedelta() <= received.inserted_at - sent_at <= timedelta(seconds=1)
    assert received.expires_at == received.inserted_at + timedelta(hours=1)
    left = received.next_visible_at - bench.clock.now()
    assert timedelta(seconds=FIRST_S - 1) <= left <= timedelta(seconds=FIRST_S)


async def test_a_poll_waits_for_twenty_seconds_and_costs_three_requests_a_minute(
    bench: Bench,
) -> None:
    source = await bench.source()
    receiving = asyncio.ensure_future(source.receive(5))
    await bench.clock.pass_time(timedelta(minutes=10))
    assert 30 <= bench.sqs.operations["ReceiveMessage"] <= 31
    await bench.send("orders", "a")
    assert bodies(await bench.done(receiving)) == ["a"]


async def test_full_answers_bring_more_polls_up_to_four(bench: Bench) -> None:
    source = await bench.source()
    await bench.send("orders", *(f"m{n}" for n in range(100)))
    got: list[str] = []
    while len(got) < 100:
        got += bodies(await bench.done(source.receive(64)))
    assert sorted(got) == sorted(f"m{n}" for n in range(100))
    assert bench.sqs.operations["ReceiveMessage"] <= 14


async def test_whoever_is_cancelled_while_he_waits_loses_nothing(bench: Bench) -> None:
    source = await bench.source()
    receiving = asyncio.ensure_future(source.receive(5))
    await bench.clock.until_quiet()
    receiving.cancel()
    await bench.send("orders", "a")
    assert bodies(await bench.done(source.receive(5))) == ["a"]


async def test_what_nobody_asks_for_any_more_goes_back_untried(bench: Bench) -> None:
    source = await bench.source()
    receiving = asyncio.ensure_future(source.receive(5))
    await bench.clock.until_quiet()
    receiving.cancel()
    await bench.send("orders", "a")
    await bench.clock.pass_time(timedelta(seconds=3))
    other = await bench.source()
    (message,) = await bench.done(other.receive(5))
    assert message.dequeue_count == 2  # SQS counts it, and this host cannot know
    await bench.done(other.release([message]))
    (again,) = await bench.done(source.receive(5))
    assert again.dequeue_count == 3 - 1  # the host that gave it back untried does


async def test_a_stop_hears_the_poll_out_and_gives_back_what_it_brings(bench: Bench) -> None:
    source, other = await bench.source(), await bench.source()
    receiving = asyncio.ensure_future(source.receive(5))
    await bench.clock.pass_time(timedelta(seconds=17))
    closing = asyncio.ensure_future(source.close())
    await bench.clock.until_quiet()
    assert list(await receiving) == []
    await bench.send("orders", "a")
    await bench.done(closing)
    assert bodies(await bench.done(other.receive(5), within_s=2)) == ["a"]
    assert list(await source.receive(5)) == []


async def test_a_stop_waits_no_longer_than_it_may(bench: Bench) -> None:
    source = await bench.source()
    receiving = asyncio.ensure_future(source.receive(5))
    await bench.clock.pass_time(timedelta(seconds=1))
    closing = asyncio.ensure_future(source.close())
    await bench.clock.until_quiet()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert list(await receiving) == []
    await source.close()


async def test_what_was_handed_out_can_be_finished_after_the_end(bench: Bench) -> None:
    source = await bench.source()
    await bench.send("orders", "a", "b", "c")
    a, b, c = await bench.done(source.receive(5))
    await bench.done(source.close())
    assert list(await bench.done(source.extend([a]))) == []
    await bench.done(source.delete([a]))
    await bench.done(source.release([b]))
    await bench.done(source.poison(c, {"why": "never worked"}))
    assert bench.sqs.queue("orders").bodies == ["b"]
    assert bench.sqs.queue("orders-poison").bodies == ["c"]


# ---- holds -------------------------------------------------------------------------------------


async def test_a_hold_lasts_as_long_as_it_is_extended(bench: Bench) -> None:
    source, other = await bench.source(), await bench.source()
    await bench.send("orders", "a")
    (message,) = await bench.done(source.receive(1))
    waiting = asyncio.ensure_future(other.receive(1))
    for _ in range(10):
        await bench.clock.pass_time(timedelta(seconds=HOLD_S / 2))
        assert list(await bench.done(source.extend([message]))) == []
    assert not waiting.done()
    await bench.clock.pass_time(timedelta(seconds=HOLD_S + 1))
    (again,) = await waiting
    assert (again.id, again.dequeue_count) == (message.id, 2)
    assert list(await bench.done(source.extend([message]))) == [message.id]
    await bench.done(source.release([message]))  # is passed over
    assert list(await bench.done(other.extend([again]))) == []


async def test_what_comes_at_the_end_of_a_poll_can_be_extended_in_time(bench: Bench) -> None:
    source = await bench.source()
    receiving = asyncio.ensure_future(source.receive(1))
    await bench.clock.pass_time(timedelta(seconds=19.9))
    await bench.send("orders", "a")
    messages = await bench.done(receiving)
    await bench.clock.pass_time(timedelta(seconds=HOLD_S / 3 + 1))
    assert list(await bench.done(source.extend(messages))) == []


async def test_an_extension_that_sqs_refuses_is_a_lost_hold(bench: Bench) -> None:
    source = await bench.source()
    await bench.send("orders", "a", "b")
    a, b = await bench.done(source.receive(2))
    bench.sqs.queue("orders").messages.pop(0)  # somebody purged it
    assert list(await bench.done(source.extend([a, b]))) == [a.id]


async def test_found_f1_nothing_is_held_for_more_than_twelve_hours(bench: Bench) -> None:
    bench.sqs.add("orders")
    source = bench.host().queue_source("orders", hold_s=3600)
    await bench.send("orders", "a")
    (message,) = await bench.done(source.receive(1))
    lost: Sequence[str] = []
    received_at = bench.clock.now()
    while not lost:
        await bench.clock.pass_time(timedelta(minutes=5))
        lost = list(await bench.done(source.extend([message])))
    held = bench.clock.now() - received_at
    assert timedelta(hours=11.9) <= held <= timedelta(hours=12.1)


async def test_extensions_and_deletions_go_ten_a_request(bench: Bench) -> None:
    source = await bench.source()
    await bench.send("orders", *(f"m{n}" for n in range(30)))
    messages: list[ReceivedMessage] = []
    while len(messages) < 30:
        messages += await bench.done(source.receive(30))
    bench.sqs.operations.clear()
    assert list(await bench.done(source.extend(messages))) == []
    await bench.done(source.delete(messages))
    assert dict(bench.sqs.operations) == {
        "ChangeMessageVisibilityBatch": 3,
        "DeleteMessageBatch": 3,
    }
    assert bench.sqs.queue("orders").bodies == []


async def test_what_is_given_back_with_a_delay_comes_after_it(bench: Bench) -> None:
    source = await bench.source()
    await bench.send("orders", "a")
    (message,) = await bench.done(source.receive(1))
    await bench.done(source.release([message], delay_s=40.5))
    again = asyncio.ensure_future(source.receive(1))
    await bench.clock.pass_time(timedelta(seconds=39))
    assert not again.done()
    await bench.clock.pass_time(timedelta(seconds=3))
    assert [each.dequeue_count for each in await again] == [2]


# ---- FIFO --------------------------------------------------------------------------------------


async def test_a_group_comes_in_order_and_its_next_waits_for_what_is_held(bench: Bench) -> None:
    source, other = await bench.source("q.fifo"), await bench.source("q.fifo")
    await bench.send("q.fifo", "a1", "a2", "a3", group="a")
    await bench.send("q.fifo", "b1", group="b")
    (a1,) = await bench.done(source.receive(1))
    assert a1.body == "a1"
    assert bodies(await bench.done(other.receive(5))) == ["b1"]
    await bench.done(source.delete([a1]))
    assert bodies(await bench.done(other.receive(5))) == ["a2", "a3"]


async def test_a_long_list_for_one_group_arrives_in_order_on_a_bad_day(bench: Bench) -> None:
    """Throttled as a whole or lost: each request is done before the next one is sent."""
    bench.sqs.add("q.fifo")
    lost = iter([False, True, True, False, True] + [False] * 100)

    async def bad(request: Request) -> Response:
        response = await bench.sqs(request)
        if "SendMessageBatch" in str(request.headers) and next(lost):
            raise TransportError(Failure.CONNECTION_LOST, "on a bad day")
        return response

    queue = HostOnSqs(bad, bench.clock).queue("q.fifo")
    sent = [f"m{n:02}" for n in range(47)]
    ids = await bench.done(queue.send([OutgoingMessage(body=b, group_id="g") for b in sent]))
    assert bench.sqs.queue("q.fifo").bodies == sent
    assert [each.id for each in bench.sqs.queue("q.fifo").messages] == list(ids)


async def test_a_message_that_is_sent_again_by_its_id_is_there_once(bench: Bench) -> None:
    bench.sqs.add("q.fifo")
    message = OutgoingMessage(body="a", group_id="g", deduplication_id="instance-7:3")
    queue = bench.host().queue("q.fifo")
    first, second = await bench.done(queue.send([message])), await bench.done(queue.send([message]))
    assert first == second
    assert bench.sqs.queue("q.fifo").bodies == ["a"]


@pytest.mark.parametrize(("compares", "count"), [("true", 1), ("false", 2)])
async def test_a_queue_that_compares_contents_may_do_so(
    bench: Bench, compares: str, count: int
) -> None:
    bench.sqs.add("q.fifo", ContentBasedDeduplication=compares)
    await bench.send("q.fifo", "a", group="g")
    await bench.send("q.fifo", "a", group="g")
    assert bench.sqs.queue("q.fifo").bodies == ["a"] * count


# ---- poison ------------------------------------------------------------------------------------


async def poisoned(bench: Bench, name: str, **attributes: str) -> tuple[SqsSource, ReceivedMessage]:
    source = await bench.source(name, **attributes)
    message = OutgoingMessage(body="a", group_id="g" if ".fifo" in name else None)
    await bench.done(bench.host().queue(name).send([message]))
    (received,) = await bench.done(source.receive(1))
    return source, received


@pytest.mark.parametrize(
    ("name", "poison"), [("orders", "orders-poison"), ("o.fifo", "o-poison.fifo")]
)
async def test_the_poison_queue_is_made_when_it_is_needed(
    bench: Bench, name: str, poison: str
) -> None:
    source, message = await poisoned(bench, name, KmsMasterKeyId="key", MaximumMessageSize="2048")
    await bench.done(source.poison(message, {"reason": "boom\x00", "function": "f"}))
    assert bench.sqs.names() == sorted([name, poison])
    queue = bench.sqs.queue(poison)
    assert queue.attributes["MessageRetentionPeriod"] == str(14 * 24 * 3600)
    assert queue.attributes["KmsMasterKeyId"] == "key"
    (put,) = queue.messages
    assert (put.body, put.group) == ("a", message.group_id)
    assert {name: each["StringValue"] for name, each in put.attributes.items()} == {
        "reason": "boom\ufffd",
        "function": "f",
    }
    assert bench.sqs.queue(name).bodies == []


async def test_a_poison_queue_that_several_messages_need_is_made_once(bench: Bench) -> None:
    source = await bench.source()
    await bench.send("orders", "a", "b", "c")
    messages = await bench.done(source.receive(3))
    await bench.done(asyncio.gather(*(source.poison(each, {"why": "x"}) for each in messages)))
    assert bench.sqs.operations["CreateQueue"] == 1
    assert sorted(bench.sqs.queue("orders-poison").bodies) == ["a", "b", "c"]


async def test_a_host_that_may_make_no_queue_says_what_to_do(bench: Bench) -> None:
    source, message = await poisoned(bench, "orders")
    bench.sqs.denied = {"CreateQueue"}
    with pytest.raises(ResourceError, match=r"'orders-poison'.*create it.*CreateQueue"):
        await bench.done(source.poison(message, {"reason": "boom"}))
    assert bench.sqs.queue("orders").bodies == ["a"]
    bench.sqs.add("orders-poison")
    await bench.done(source.poison(message, {"reason": "boom"}))
    assert bench.sqs.queue("orders-poison").bodies == ["a"]


async def test_no_queue_is_made_for_one_that_may_be_of_another_account(bench: Bench) -> None:
    arn = bench.sqs.add("orders").arn
    source = bench.host().queue_source(arn, hold_s=HOLD_S)
    await bench.send("orders", "a")
    (message,) = await bench.done(source.receive(1))
    with pytest.raises(ResourceError, match="orders-poison"):
        await bench.done(source.poison(message, {"reason": "boom"}))
    assert bench.sqs.names() == ["orders"]


async def test_what_could_not_be_deleted_is_not_put_into_the_poison_queue_twice(
    bench: Bench,
) -> None:
    source, message = await poisoned(bench, "orders")
    bench.sqs.denied = {"DeleteMessage"}
    with pytest.raises(ResourceError, match="sqs:DeleteMessage"):
        await bench.done(source.poison(message, {"reason": "boom"}))
    bench.sqs.denied = set()
    await bench.clock.pass_time(timedelta(seconds=HOLD_S + 1))
    (again,) = await bench.done(source.receive(1))
    await bench.done(source.poison(again, {"reason": "boom"}))
    assert bench.sqs.queue("orders-poison").bodies == ["a"]
    assert bench.sqs.queue("orders").bodies == []


async def test_a_poison_queue_that_was_deleted_is_made_anew(bench: Bench) -> None:
    source = await bench.source()
    await bench.send("orders", "a", "b", "c")
    a, b, c = await bench.done(source.receive(3))
    await bench.done(source.poison(a, {"reason": "boom"}))
    await bench.done(source.poison(b, {"reason": "boom"}))
    bench.sqs.remove("orders-poison")
    with pytest.raises(ResourceError, match="orders-poison"):
        await bench.done(source.poison(c, {"reason": "boom"}))
    await bench.done(source.poison(c, {"reason": "boom"}))
    assert bench.sqs.queue("orders-poison").bodies == ["c"]


async def test_a_reason_that_is_too_long_is_cut_and_the_body_stays(bench: Bench) -> None:
    source = await bench.source("orders", MaximumMessageSize="1000")
    await bench.send("orders", "x" * 900)
    (message,) = await bench.done(source.receive(1))
    await bench.done(source.poison(message, {"reason": "é" * 200, "function": "f" * 50}))
    (put,) = bench.sqs.queue("orders-poison").messages
    assert put.body == "x" * 900
    (reason,) = (each["StringValue"] for each in put.attributes.values())
    assert len(reason) > 30
    assert set(reason) == {"é"}


async def test_a_message_keeps_its_own_attributes_before_the_reason(bench: Bench) -> None:
    source = await bench.source()
    message = OutgoingMessage(body="a", attributes={f"a{n}": "v" for n in range(9)})
    await bench.done(bench.host().queue("orders").send([message]))
    (received,) = await bench.done(source.receive(1))
    await bench.done(source.poison(received, {"a1": "mine", "reason": "boom", "function": "f"}))
    (put,) = bench.sqs.queue("orders-poison").messages
    found = {name: each["StringValue"] for name, each in put.attributes.items()}
    assert found == {**message.attributes, "reason": "boom"}


async def test_a_redrive_policy_is_known_and_sqs_does_the_rest(bench: Bench) -> None:
    dead = bench.sqs.add("dead-orders")
    policy = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": "2"})
    source = await bench.source("orders", RedrivePolicy=policy)
    assert await source.facts() == QueueFacts(max_tries=2, poison_queue="dead-orders")
    await bench.send("orders", "a")
    for _ in range(2):
        await bench.done(source.release(await bench.done(source.receive(1))))
    receiving = asyncio.ensure_future(source.receive(1))
    await bench.clock.pass_time(timedelta(seconds=1))
    assert not receiving.done()
    assert dead.bodies == ["a"]


# ---- what is wrong -----------------------------------------------------------------------------


async def test_a_missing_queue_is_said_with_what_to_do(bench: Bench) -> None:
    source = bench.host().queue_source("orders.fifo")
    with pytest.raises(ResourceError) as caught:
        await bench.done(source.facts())
    assert str(caught.value) == (
        "There is no SQS queue 'orders.fifo' in us-east-1. Create it (aws sqs create-queue "
        "--queue-name orders.fifo --attributes FifoQueue=true), or mend queueName, the connection "
        "or the region."
    )
    with pytest.raises(ResourceError, match=r"orders\.fifo"):
        await bench.done(source.receive(1))
    bench.sqs.add("orders.fifo")
    assert await bench.done(source.facts()) == QueueFacts()


@pytest.mark.parametrize("operation", ["GetQueueUrl", "ReceiveMessage"])
async def test_what_is_denied_is_said_with_the_action_to_allow(
    bench: Bench, operation: str
) -> None:
    bench.sqs.add("orders")
    bench.sqs.denied = {operation}
    source = bench.host().queue_source("orders")
    with pytest.raises(ResourceError, match=rf"Allow sqs:{operation} on it"):
        await bench.done(source.receive(1))


async def test_a_host_that_may_not_ask_what_is_set_listens_all_the_same(bench: Bench) -> None:
    bench.sqs.add("orders")
    bench.sqs.denied = {"GetQueueAttributes"}
    source = bench.host().queue_source("orders", hold_s=HOLD_S)
    assert await source.facts() == QueueFacts()
    await bench.send("orders", "a")
    (message,) = await bench.done(source.receive(1))
    assert (message.body, message.expires_at) == ("a", None)
    await bench.done(source.poison(message, {"reason": "boom"}))
    assert bench.sqs.queue("orders-poison").bodies == ["a"]


async def test_found_f2_throttled_entries_are_tried_again(bench: Bench) -> None:
    throttled = iter([True, True, False])

    async def busy(request: Request) -> Response:
        response = await bench.sqs(request)
        if b"VisibilityTimeout" in request.body and b"Entries" in request.body and next(throttled):
            failed = {"Id": "0", "Code": "RequestThrottled", "SenderFault": True}
            return response._replace(body=json.dumps({"Failed": [failed]}).encode())
        return response

    bench.sqs.add("orders")
    source = HostOnSqs(busy, bench.clock).queue_source("orders", hold_s=HOLD_S)
    await bench.send("orders", "a")
    messages = await bench.done(source.receive(1))
    assert list(await bench.done(source.extend(messages))) == []
    assert list(throttled) == []


async def test_while_sqs_is_away_receivers_hear_of_it_and_holds_stay_good(bench: Bench) -> None:
    is_away = False

    async def way(request: Request) -> Response:
        if is_away:
            raise TransportError(Failure.NOT_CONNECTED, "the cable is out")
        return await bench.sqs(request)

    bench.sqs.add("orders")
    host = HostOnSqs(way, bench.clock, rules=RetryRules(attempts=2, base_s=0.01))
    source = host.queue_source("orders", hold_s=HOLD_S)
    await bench.send("orders", "a", "b")
    a, b = await bench.done(source.receive(2))
    is_away = True
    with pytest.raises(ResourceAwayError, match="the cable is out"):
        await bench.done(source.receive(2))
    with pytest.raises(ResourceAwayError, match="the cable is out"):
        await bench.done(source.extend([a, b]))
    with pytest.raises(ResourceAwayError, match="the cable is out"):
        await bench.done(source.delete([a]))
    is_away = False
    assert list(await bench.done(source.extend([a, b]))) == []
    await bench.done(source.delete([a, b]))
    assert bench.sqs.queue("orders").bodies == []


async def test_whoever_waits_hears_that_sqs_is_back_though_nothing_came(bench: Bench) -> None:
    source = await bench.source()
    bench.sqs.denied = {"ReceiveMessage"}
    with pytest.raises(ResourceError):
        await bench.done(source.receive(5))
    bench.sqs.denied = set()
    assert list(await bench.done(source.receive(5), within_s=2)) == []
    waiting = asyncio.ensure_future(source.receive(5))
    await bench.clock.pass_time(timedelta(minutes=1))
    assert not waiting.done()
    await bench.send("orders", "a")
    assert bodies(await bench.done(waiting)) == ["a"]


async def test_an_arn_is_asked_for_in_its_own_region(bench: Bench) -> None:
    bench.sqs.add("orders")
    host = bench.host()
    arn = "arn:aws:sqs:eu-north-1:123456789012:orders"
    await bench.done(host.queue(arn).send([OutgoingMessage(body="a")]))
    assert [options.region for options in host.options] == ["eu-north-1"]
    assert bench.sqs.queue("orders").bodies == ["a"]


async def test_the_senders_of_one_moment_share_requests(bench: Bench) -> None:
    bench.sqs.add("orders")
    host = bench.host()
    sends = [host.queue("orders").send([OutgoingMessage(body=f"m{n}")]) for n in range(20)]
    await bench.done(asyncio.gather(*sends))
    assert bench.sqs.operations["SendMessageBatch"] == 2


@pytest.mark.parametrize("seed", range(8))
async def test_on_a_bad_day_groups_come_in_order_and_nothing_is_lost(
    bench: Bench, seed: int
) -> None:
    """Answers are lost, requests are throttled and done by halves."""
    bench.sqs.add("q.fifo")
    faulty = FaultyTransport(bench.sqs, seed=seed, rate=0.3)
    host = HostOnSqs(faulty, bench.clock)
    sent = {group: [f"{group}{n:02}" for n in range(25)] for group in "ab"}
    sends = [
        host.queue("q.fifo").send([OutgoingMessage(body=b, group_id=group) for b in bodies_])
        for group, bodies_ in sent.items()
    ]
    await bench.done(asyncio.gather(*sends))
    sources = [host.queue_source("q.fifo", hold_s=HOLD_S) for _ in range(2)]
    seen: list[str] = []

    async def listen(source: SqsSource) -> None:
        while True:
            with suppress(ResourceError):  # after polls that failed for so long
                received = await source.receive(10)
                seen.extend(bodies(received))
                await source.delete(received)

    listening = asyncio.gather(*map(listen, sources))
    while bench.sqs.queue("q.fifo").messages and not listening.done():
        await bench.clock.pass_time(timedelta(seconds=5))
    listening.cancel()
    for group, bodies_ in sent.items():
        assert list(dict.fromkeys(each for each in seen if each[0] == group)) == bodies_
    assert faulty.faults
