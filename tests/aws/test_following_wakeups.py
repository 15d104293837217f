"""Of an instance that a host leads, it sends one wake-up more, however much there is to tell."""

from __future__ import annotations

import asyncio

import pytest

from host.errors import StorageError
from host.storage.aws.queues.queues import SqsQueues
from host.storage.aws.wire.retries import RetryRules
from host.storage.protocol import WakeUp
from tests.kit.scripted_transport import ScriptedAws, Step, answer

HOLD_S = 30


def _done(count: int = 1) -> Step:
    return answer({"Successful": [{"Id": str(number)} for number in range(count)]})


def _throttled() -> Step:
    return answer({"Failed": [{"Id": "0", "Code": "RequestThrottled", "SenderFault": True}]})


async def _held(*script: Step) -> tuple[SqsQueues, ScriptedAws, WakeUp]:
    """A wake-up of `i` is held; then the script is met."""
    message = answer({"Messages": [{"Body": '{"id":"i"}', "ReceiptHandle": "r"}]})
    url, rules = answer({"QueueUrl": "q"}), RetryRules(attempts=1)
    aws = ScriptedAws(url, message, *script, service="sqs", rules=rules)
    queues = SqsQueues(["q.fifo"], "w", client=aws.client, clock=aws.clock, hold_s=HOLD_S)
    (wakeup,) = await queues.receive_wakeups(1)
    aws.requests.clear()
    return queues, aws, wakeup


def _sent(aws: ScriptedAws) -> int:
    return sum("SendMessage" in each.headers["x-amz-target"] for each in aws.requests)


async def test_one_wake_up_waits_behind_a_held_one_and_no_more_are_sent() -> None:
    queues, aws, _ = await _held(_done())
    for _ in range(3):
        await queues.send_wakeups(["i"])
    assert _sent(aws) == 1


async def test_those_that_come_while_it_is_on_its_way_are_one_with_it() -> None:
    queues, aws, _ = await _held(_done())
    first = asyncio.ensure_future(queues.send_wakeups(["i"]))
    await asyncio.sleep(0)
    await asyncio.gather(first, queues.send_wakeups(["i"]))
    assert _sent(aws) == 1


async def test_of_others_each_wake_up_is_sent() -> None:
    queues, aws, _ = await _held(_done(), _done())
    for _ in range(2):
        await queues.send_wakeups(["other"])
    assert _sent(aws) == 2


@pytest.mark.parametrize("how", ["finish", "release"])
async def test_when_the_hold_has_ended_the_next_one_is_sent(how: str) -> None:
    queues, aws, wakeup = await _held(_done(), _done(), _done())
    await queues.send_wakeups(["i"])
    await getattr(queues, how)([wakeup])
    await queues.send_wakeups(["i"])
    assert _sent(aws) == 2


async def test_when_the_hold_is_over_each_one_is_sent() -> None:
    queues, aws, _ = await _held(_done(), _done())
    await queues.send_wakeups(["i"])
    aws.clock.pass_time(HOLD_S)
    await queues.send_wakeups(["i"])
    assert _sent(aws) == 2


async def test_a_recovery_hint_is_sent_behind_a_plain_one_and_stands_for_both() -> None:
    queues, aws, _ = await _held(_done(), _done())
    await queues.send_wakeups(["i"])
    await queues.send_wakeups(["i"], is_recovery=True)
    await queues.send_wakeups(["i"], is_recovery=True)
    await queues.send_wakeups(["i"])
    assert _sent(aws) == 2
    assert b'\\"re\\":true' in aws.requests[-1].body


async def test_one_that_could_not_be_sent_waits_nowhere() -> None:
    queues, aws, _ = await _held(_throttled(), _done())
    with pytest.raises(StorageError):
        await queues.send_wakeups(["i"])
    await queues.send_wakeups(["i"])
    assert _sent(aws) == 2


async def test_a_caller_that_goes_away_takes_nobody_along() -> None:
    queues, aws, _ = await _held(_done())
    first = asyncio.ensure_future(queues.send_wakeups(["i"]))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(queues.send_wakeups(["i"]))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert _sent(aws) == 1
