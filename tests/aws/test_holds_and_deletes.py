"""Holds that are made longer while their messages are being deleted, at the exact moments.

A peer's bug, number 29 of the list in docs/reliability.md: renewing a receipt that was just deleted
made a storm of exceptions, or brought the finished message back.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from datetime import timedelta

import pytest

from bindings import FunctionApp, OrchestrationContext
from host.clock import SystemClock
from host.engine.holds import LOOK_S
from host.storage.aws.queues.queues import SqsQueues
from host.storage.aws.wire.client import AwsClient
from host.storage.aws.wire.transport import Request, Response, Transport
from tests.kit.aws_engine import aws_host, aws_hub
from tests.kit.hub import until
from tests.kit.manual_clock import ManualClock
from tests.kit.meddling_transports import LostAnswers, Meddler
from tests.kit.sqs_hub import POLL_S, SqsHub, sqs_client, sqs_hub

pytestmark = pytest.mark.aws

PATIENCE = timedelta(seconds=15)
EXTEND, DELETE = "ChangeMessageVisibilityBatch", "DeleteMessageBatch"


@pytest.mark.parametrize("first", ["extended", "deleted"])
async def test_bug_29_a_wakeup_that_is_extended_and_deleted_at_once_is_gone(
    aws_url: str, first: str
) -> None:
    async with sqs_hub(aws_url) as hub:
        meddler = Meddler(hub.transport)
        queues = over(hub, aws_url, meddler)
        await queues.send_wakeups(["a"])
        held = await queues.receive_wakeups(1)
        if first == "extended":  # the delete overtakes it on the way
            meddler.before[EXTEND] = lambda: queues.finish(held)
            await queues.extend(held)
        else:
            meddler.before[DELETE] = lambda: queues.extend(held)
            await queues.finish(held)
        assert meddler.before == {}
        await queues.extend(held)
        assert await left_in(hub.client, hub.layout.wakeup_queue_names[0]) == 0
        await queues.close()


async def test_bug_29_neither_is_an_error_when_answers_get_lost(aws_url: str) -> None:
    async with sqs_hub(aws_url) as hub:
        way = LosingLater(hub.transport)
        queues = over(hub, aws_url, way)
        await queues.send_wakeups([f"i{number}" for number in range(10)])
        held = await queues.receive_wakeups(10)
        way.loses = True
        await asyncio.gather(
            *(queues.extend([each]) for each in held), *(queues.finish([each]) for each in held)
        )
        assert hub.transport.operations[DELETE] == 2
        assert await left_in(hub.client, hub.layout.wakeup_queue_names[0]) + len(held) == 10
        await queues.close()


async def test_bug_29_a_host_whose_keeper_meets_a_session_that_ends_stays_well(
    aws_url: str,
) -> None:
    app, may_end, runs = FunctionApp(), asyncio.Event(), Counter[str]()

    @app.activity_trigger()
    async def waits(label: str) -> str:
        runs[label] += 1
        await may_end.wait()
        return label

    @app.orchestration_trigger()
    async def works(context: OrchestrationContext, label: str) -> str:
        return await context.call_activity(waits, label)

    clock = ManualClock()
    async with aws_hub(aws_url) as hub:
        meddler = Meddler(hub.pool)
        async with aws_host(
            hub, app, clock, transport=meddler, hold_s=math.inf, park_after_s=60.0
        ) as host:
            extended = asyncio.Event()

            async def end_session() -> None:
                may_end.set()
                await host.sessions_ended()

            async def note() -> None:
                extended.set()

            await host.client.schedule_new_orchestration(works, input="x", instance_id="it")
            await until(lambda: runs["x"] == 1)
            meddler.before[EXTEND], meddler.after[EXTEND] = end_session, note
            await clock.advance(timedelta(seconds=LOOK_S))
            await until(extended.is_set)
            await clock.until_quiet()
            assert host.engine.problems() == []
            state = await host.client.wait_for_instance_completion("it", timeout=PATIENCE)
            assert (state.output, runs["x"]) == ("x", 1)
            assert host.engine.counters()["redeliveries"] == 0
            assert await left_in(hub.client("sqs"), hub.layout.wakeup_queue_names[0]) == 0


class LosingLater:
    """A way to the server on which the first answer to every call gets lost once `loses` is set."""

    def __init__(self, transport: Transport) -> None:
        self.loses = False
        self._transport = transport
        self._losing = LostAnswers(transport)

    async def __call__(self, request: Request) -> Response:
        way = self._losing if self.loses else self._transport
        return await way(request)


def over(hub: SqsHub, url: str, transport: Transport) -> SqsQueues:
    """The queues of another host of this hub, whose requests go this way."""
    layout = hub.layout
    return SqsQueues(
        layout.wakeup_queue_names,
        layout.work_queue_name,
        client=sqs_client(url, transport),
        clock=SystemClock(),
        poll_s=POLL_S,
    )


async def left_in(client: AwsClient, name: str) -> int:
    """How many messages the queue has, hidden ones included."""
    url = (await client.call("GetQueueUrl", {"QueueName": name}))["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = await client.call("GetQueueAttributes", {"QueueUrl": url, "AttributeNames": names})
    return sum(int(answer["Attributes"][each]) for each in names)
