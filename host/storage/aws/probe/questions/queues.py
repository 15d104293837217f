"""How SQS hands messages out, and what it takes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import suppress
from statistics import median

from host.storage.aws.probe.ground import ONCE, Ground, ScratchQueue, another_way
from host.storage.aws.probe.records import Question, Seen, judged, unknown
from host.storage.aws.queues.batching import MAX_ENTRIES
from host.storage.aws.queues.queues import MAX_HINT_BYTES
from host.storage.aws.setup.queues import SHOWN_WITHIN_S
from host.storage.aws.wire.errors import AwsError

_GROUPS = 30
_FEW_PER_ANSWER = 5
_POLL_S = 20
_SHORT_HOLD_S = 5
_SHOWN_WITHIN_S = 45


def _groups(count: int) -> list[str]:
    return [secrets.token_hex(8) for _ in range(count)]


async def _new_queues(ground: Ground) -> Seen:
    took_s = ground.queues_shown_after_s
    return judged(
        f"all were shown after {took_s:.0f} s of asking", as_expected=took_s < SHOWN_WITHIN_S / 2
    )


async def _messages_for_each_receive(ground: Ground) -> Seen:
    queue = await ground.wakeups()
    for _ in range(_GROUPS // MAX_ENTRIES):
        await queue.send(_groups(MAX_ENTRIES))
    counts: list[int] = []
    times_s: list[float] = []
    while sum(counts) < _GROUPS and len(counts) < _GROUPS:
        began = ground.clock.monotonic()
        messages = await queue.receive()
        times_s.append(ground.clock.monotonic() - began)
        counts.append(len(messages))
        await queue.delete(messages)
    if not sum(counts):
        return unknown("nothing was received")
    mean = sum(counts) / len(counts)
    return judged(
        f"{mean:.1f} for each answer of {len(counts)}; round trip {median(times_s) * 1000:.0f} ms",
        as_expected=mean >= _FEW_PER_ANSWER,
    )


async def _attempt_id(ground: Ground) -> Seen:
    queue = await ground.wakeups()
    await queue.send(_groups(1))
    attempt = secrets.token_hex(8)
    first = await queue.receive(attempt=attempt)
    second = await queue.receive(attempt=attempt)
    await queue.delete(second or first)
    if not first:
        return unknown("nothing was received")
    if not second:
        return judged("the second answer was empty", as_expected=False)
    count = second[0]["Attributes"]["ApproximateReceiveCount"]
    return judged(f"the same message, counted {count} times", as_expected=count == "1")


async def _aborted_poll(ground: Ground) -> Seen:
    queue = await ground.wakeups()
    async with another_way(ground) as way:
        request = {
            "QueueUrl": queue.url,
            "WaitTimeSeconds": _POLL_S,
            "VisibilityTimeout": _SHORT_HOLD_S,
        }
        poll = asyncio.create_task(ground.client("sqs", ONCE, way).call("ReceiveMessage", request))
        await ground.clock.sleep(1)
        poll.cancel()
        with suppress(asyncio.CancelledError):
            await poll
    await ground.clock.sleep(1)
    await queue.send(_groups(1))
    at_once = await queue.receive(wait_s=2)
    later = at_once or await queue.receive(wait_s=2 * _SHORT_HOLD_S)
    await queue.delete(later)
    if at_once:
        return judged("the message came to the next poll", as_expected=False)
    return judged(
        "the message was hidden" + (" until its time was over" if later else " for longer"),
        as_expected=True,
    )


async def _groups_of_a_standard_queue(ground: Ground) -> Seen:
    queue = await ground.work(ONCE)
    try:
        answer = await queue.send(_groups(1))
    except AwsError as error:
        return judged(f"refused: {error.code}", as_expected=False)
    failed = answer.get("Failed") or ()
    await queue.drain()
    if failed:
        return judged(f"refused: {failed[0].get('Code')}", as_expected=False)
    return judged("taken", as_expected=True)


async def _large_batch(ground: Ground) -> Seen:
    queue = await ground.work(ONCE)
    try:
        answer = await queue.send(_groups(MAX_ENTRIES), body="x" * MAX_HINT_BYTES)
    except AwsError as error:
        return judged(f"refused: {error.code}", as_expected=False)
    failed = answer.get("Failed") or ()
    await queue.drain()
    return judged(
        f"{MAX_ENTRIES - len(failed)} of {MAX_ENTRIES} were taken", as_expected=not failed
    )


async def _kms_queue(ground: Ground) -> Seen:
    name = f"{ground.layout.work_queue_name}-dead"
    queue = await ground.queue(name, ONCE)

    try:
        await _set(ground, queue, "KmsMasterKeyId", "alias/aws/sqs")
    except AwsError as error:
        return unknown(f"the queue could not be put on a key: {error.code}")
    try:
        found = await _set(ground, queue, "SqsManagedSseEnabled", "true")
    except AwsError as error:
        return judged(f"refused: {error.code}", as_expected=True)
    own, key = found.get("SqsManagedSseEnabled"), found.get("KmsMasterKeyId")
    return judged(
        f"taken: SqsManagedSseEnabled {own}, key {key or 'none'}", as_expected=key is None
    )


async def _set(ground: Ground, queue: ScratchQueue, name: str, value: str) -> Mapping[str, str]:
    """Set an attribute; all of them once SQS shows it, which may take a minute."""
    request = {"QueueUrl": queue.url, "Attributes": {name: value}}
    await queue.client.call("SetQueueAttributes", request)
    look = {"QueueUrl": queue.url, "AttributeNames": ["All"]}
    found: Mapping[str, str] = {}
    for _ in range(_SHOWN_WITHIN_S):
        found = (await queue.client.call("GetQueueAttributes", look)).get("Attributes", {})
        if found.get(name) == value:
            break
        await ground.clock.sleep(1)
    return found


QUESTIONS = (
    Question(
        name="new-queues",
        asks="How long does SQS not show a queue that was just made?",
        expected=f"some seconds at most; `hub create` waits {SHOWN_WITHIN_S} s",
        otherwise="`hub create` may have to be run twice",
        relied_on_by=["host.storage.aws.setup.queues:SHOWN_WITHIN_S"],
        ask=_new_queues,
    ),
    Question(
        name="fifo-receive",
        asks="How many messages come with one answer of a FIFO queue, and how soon?",
        expected="up to ten, on the whole more than five",
        otherwise="wake-ups cost more requests than the price list says; more polls are needed",
        relied_on_by=[
            "host.storage.aws.queues.sqs_queue:SqsQueue.receive",
            "host.storage.aws.queues.batching:MAX_ENTRIES",
        ],
        ask=_messages_for_each_receive,
    ),
    Question(
        name="attempt-id",
        asks="Does the same ReceiveRequestAttemptId bring the same messages, and count them again?",
        expected="the same messages, counted once",
        otherwise="after a lost answer an instance passes for a suspect, or waits until its hold is"
        " over: slower, and nothing lost",
        relied_on_by=[
            "host.storage.aws.queues.sqs_queue:SqsQueue.receive",
            "host.storage.aws.queues.sqs_queue:ReceivedMessage",
        ],
        ask=_attempt_id,
    ),
    Question(
        name="aborted-poll",
        asks="Does a long poll whose connection is gone take the next message along?",
        expected="it does: no poll is broken off while a host lives or stops",
        otherwise="stops could break polls off, and be quicker",
        relied_on_by=["host.storage.aws.queues.polls:Polls.close"],
        ask=_aborted_poll,
    ),
    Question(
        name="fair-queue",
        asks="Does a standard queue take MessageGroupId?",
        expected="taken",
        otherwise="work items cannot be sent here: no activity can be handed to other hosts",
        relied_on_by=["host.storage.aws.queues.sqs_queue:SqsQueue.send"],
        ask=_groups_of_a_standard_queue,
    ),
    Question(
        name="large-batch",
        asks="Is a batch of ten messages of 64 KiB each taken?",
        expected="taken: SQS takes 1 MiB since 2025",
        otherwise="nothing: hosts send less than 256 KiB at once, for regions where it is so",
        relied_on_by=[
            "host.storage.aws.queues.batching:MAX_BYTES",
            "host.storage.aws.queues.queues:MAX_HINT_BYTES",
        ],
        ask=_large_batch,
    ),
    Question(
        name="kms-queue",
        asks="What does SqsManagedSseEnabled do to a queue that is on a KMS key?",
        expected="it is refused, or gives the key up: so `hub create` leaves such queues alone",
        otherwise="nothing: `hub create` leaves such queues alone",
        relied_on_by=["host.storage.aws.setup.queues:QueueSetup.create"],
        ask=_kms_queue,
    ),
)
