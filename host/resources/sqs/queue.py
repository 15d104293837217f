"""One queue on SQS, as its senders and its listeners share it.

Rules of this file: it makes the requests and knows their words. Entries of whoever sends, deletes
or extends at about the same time go out together, up to ten for the price of one. Those for a FIFO
queue leave one request after the other, so that they arrive in the order in which they were given.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count
from typing import Any, Final

from bindings.errors import InvalidArgumentError
from bindings.kinds.queues import OutgoingMessage
from host.clock import Clock
from host.logs import HostLog
from host.resources.aws_places import AwsClients
from host.resources.sqs.addresses import QueueAddress
from host.resources.sqs.messages import Entry, entry_of
from host.resources.sqs.recent import Recent
from host.resources.sqs.trouble import is_denied, refused_text, said_of
from host.storage.aws.queues.batch_operation import BatchOperation
from host.storage.aws.queues.batching import MAX_CALLS, MAX_ENTRIES, Batcher
from host.storage.aws.wire.errors import AwsUnavailableError
from host.storage.aws.wire.problems import Problem

_log = HostLog(__name__)

Attributes = Mapping[str, str]
_SEND, _DELETE, _HIDE = "SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"
_ASKED_OF_SYSTEM: Final = ("ApproximateReceiveCount", "MessageGroupId", "SentTimestamp")


class SqsQueue:
    """A queue. The `MessageQueue` of its senders. Everything may raise `StorageError`."""

    def __init__(
        self, address: QueueAddress, clients: Callable[[], Awaitable[AwsClients]], clock: Clock
    ) -> None:
        """`clients` may raise `ConfigurationError` for a place that is not set up."""
        self.address = address
        self.untried = Recent[int]()
        """How often each message was given back by this host without a try."""
        self._find_clients = clients
        self._clock = clock
        self._clients: AwsClients | None = None
        self._url = address.url
        self._attributes: Attributes | None = None
        self._batchers: dict[str, Batcher] = {}
        self._keys = count()

    async def send(self, messages: Sequence[OutgoingMessage]) -> Sequence[str]:
        """Send all, in order; the id of each."""
        is_deduplicated = self.address.is_fifo and await self._compares_contents(messages)
        entries = [
            entry_of(each, self.address, is_deduplicated=is_deduplicated) for each in messages
        ]
        return await self.send_entries(entries)

    async def send_entries(self, entries: Sequence[Entry]) -> Sequence[str]:
        """Send what SQS takes, as far as can be known before; the id of each."""
        batcher = await self._batcher(_SEND)
        with said_of(self.address, await self.region(), sends=True):
            asked = [batcher.ask(str(next(self._keys)), e.fields, size=e.size) for e in entries]
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
        return [
            self._sent_id(outcome) for outcome in outcomes if not isinstance(outcome, BaseException)
        ]

    async def receive(
        self, limit: int, *, wait_s: int, hidden_s: int
    ) -> tuple[Sequence[Mapping[str, Any]], float]:
        """Wait this long for at least one message; those received are hidden from others.

        With them comes when they were asked for, by the monotonic clock.
        """
        request: dict[str, Any] = {
            "QueueUrl": await self.url(),
            "MaxNumberOfMessages": min(limit, MAX_ENTRIES),
            "WaitTimeSeconds": wait_s,
            "VisibilityTimeout": hidden_s,
            "MessageSystemAttributeNames": list(_ASKED_OF_SYSTEM),
            "MessageAttributeNames": ["All"],
        }
        if self.address.is_fifo:  # an attempt whose answer was lost gets the same messages again
            request["ReceiveRequestAttemptId"] = secrets.token_hex(16)
        client = (await self._found()).polls
        with said_of(self.address, client.region):
            answer, asked_at = await client.timed_call("ReceiveMessage", request)
        return answer.get("Messages") or (), asked_at

    async def delete(self, receipt: str) -> bool:
        """Delete a received message; False if it was not this receipt's any more."""
        batcher = await self._batcher(_DELETE)
        with said_of(self.address, await self.region()):
            return await batcher.add(receipt, {"ReceiptHandle": receipt})

    async def hide(self, receipt: str, seconds: int) -> bool:
        """Hide a received message this long from now; False if another has it or it is gone."""
        batcher = await self._batcher(_HIDE)
        fields = {"ReceiptHandle": receipt, "VisibilityTimeout": seconds}
        with said_of(self.address, await self.region()):
            return await batcher.add(receipt, fields)

    async def read_attributes(self) -> Attributes:
        """What is set at the queue, asked for anew; empty where this host may not ask.

        Raises `StorageUnavailableError` if there is no such queue.
        """
        client, url = (await self._found()).sqs, await self.url()
        body = {"QueueUrl": url, "AttributeNames": ["All"]}
        with said_of(self.address, client.region):
            try:
                answer = await client.call("GetQueueAttributes", body)
            except AwsUnavailableError as error:
                if not is_denied(error):
                    raise
                _log.info(
                    "What is set at the queue '%s' is not known: %s", self.address.name, error
                )
                answer = {}
        found: Attributes = answer.get("Attributes") or {}
        self._attributes = found
        return found

    @property
    def known(self) -> Attributes:
        """What was set at the queue when it was last asked; empty if nobody asked yet."""
        return self._attributes or {}

    async def attributes(self) -> Attributes:
        """The same, asked for if nobody did yet."""
        return await self.read_attributes() if self._attributes is None else self._attributes

    async def create(self, attributes: Attributes) -> None:
        """Make the queue, if there is none. Raises `AwsError` if this host may not."""
        client = (await self._found()).sqs
        body = {"QueueName": self.address.name, "Attributes": dict(attributes)}
        answer = await client.call("CreateQueue", body)
        self._url = str(answer["QueueUrl"])  # others are shown it a moment later

    async def region(self) -> str:
        """Where it is."""
        return (await self._found()).sqs.region

    async def url(self) -> str:
        """The queue's URL. Raises `StorageUnavailableError` if there is no such queue."""
        if self._url is None:
            client = (await self._found()).sqs
            body = {"QueueName": self.address.name}
            if self.address.account is not None:
                body["QueueOwnerAWSAccountId"] = self.address.account
            with said_of(self.address, client.region):
                answer = await client.call("GetQueueUrl", body)
            self._url = str(answer["QueueUrl"])
        return self._url

    def forget(self) -> None:
        """Look for the queue anew when it is needed next."""
        self._url, self._attributes = self.address.url, None

    async def drain(self) -> None:
        """Wait until everything begun is done."""
        for batcher in list(self._batchers.values()):
            await batcher.drain()

    async def _compares_contents(self, messages: Sequence[OutgoingMessage]) -> bool:
        """Whether the queue itself tells messages by their contents, if that matters for these."""
        if all(each.deduplication_id is not None for each in messages):
            return False
        return (await self.attributes()).get("ContentBasedDeduplication") == "true"

    async def _batcher(self, name: str) -> Batcher:
        batcher = self._batchers.get(name)
        if batcher is None:
            client = (await self._found()).sqs
            operation = BatchOperation(url=self.url, client=client, clock=self._clock, name=name)
            max_calls = 1 if name == _SEND and self.address.is_fifo else MAX_CALLS
            batcher = self._batchers.setdefault(name, Batcher(operation, max_calls=max_calls))
        return batcher

    async def _found(self) -> AwsClients:
        if self._clients is None:
            self._clients = await self._find_clients()
        return self._clients

    def _sent_id(self, outcome: Mapping[str, Any] | Problem) -> str:
        if isinstance(outcome, Problem):
            raise InvalidArgumentError(refused_text(self.address, str(outcome)))
        return str(outcome["MessageId"])
