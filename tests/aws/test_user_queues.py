"""Queues of functions on two servers that stand in for SQS, which understand what is said."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

import pytest

from bindings.errors import InvalidArgumentError
from bindings.kinds.queues import OutgoingMessage, ReceivedMessage, poison_name
from host.clock import SystemClock
from host.errors import ResourceError
from host.resources.sqs.source import SqsSource
from host.storage.aws.wire.connections import PooledTransport
from tests.kit.faulty_transport import FaultyTransport
from tests.kit.queues_on_sqs import HostOnSqs

HOLD_S = 12.0
"""Short, so that polls are: a server's long poll outlives a test's end."""


@pytest.fixture
async def pool() -> AsyncIterator[PooledTransport]:
    transport = PooledTransport()
    await transport.open()
    yield transport
    await transport.close()


@pytest.fixture
async def host(aws_url: str, pool: PooledTransport) -> AsyncIterator[HostOnSqs]:
    opened = HostOnSqs(pool, SystemClock(), url=aws_url)
    yield opened
    await opened.driver.close()


@pytest.fixture(params=["standard", "fifo"])
async def name(request: pytest.FixtureRequest, host: HostOnSqs) -> str:
    """A new queue of each kind, one after the other."""
    is_fifo = request.param == "fifo"
    name = f"q{uuid4().hex[:12]}{'.fifo' if is_fifo else ''}"
    await host.call(
        "CreateQueue", QueueName=name, Attributes={"FifoQueue": "true"} if is_fifo else {}
    )
    return name


def message(body: str, **more: str) -> OutgoingMessage:
    return OutgoingMessage(body=body, group_id="g", attributes=more)


async def take(source: SqsSource, count: int) -> Sequence[ReceivedMessage]:
    taken: list[ReceivedMessage] = []
    while len(taken) < count:
        taken += await source.receive(count - len(taken))
    return taken


async def test_messages_come_as_they_were_sent_and_go_when_they_are_deleted(
    host: HostOnSqs, name: str
) -> None:
    source = host.queue_source(name, hold_s=HOLD_S)
    await source.facts()
    sent = [message(f"grüß {n} \U0001f600\n", kind="new") for n in range(10)]
    ids = await host.queue(name).send(sent)
    received = await take(source, 10)
    assert sorted(each.id for each in received) == sorted(ids)
    assert sorted(each.body for each in received) == sorted(each.body for each in sent)
    assert {each.attributes["kind"] for each in received} == {"new"}
    assert {each.dequeue_count for each in received} == {1}
    if name.endswith(".fifo"):
        assert [each.body for each in received] == [each.body for each in sent]
        assert {each.group_id for each in received} == {"g"}
    assert list(await source.extend(received)) == []
    await source.delete(received)
    assert list(await source.extend(received)) == [each.id for each in received]
    await source.close()


async def test_what_is_given_back_comes_again_and_poison_is_put_away(
    host: HostOnSqs, name: str
) -> None:
    source = host.queue_source(name, hold_s=HOLD_S)
    await source.facts()
    await host.queue(name).send([message("a", kind="new")])
    (first,) = await take(source, 1)
    await source.release([first])
    (again,) = await take(source, 1)
    assert (again.id, again.dequeue_count) == (first.id, 2)
    await source.poison(again, {"reason": "boom", "function": "f"})
    poison = host.queue_source(poison_name(name), hold_s=HOLD_S)
    (put,) = await take(poison, 1)
    assert put.body == "a"
    assert put.attributes == {"kind": "new", "reason": "boom", "function": "f"}
    await source.close()
    await poison.close()


async def test_a_queue_is_found_by_its_url_and_its_arn(host: HostOnSqs, name: str) -> None:
    url = await host.queue(name).url()
    arn = (await host.queue(name).attributes())["QueueArn"]
    for each in (url, arn):
        await host.queue(each).send([message(each)])
    source = host.queue_source(arn, hold_s=HOLD_S)
    received = await take(source, 2)
    assert sorted(each.body for each in received) == sorted([url, arn])
    await source.close()


async def test_a_message_that_the_queue_does_not_take_goes_down_alone(
    host: HostOnSqs, name: str
) -> None:
    url = await host.queue(name).url()
    await host.call("SetQueueAttributes", QueueUrl=url, Attributes={"MaximumMessageSize": "1024"})
    too_long, good = message("x" * 2000), message("x")
    with pytest.raises(InvalidArgumentError, match=name.replace(".", r"\.")):
        await host.queue(name).send([good, too_long, good])
    source = host.queue_source(name, hold_s=HOLD_S)
    assert [each.body for each in await take(source, 2)] == ["x", "x"]
    await source.close()


async def test_a_queue_that_is_not_there_is_said(host: HostOnSqs) -> None:
    with pytest.raises(ResourceError, match="There is no SQS queue 'none'"):
        await host.queue("none").send([message("a")])
    with pytest.raises(ResourceError, match="There is no SQS queue 'none'"):
        await host.queue_source("none").facts()


async def test_on_a_bad_day_each_message_comes_at_least_once(
    aws_url: str, pool: PooledTransport, name: str
) -> None:
    """Answers are lost, requests are throttled and done by halves.

    In which order a group comes then, `test_sqs_sources.py` asks: these servers end holds of one
    moment one by one.
    """
    faulty = FaultyTransport(pool, seed=1, rate=0.3)
    host = HostOnSqs(faulty, SystemClock(), url=aws_url)
    sent = [f"m{n:02}" for n in range(40)]
    await host.queue(name).send([message(body) for body in sent])
    source = host.queue_source(name, hold_s=3)
    seen: set[str] = set()
    while seen != set(sent):
        received = await source.receive(10)
        seen.update(each.body for each in received)
        await source.delete(received)
    await source.close()
    assert faulty.faults
