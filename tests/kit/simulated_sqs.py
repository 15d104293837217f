"""SQS in memory, on a clock that stands still: queues of messages as AWS has them.

Rules of this file: it does what AWS's documentation says, where stand-ins do less: FIFO groups and
their holds, deduplication for five minutes, receipts that end with their hold, redrive policies,
holds of twelve hours at most. A poll goes on when who asked for it has gone away, and takes
messages along.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, TypeAlias

from host.storage.aws.wire.transport import Request, Response
from tests.kit.manual_clock import ManualClock

Body: TypeAlias = dict[str, Any]
ACCOUNT = "123456789012"
DEDUPLICATED_S = 300.0
LONGEST_HOLD_S = 12 * 3600.0
TICK_S = 0.001
"""The clock counts whole microseconds: to wait for less would be to wait for nothing, for ever."""
_REFUSED = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ID = re.compile(r"[!-~]{1,128}")


class RefusalError(Exception):
    """The whole request is refused, with this code."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code)
        self.code, self.message = code, message


@dataclass(eq=False)
class SqsMessage:
    """A message that is in a queue."""

    id: str
    body: str
    attributes: Body
    group: str | None
    sent_at: float
    visible_at: float
    deliveries: int = 0
    receipt: str | None = None
    first_held_at: float = 0.0


@dataclass(eq=False)
class QueueState:
    """A queue. Times are monotonic."""

    name: str
    region: str
    attributes: dict[str, str]
    messages: list[SqsMessage] = field(default_factory=list)
    sent: dict[str, tuple[float, str]] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_fifo(self) -> bool:
        return self.name.endswith(".fifo")

    @property
    def url(self) -> str:
        return f"https://sqs.{self.region}.amazonaws.com/{ACCOUNT}/{self.name}"

    @property
    def arn(self) -> str:
        return f"arn:aws:sqs:{self.region}:{ACCOUNT}:{self.name}"

    @property
    def bodies(self) -> list[str]:
        """Of all that are in it, whoever holds them."""
        return [message.body for message in self.messages]


class SimulatedSqs:
    """The service. It is a `Transport`."""

    def __init__(self, clock: ManualClock, region: str = "us-east-1") -> None:
        self.operations: Counter[str] = Counter()
        self.denied: set[str] = set()
        """Operations that the host's role may not do."""
        self.before: Callable[[str, Body], object] = lambda _operation, _body: None
        self.clock = clock
        self._region = region
        self._queues: dict[str, QueueState] = {}
        self._numbers = count(1)
        self._polls: set[asyncio.Task[Body]] = set()
        self._simple: dict[str, Callable[[Body], Body]] = {
            "CreateQueue": self._create,
            "GetQueueUrl": lambda body: {"QueueUrl": self._by_name(body["QueueName"]).url},
            "GetQueueAttributes": lambda body: {"Attributes": self._attributes(body)},
        }
        self._each: dict[str, Callable[[QueueState, Body], Body]] = {
            "SendMessageBatch": self._send,
            "DeleteMessageBatch": self._delete,
            "ChangeMessageVisibilityBatch": self._hide,
        }

    def add(self, name: str, **attributes: str) -> QueueState:
        """Make a queue."""
        self._queues[name] = QueueState(name, self._region, attributes)
        return self._queues[name]

    def remove(self, name: str) -> None:
        """Delete a queue."""
        del self._queues[name]

    def queue(self, name: str) -> QueueState:
        """The queue of this name."""
        return self._queues[name]

    def names(self) -> list[str]:
        """Of all queues."""
        return sorted(self._queues)

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        target = {name.lower(): value for name, value in request.headers.items()}["x-amz-target"]
        operation, body = target.rpartition(".")[2], json.loads(request.body)
        self.operations[operation] += 1
        try:
            self.before(operation, body)
            if operation.removesuffix("Batch") in self.denied:
                raise RefusalError("AccessDenied", f"You may not do sqs:{operation}.")
            return Response(200, {}, json.dumps(await self._do(operation, body)).encode())
        except RefusalError as error:
            said = {"__type": f"com.amazonaws.sqs#{error.code}", "message": error.message}
            return Response(400, {}, json.dumps(said).encode())

    async def close(self) -> None:
        """End all polls."""
        for poll in self._polls:
            poll.cancel()
        await asyncio.gather(*self._polls, return_exceptions=True)

    async def _do(self, operation: str, body: Body) -> Body:
        if operation in self._simple:
            return self._simple[operation](body)
        queue = self._by_name(body["QueueUrl"].rpartition("/")[2])
        if operation == "ReceiveMessage":
            poll = asyncio.create_task(self._poll(queue, body))
            self._polls.add(poll)
            poll.add_done_callback(self._polls.discard)
            return await asyncio.shield(poll)
        entries = body["Entries"]
        if not 0 < len(entries) <= 10 or len({each["Id"] for each in entries}) != len(entries):
            raise RefusalError("TooManyEntriesInBatchRequest")
        if sum(len(each.get("MessageBody", "").encode()) for each in entries) > 1024 * 1024:
            raise RefusalError("BatchRequestTooLong")
        done, failed = [], []
        for entry in entries:
            try:
                done.append({"Id": entry["Id"], **self._each[operation](queue, entry)})
            except RefusalError as error:
                said = {"Code": error.code, "Message": error.message, "SenderFault": True}
                failed.append({"Id": entry["Id"], **said})
        queue.changed.set()
        return {"Successful": done, "Failed": failed}

    def _create(self, body: Body) -> Body:
        name = body["QueueName"]
        if name not in self._queues:
            self.add(name, **body.get("Attributes", {}))
        return {"QueueUrl": self._queues[name].url}

    def _by_name(self, name: str) -> QueueState:
        if name not in self._queues:
            raise RefusalError("QueueDoesNotExist")
        return self._queues[name]

    def _attributes(self, body: Body) -> Mapping[str, str]:
        queue = self._by_name(body["QueueUrl"].rpartition("/")[2])
        default = {"MessageRetentionPeriod": "345600", "MaximumMessageSize": "1048576"}
        return {**default, **queue.attributes, "QueueArn": queue.arn}

    # ---- entries -------------------------------------------------------------------------------

    def _send(self, queue: QueueState, entry: Body) -> Body:
        body, now = entry["MessageBody"], self.clock.monotonic()
        group, delay_s = entry.get("MessageGroupId"), entry.get("DelaySeconds", 0)
        most = int(queue.attributes.get("MaximumMessageSize", 1024 * 1024))
        if not body or len(body.encode()) > most or _REFUSED.search(body):
            raise RefusalError(
                "InvalidParameterValue", f"Message must be shorter than {most} bytes."
            )
        if not 0 <= delay_s <= 900 or (delay_s and queue.is_fifo):
            raise RefusalError("InvalidParameterValue", "DelaySeconds")
        if group is not None and not _ID.fullmatch(group):
            raise RefusalError("InvalidParameterValue", "MessageGroupId")
        if queue.is_fifo:
            known = self._known(queue, entry, now)
            if known is not None:
                return {"MessageId": known}
        message = SqsMessage(
            id=f"m{next(self._numbers)}",
            body=body,
            attributes=entry.get("MessageAttributes", {}),
            group=group,
            sent_at=now,
            visible_at=now + delay_s,
        )
        queue.messages.append(message)
        if queue.is_fifo:
            queue.sent[self._deduplication_id(queue, entry)] = (now, message.id)
        return {"MessageId": message.id}

    def _known(self, queue: QueueState, entry: Body, now: float) -> str | None:
        if entry.get("MessageGroupId") is None:
            raise RefusalError("MissingParameter", "MessageGroupId")
        at, id_ = queue.sent.get(self._deduplication_id(queue, entry), (-DEDUPLICATED_S, ""))
        return id_ if now - at < DEDUPLICATED_S else None

    def _deduplication_id(self, queue: QueueState, entry: Body) -> str:
        given: str | None = entry.get("MessageDeduplicationId")
        if given is None and queue.attributes.get("ContentBasedDeduplication") == "true":
            return f"body {entry['MessageBody']}"
        if given is None or not _ID.fullmatch(given):
            raise RefusalError("InvalidParameterValue", "MessageDeduplicationId")
        return given

    def _delete(self, queue: QueueState, entry: Body) -> Body:
        queue.messages.remove(self._held(queue, entry))
        return {}

    def _hide(self, queue: QueueState, entry: Body) -> Body:
        message, now = self._held(queue, entry), self.clock.monotonic()
        seconds = entry["VisibilityTimeout"]
        if now + seconds - message.first_held_at > LONGEST_HOLD_S:
            raise RefusalError("InvalidParameterValue", "Total VisibilityTimeout is beyond 12 h.")
        message.visible_at = now + seconds
        if not seconds:
            message.receipt = None
        return {}

    def _held(self, queue: QueueState, entry: Body) -> SqsMessage:
        now = self.clock.monotonic()
        for message in queue.messages:
            if message.receipt == entry["ReceiptHandle"] and now < message.visible_at:
                return message
        raise RefusalError("ReceiptHandleIsInvalid")

    # ---- polls ---------------------------------------------------------------------------------

    async def _poll(self, queue: QueueState, body: Body) -> Body:
        until = self.clock.monotonic() + body.get("WaitTimeSeconds", 0)
        while True:
            queue.changed.clear()
            taken = self._take(queue, body)
            left = until - self.clock.monotonic()
            if taken or left <= 0:
                return {"Messages": [_answered(self.clock, each) for each in taken]}
            await self._change(queue, left)

    async def _change(self, queue: QueueState, left: float) -> None:
        """Wait until something happens to the queue, a message is visible, or the poll ends."""
        now = self.clock.monotonic()
        waits = [each.visible_at - now for each in queue.messages if each.visible_at > now]
        nap = asyncio.ensure_future(self.clock.sleep(max(TICK_S, min([left, *waits]))))
        news = asyncio.ensure_future(queue.changed.wait())
        try:
            await asyncio.wait({nap, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            nap.cancel()
            news.cancel()

    def _take(self, queue: QueueState, body: Body) -> list[SqsMessage]:
        now, taken = self.clock.monotonic(), list[SqsMessage]()
        held = {each.group for each in queue.messages if now < each.visible_at}
        for message in list(queue.messages):
            is_blocked = queue.is_fifo and message.group in held
            if len(taken) < body["MaxNumberOfMessages"] and now >= message.visible_at:
                if is_blocked or self._redriven(queue, message):
                    continue
                message.deliveries += 1
                message.receipt = f"r{next(self._numbers)}"
                message.first_held_at, message.visible_at = now, now + body["VisibilityTimeout"]
                taken.append(message)
        return taken

    def _redriven(self, queue: QueueState, message: SqsMessage) -> bool:
        policy = json.loads(queue.attributes.get("RedrivePolicy", "null"))
        if policy is None or message.deliveries < int(policy["maxReceiveCount"]):
            return False
        queue.messages.remove(message)
        self._queues[policy["deadLetterTargetArn"].rpartition(":")[2]].messages.append(message)
        return True


def _answered(clock: ManualClock, message: SqsMessage) -> Body:
    sent = clock.now() - timedelta(seconds=clock.monotonic() - message.sent_at)
    system = {
        "ApproximateReceiveCount": str(message.deliveries),
        "SentTimestamp": str(int(sent.timestamp() * 1000)),
    }
    system |= {} if message.group is None else {"MessageGroupId": message.group}
    return {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "Body": message.body,
        "Attributes": system,
        "MessageAttributes": message.attributes,
    }
