"""What the queues on SQS do beyond the contract, on both servers."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from host.clock import SystemClock
from host.core.history import TaskScheduled
from host.errors import StorageUnavailableError
from host.storage.aws.queues.queues import SqsQueues
from host.storage.aws.queues.strangers import Strangers
from host.storage.protocol import WakeUp, WorkItem
from tests.kit.hub import until
from tests.kit.manual_clock import ManualClock
from tests.kit.sqs_hub import SqsHub, sqs_hub

pytestmark = pytest.mark.aws

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def test_one_wakeup_costs_one_send_one_receive_and_one_delete(aws_url: str) -> None:
    async with sqs_hub(aws_url) as hub:
        await hub.queues.send_wakeups(["a"])
        await hub.queues.finish(await hub.queues.receive_wakeups(9))
        assert hub.transport.operations == {
            "SendMessageBatch": 1,
            "ReceiveMessage": 1,
            "DeleteMessageBatch": 1,
        }


async def test_callers_share_requests_and_hints_of_one_moment_are_one(aws_url: str) -> None:
    async with sqs_hub(aws_url) as hub:
        names = [f"i{number}" for number in range(20)]
        await asyncio.gather(*(hub.queues.send_wakeups([name]) for name in names + names))
        assert hub.transport.operations == {"SendMessageBatch": 2}
        wakeups: list[WakeUp] = []
        while len(wakeups) < 20:
            wakeups += await hub.queues.receive_wakeups(100)
        assert sorted(wakeup.instance_id for wakeup in wakeups) == sorted(names)
        await hub.queues.extend(wakeups)
        await asyncio.gather(*(hub.queues.finish([wakeup]) for wakeup in wakeups))
        assert hub.transport.operations["ChangeMessageVisibilityBatch"] == 2
        assert hub.transport.operations["DeleteMessageBatch"] == 2


async def test_work_items_that_are_as_long_as_may_be_all_arrive(aws_url: str) -> None:
    """In requests of less than 256 KiB each, which is all that SQS takes in some regions."""
    run = TaskScheduled(timestamp=NOW, task_id=0, name="act", input="x" * 65_000)
    items = [
        WorkItem(instance_id=f"i{n}", execution_id="e", task_id=n, scheduled=run) for n in range(8)
    ]
    async with sqs_hub(aws_url) as hub:
        await hub.queues.send_work(items)
        assert hub.transport.operations == {"SendMessageBatch": 3}
        found: list[WorkItem] = []
        while len(found) < len(items):
            found += await hub.queues.receive_work(9)
        assert {item.task_id for item in found} == {item.task_id for item in items}
        assert all(item.scheduled is not None for item in found)


async def test_several_queues_serve_one_hub(aws_url: str) -> None:
    async with sqs_hub(aws_url, wakeup_queues=3) as hub:
        names = {f"i{number}" for number in range(12)}
        await hub.queues.send_wakeups(sorted(names))
        assert hub.transport.operations["SendMessageBatch"] == 3
        found: set[str] = set()
        while found != names:
            wakeups = await hub.queues.receive_wakeups(100)
            found |= {wakeup.instance_id for wakeup in wakeups}
            await hub.queues.finish(wakeups)


async def test_another_host_gets_what_one_gave_back(aws_url: str) -> None:
    async with sqs_hub(aws_url) as hub:
        other = beside(hub)
        await hub.queues.send_wakeups(["a"])
        await hub.queues.release(await hub.queues.receive_wakeups(9))
        (wakeup,) = await other.receive_wakeups(9)
        assert (wakeup.instance_id, wakeup.deliveries) == ("a", 2)
        await other.finish([wakeup])
        await other.close()


async def test_a_hold_that_is_over_is_not_this_hosts_to_end(aws_url: str) -> None:
    async with sqs_hub(aws_url) as hub:
        late = beside(hub, clock=(clock := LeapingClock()))
        await hub.queues.send_wakeups(["a"])
        held = await late.receive_wakeups(9)
        clock.leap_s = 60.0
        await late.extend(held)
        await late.finish(held)
        assert hub.transport.operations["ChangeMessageVisibilityBatch"] == 0
        assert hub.transport.operations["DeleteMessageBatch"] == 0
        await late.close()


@pytest.mark.parametrize("instance_id", ["Zürich/7 \U0001f40d", "\ufffe\x01", "x" * 500])
async def test_any_instance_id_can_be_woken(ministack_url: str, instance_id: str) -> None:
    async with sqs_hub(ministack_url) as hub:
        await hub.queues.send_wakeups([instance_id])
        (wakeup,) = await hub.queues.receive_wakeups(1)
        assert wakeup.instance_id == instance_id


DEEP = "[" * 50_000
NO_WAKEUPS = {
    "a word": "hello",
    "nothing": "{}",
    "a number": '{"id": 1}',
    "a list": "[]",
    "what nests deep": '{"id": "a", "x": ' + DEEP,
    "a poke that nests deep": '{"poke": "a", "at": 1, "x": ' + DEEP,
    "half a character": '{"id": "\\ud800"}',
    "a number that is none": '{"id": "a", "p": 1e400}',
    "passed on less than never": '{"id": "a", "p": -1}',
    "passed on too often": '{"id": "a", "p": %s}' % ("9" * 300),
    "no id": '{"id": ""}',
    "an id that fits nowhere": '{"id": "%s"}' % ("x" * 3000),
    "a poke that went round less than never": '{"poke": "a", "at": 9e18, "n": -1}',
    "a large poke": '{"poke": "%s", "at": 9e18}' % ("x" * 200_000),
}
"""Bodies of messages that somebody else sent."""
NO_WORK = {
    **NO_WAKEUPS,
    "a wake-up": '{"id": "a"}',
    "an execution that fits nowhere": '{"id": "a", "ex": "%s", "t": 1}' % ("x" * 2000),
    "a task before all": '{"id": "a", "ex": "e", "t": -1}',
    "a task of many digits": '{"id": "a", "ex": "e", "t": %s}' % ("9" * 300),
    "something else to run": '{"id": "a", "ex": "e", "t": 1, "run": ' + DEEP,
}


@pytest.mark.parametrize("body", NO_WAKEUPS.values(), ids=NO_WAKEUPS.keys())
async def test_a_message_that_is_no_wakeup_is_deleted(ministack_url: str, body: str) -> None:
    async with sqs_hub(ministack_url) as hub:
        url = (await hub.client.call("GetQueueUrl", {"QueueName": name_of(hub)}))["QueueUrl"]
        message = {"MessageBody": body, "MessageGroupId": "g", "MessageDeduplicationId": "d"}
        await hub.client.call("SendMessage", {"QueueUrl": url, **message})
        await hub.queues.send_wakeups(["a"])
        (wakeup,) = await hub.queues.receive_wakeups(9)
        assert wakeup.instance_id == "a"
        await until(lambda: hub.transport.operations["DeleteMessageBatch"] == 1)


@pytest.mark.parametrize("body", NO_WORK.values(), ids=NO_WORK.keys())
async def test_a_message_that_is_no_work_item_is_deleted(ministack_url: str, body: str) -> None:
    async with sqs_hub(ministack_url) as hub:
        name = hub.layout.work_queue_name
        url = (await hub.client.call("GetQueueUrl", {"QueueName": name}))["QueueUrl"]
        await hub.client.call("SendMessage", {"QueueUrl": url, "MessageBody": body})
        await hub.queues.send_work([WorkItem(instance_id="a", execution_id="e", task_id=7)])
        (item,) = await hub.queues.receive_work(9)
        assert item.task_id == 7
        await until(lambda: hub.transport.operations["DeleteMessageBatch"] == 1)


def test_messages_of_strangers_are_a_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    strangers = Strangers(clock := ManualClock(), "wake-up")
    for _ in range(10_000):
        strangers.came("queue")
    clock.jump(timedelta(seconds=61))
    strangers.came("queue")
    assert caplog.messages == [
        "A message in 'queue' is no wake-up and is deleted.",
        "A message in 'queue' is no wake-up and is deleted; so were 9999 since the last such line.",
    ]


async def test_a_missing_queue_is_named_with_what_to_do(aws_url: str) -> None:
    async with sqs_hub(aws_url) as hub:
        queue = hub.layout.work_queue_name
        queues = SqsQueues(["nothing.fifo"], queue, client=hub.client, clock=SystemClock())
        with pytest.raises(StorageUnavailableError, match=r"'nothing\.fifo'.*funchost hub create"):
            await queues.open()
        await queues.close()


async def test_found_a15_what_is_sent_while_a_host_stops_is_the_next_ones_at_once_and_uncounted(
    aws_url: str,
) -> None:
    async with sqs_hub(aws_url) as hub:
        stopping = beside(hub)
        receivers = [
            asyncio.ensure_future(stopping.receive_wakeups(9)),
            asyncio.ensure_future(stopping.receive_work(9)),
        ]
        await until(lambda: hub.transport.operations["ReceiveMessage"] == 2)
        for receiver in receivers:
            receiver.cancel()
        stop = asyncio.ensure_future(stopping.stop_receiving())
        await hub.queues.send_wakeups(["a"])
        await hub.queues.send_work([WorkItem(instance_id="a", execution_id="e", task_id=1)])
        await stop
        (wakeup,) = await hub.queues.receive_wakeups(9)
        assert (wakeup.instance_id, wakeup.deliveries) == ("a", 1)
        (item,) = await hub.queues.receive_work(9)
        assert (item.instance_id, item.deliveries) == ("a", 1)
        await stopping.close()


async def given_back(hub: SqsHub, send: Callable[[], Awaitable[None]]) -> WakeUp:
    """What is sent comes to a host that stops, by a poll that goes on, and then to another."""
    stopping = beside(hub)
    receiving = asyncio.ensure_future(stopping.receive_wakeups(9))
    await until(lambda: hub.transport.operations["ReceiveMessage"] == 1)
    receiving.cancel()  # its poll goes on
    stop = asyncio.ensure_future(stopping.stop_receiving())
    await send()
    await stop
    (wakeup,) = await hub.queues.receive_wakeups(9)
    await stopping.close()
    return wakeup


async def test_found_a15_a_suspicious_wakeup_that_is_given_back_stays_suspicious(
    ministack_url: str,
) -> None:
    async with sqs_hub(ministack_url) as hub:
        wakeup = await given_back(hub, lambda: hub.queues.send_wakeups(["a"], is_recovery=True))
        assert (wakeup.is_recovery, wakeup.deliveries) == (True, 1)


async def test_how_often_a_wakeup_was_passed_on_is_known_when_it_is_given_back(
    ministack_url: str,
) -> None:
    async with sqs_hub(ministack_url) as hub:
        passed = WakeUp(instance_id="a", receipt="none", passed=2)
        wakeup = await given_back(hub, lambda: hub.queues.pass_on(passed))
        assert wakeup.passed == 3


class LeapingClock(SystemClock):
    """A clock that may leap, as that of a process that was stopped for a while."""

    leap_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.leap_s


def beside(hub: SqsHub, clock: SystemClock | None = None) -> SqsQueues:
    """The queues of the same hub in another host."""
    return SqsQueues(
        [name_of(hub)],
        hub.layout.work_queue_name,
        client=hub.client,
        clock=clock or SystemClock(),
        poll_s=1,
    )


def name_of(hub: SqsHub) -> str:
    return hub.layout.wakeup_queue_names[0]
