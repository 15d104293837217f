"""Hosts that stop send pokes; who gets another's sends it on, and lets no hint wait for that."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

from host.storage.aws.queues.queues import SqsQueues
from host.storage.aws.wire.client import AwsClient
from host.storage.aws.wire.signing import StaticCredentials
from host.storage.aws.wire.transport import Request, Response
from tests.kit.scripted_transport import ENDPOINT, KEYS, LeapingClock, answer

LIMIT_S = 3
NOW_S = LeapingClock().now().timestamp()


class SlowSqs:
    """SQS that brings these messages once, and does no write before it may."""

    def __init__(self, *bodies: dict[str, Any]) -> None:
        self.may_write = asyncio.Event()
        self.written: Counter[str] = Counter()
        self._messages = [
            {"Body": json.dumps(body), "ReceiptHandle": f"r{number}"}
            for number, body in enumerate(bodies)
        ]
        self._never = asyncio.Event()

    async def __call__(self, request: Request) -> Response:
        operation = request.headers["x-amz-target"].rpartition(".")[2]
        if operation == "GetQueueUrl":
            return answer({"QueueUrl": "q"})
        if operation == "ReceiveMessage":
            if not self._messages:
                await self._never.wait()
            messages, self._messages = self._messages, []
            return answer({"Messages": messages})
        await self.may_write.wait()
        entries = json.loads(request.body)["Entries"]
        self.written[operation] += len(entries)
        return answer({"Successful": [{"Id": entry["Id"]} for entry in entries]})


def _queues(sqs: SlowSqs) -> SqsQueues:
    clock = LeapingClock()
    client = AwsClient(
        service="sqs",
        endpoint=ENDPOINT,
        credentials=StaticCredentials(KEYS),
        transport=sqs,
        clock=clock,
    )
    return SqsQueues(["q.fifo"], "w", client=client, clock=clock)


async def test_a_wake_up_that_comes_with_another_hosts_poke_does_not_wait_for_it() -> None:
    """A send may take half a minute where SQS throttles: by then the hold would be over."""
    sqs = SlowSqs({"poke": "another", "at": NOW_S}, {"id": "i"})
    queues = _queues(sqs)
    async with asyncio.timeout(LIMIT_S):
        (wakeup,) = await queues.receive_wakeups(1)
    assert wakeup.instance_id == "i"
    sqs.may_write.set()
    await queues.close()
    assert sqs.written == {"SendMessageBatch": 1, "DeleteMessageBatch": 1}


async def test_a_work_item_that_comes_with_what_nobody_can_read_does_not_wait_either() -> None:
    sqs = SlowSqs({"what": "is this"}, {"id": "i", "ex": "e", "t": 1})
    queues = _queues(sqs)
    async with asyncio.timeout(LIMIT_S):
        (item,) = await queues.receive_work(1)
    assert item.instance_id == "i"
    sqs.may_write.set()
    await queues.close()
    assert sqs.written == {"DeleteMessageBatch": 1}


async def test_a_poke_that_is_old_goes_no_further() -> None:
    sqs = SlowSqs({"poke": "another", "at": NOW_S - 60}, {"id": "i"})
    queues = _queues(sqs)
    sqs.may_write.set()
    await queues.receive_wakeups(1)
    await queues.close()
    assert sqs.written == {"DeleteMessageBatch": 1}


async def test_of_the_copies_of_a_poke_one_goes_on() -> None:
    """Were each sent on, and doubled again on the way, there would be ever more of them."""
    pokes = [{"poke": "another", "at": NOW_S, "n": n} for n in (1, 1, 0, 1, 2)]
    sqs = SlowSqs(*pokes, {"id": "i"})
    queues = _queues(sqs)
    sqs.may_write.set()
    await queues.receive_wakeups(1)
    await queues.close()
    assert sqs.written == {"SendMessageBatch": 2, "DeleteMessageBatch": 5}
