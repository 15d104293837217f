"""One SQS queue, FIFO or standard: its messages as records, its writes in micro-batches.

Rules of this file: it knows SQS's words, and nothing of instances. A queue is addressed by the
service's endpoint; its URL is only a name in the request.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from host.clock import Clock
from host.errors import StorageUnavailableError
from host.storage.aws.queues.batch_operation import BatchOperation
from host.storage.aws.queues.batching import MAX_ENTRIES, Batcher
from host.storage.aws.wire.client import AwsClient
from host.storage.aws.wire.errors import ResourceMissingError


class ReceivedMessage(NamedTuple):
    """A message that is hidden from others for a while.

    `asked_at` is when it was asked for, by the monotonic clock: it is hidden since then or later.
    """

    body: str
    receipt: str
    deliveries: int
    asked_at: float


class SqsQueue:
    """A queue by its name. Everything may raise `StorageError`."""

    def __init__(self, name: str, *, client: AwsClient, clock: Clock) -> None:
        self.name = name
        self._client = client
        self._clock = clock
        self._url: str | None = None
        self._is_fifo = name.endswith(".fifo")
        self._sends = self._batcher("SendMessageBatch")
        self._deletes = self._batcher("DeleteMessageBatch")
        self._holds = self._batcher("ChangeMessageVisibilityBatch")

    def _batcher(self, operation: str) -> Batcher:
        return Batcher(
            BatchOperation(url=self.url, client=self._client, clock=self._clock, name=operation)
        )

    async def url(self) -> str:
        """The queue's URL. Raises `StorageUnavailableError` if there is no such queue."""
        if self._url is None:
            try:
                answer = await self._client.call("GetQueueUrl", {"QueueName": self.name})
            except ResourceMissingError as error:
                raise StorageUnavailableError(
                    f"There is no SQS queue '{self.name}' in {self._client.region}. `funchost hub"
                    " create` makes it; if it exists, check the region, the hub's name and the"
                    " number of queues."
                ) from error
            self._url = str(answer["QueueUrl"])
        return self._url

    async def send(self, key: str, *, body: str, group: str) -> bool:
        """Send a message, unless one with this key is about to leave; False if SQS refused it.

        On a FIFO queue a group's messages are in order, and hidden while one of them is out; on a
        standard queue groups get their fair share of the receivers.
        """
        fields = {"MessageBody": body, "MessageGroupId": group}
        if self._is_fifo:
            fields["MessageDeduplicationId"] = secrets.token_hex(16)
        return await self._sends.add(key, fields, size=len(body.encode()))

    async def receive(self, limit: int, *, wait_s: int, hidden_s: int) -> Sequence[ReceivedMessage]:
        """Wait this long for at least one message; those received are hidden from others."""
        request: dict[str, Any] = {
            "QueueUrl": await self.url(),
            "MaxNumberOfMessages": min(limit, MAX_ENTRIES),
            "WaitTimeSeconds": wait_s,
            "VisibilityTimeout": hidden_s,
            "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
        }
        if self._is_fifo:  # an attempt whose answer was lost gets the same messages again
            request["ReceiveRequestAttemptId"] = secrets.token_hex(16)
        answer, asked_at = await self._client.timed_call("ReceiveMessage", request)
        return [_received(message, asked_at) for message in answer.get("Messages") or ()]

    async def delete(self, receipt: str) -> bool:
        """Delete a received message; False if it was not this receipt's any more."""
        return await self._deletes.add(receipt, {"ReceiptHandle": receipt})

    async def hide(self, receipt: str, seconds: int) -> bool:
        """Hide a received message this long from now; False if another has it or it is gone."""
        fields = {"ReceiptHandle": receipt, "VisibilityTimeout": seconds}
        return await self._holds.add(receipt, fields)

    async def count(self) -> tuple[int, int]:
        """About how many messages wait, and how many are hidden."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        body = {"QueueUrl": await self.url(), "AttributeNames": names}
        found = (await self._client.call("GetQueueAttributes", body)).get("Attributes") or {}
        waiting, held = (int(found.get(name, 0)) for name in names)
        return waiting, held

    async def drain(self) -> None:
        """Wait until everything begun is done."""
        for batcher in (self._sends, self._deletes, self._holds):
            await batcher.drain()


def _received(message: Mapping[str, Any], asked_at: float) -> ReceivedMessage:
    attributes = message.get("Attributes", {})
    return ReceivedMessage(
        body=message["Body"],
        receipt=message["ReceiptHandle"],
        deliveries=int(attributes.get("ApproximateReceiveCount", 1)),
        asked_at=asked_at,
    )
