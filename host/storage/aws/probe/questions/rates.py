"""What SQS says under load, and what its figures count. Minutes, and some money."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from host.storage.aws.probe.ground import ONCE, Ground, ScratchQueue
from host.storage.aws.probe.records import Question, Seen, judged, unknown
from host.storage.aws.queues.batching import MAX_ENTRIES
from host.storage.aws.wire.errors import AwsError
from host.storage.aws.wire.problems import read_entry
from host.storage.aws.wire.retries import is_final

_SENDERS = 64
_BURST_S = 20
_FEW_A_SECOND = 300
_HELD_S = 1_800
_LOOK_EACH_S = 60
_LOOKS = 15
_AGED_S = 300
"""After so long the figures must know of a message, if they count it."""
_COUNTED_S = 120


class _Burst:
    """Batches sent as fast as they are answered; what became of them."""

    def __init__(self, ground: Ground, queue: ScratchQueue, groups: int) -> None:
        self._clock = ground.clock
        self._until = ground.clock.monotonic() + ground.scaled(_BURST_S)
        self._queue = queue
        self._groups = [secrets.token_hex(8) for _ in range(groups)]
        self.taken = 0
        self.refused: Counter[str] = Counter()
        self.final = 0

    async def run(self) -> None:
        await asyncio.gather(*(self._send() for _ in range(_SENDERS)))

    async def _send(self) -> None:
        while True:
            groups = [secrets.choice(self._groups) for _ in range(MAX_ENTRIES)]
            try:
                answer = await self._queue.send(groups)
            except AwsError as error:
                self.refused[f"request {error.code} ({error.status})"] += 1
            else:
                self.taken += len(answer.get("Successful") or ())
                for failed in answer.get("Failed") or ():
                    self._note(failed)
            if self._clock.monotonic() >= self._until:
                return

    def _note(self, failed: dict[str, Any]) -> None:
        self.refused[f"entry {failed.get('Code')}, SenderFault {failed.get('SenderFault')}"] += 1
        self.final += is_final(read_entry(failed).kind)

    def told(self, seconds: float) -> str:
        codes = [f"{count} times {code}" for code, count in self.refused.most_common(5)]
        return f"{self.taken / seconds:.0f}/s taken; {', '.join(codes) or 'none refused'}"


async def _rate_of_one_queue(ground: Ground) -> Seen:
    burst = _Burst(ground, await ground.wakeups(ONCE), groups=10_000)
    await burst.run()
    seconds = ground.scaled(_BURST_S)
    return judged(burst.told(seconds), as_expected=burst.taken >= _FEW_A_SECOND * seconds)


async def _throttled_entries(ground: Ground) -> Seen:
    burst = _Burst(ground, await ground.wakeups(ONCE), groups=1)
    await burst.run()
    if not burst.refused:
        return unknown("nothing was throttled")
    return judged(burst.told(ground.scaled(_BURST_S)), as_expected=burst.final == 0)


async def _oldest_age(ground: Ground) -> Seen:
    queue = await ground.work()
    await queue.send([secrets.token_hex(8)])
    if not await queue.receive(hidden_s=_HELD_S):
        return unknown("nothing was received")
    held_since = ground.clock.now()
    age_s = None
    for look in range(_LOOKS):  # the figures of a new queue come up to 15 minutes late
        await ground.clock.sleep(ground.scaled(_LOOK_EACH_S))
        try:
            age_s = await asyncio.to_thread(_greatest_age, ground, held_since)
        except (BotoCoreError, ClientError) as error:
            return unknown(f"CloudWatch cannot be asked: {error}")
        if age_s is not None and look * _LOOK_EACH_S >= _AGED_S:
            break
    if age_s is None:
        return unknown("CloudWatch has no figure yet")
    return judged(f"at most {age_s:.0f} s, of one held message", as_expected=age_s < _COUNTED_S)


def _greatest_age(ground: Ground, since: datetime) -> float | None:
    answer = ground.boto.make("cloudwatch", None).get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[{"Name": "QueueName", "Value": ground.layout.work_queue_name}],
        StartTime=since,
        EndTime=ground.clock.now(),
        Period=60,
        Statistics=["Maximum"],
    )
    return max((float(each["Maximum"]) for each in answer["Datapoints"]), default=None)


QUESTIONS = (
    Question(
        name="fifo-rate",
        asks="How many messages a second does one FIFO queue take, of many groups?",
        expected=f"far more than {_FEW_A_SECOND}: high throughput is on",
        otherwise="set wakeupQueues: one queue is full sooner than docs/scaling.md says",
        relied_on_by=["host.storage.aws.schema:queue_definitions"],
        ask=_rate_of_one_queue,
        needs_load=True,
    ),
    Question(
        name="throttled-entries",
        asks="With which Code and SenderFault is an entry of a batch refused that is throttled?",
        expected="with a code that is tried again, whatever SenderFault says",
        otherwise="hints are given up that should be sent again: report the code",
        relied_on_by=[
            "host.storage.aws.wire.problems:read_entry",
            "host.storage.aws.wire.problems:kind_of",
        ],
        ask=_throttled_entries,
        needs_load=True,
    ),
    Question(
        name="oldest-age",
        asks="Does ApproximateAgeOfOldestMessage count messages that a host holds?",
        expected="it does not: it says how late the hub is",
        otherwise="long activities look like a backlog: alarm on messages that wait, too",
        relied_on_by=["host.storage.aws.schema:queue_definitions"],
        ask=_oldest_age,
        needs_load=True,
    ),
)
