"""Where questions are asked: a hub of scratch, and ways to it that the drivers use themselves."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from host.clock import Clock
from host.storage.aws.probe.watched import WatchedTransport
from host.storage.aws.schema import HubLayout
from host.storage.aws.setup.sessions import SetupClients
from host.storage.aws.wire.client import DEFAULT_RULES, AwsClient, Service
from host.storage.aws.wire.connections import PooledTransport
from host.storage.aws.wire.endpoints import AwsConfig
from host.storage.aws.wire.retries import RetryRules
from host.storage.aws.wire.transport import Transport

ONCE = RetryRules(attempts=1)
"""For what is to be seen as it is answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A hub of scratch.

    `queues_shown_after_s` is how long SQS took to show its new queues. `scale` shortens what is
    asked under load, for tests.
    """

    layout: HubLayout
    config: AwsConfig
    clock: Clock
    way: WatchedTransport
    boto: SetupClients
    queues_shown_after_s: float = 0.0
    scale: float = 1.0

    def scaled(self, seconds: float) -> float:
        """How long to go on with what would take so long in a real account."""
        return seconds * self.scale

    def client(
        self, service: Service, rules: RetryRules = DEFAULT_RULES, way: Transport | None = None
    ) -> AwsClient:
        """A client as hosts have it; `way` is another one to the service."""
        return AwsClient(
            service=service,
            endpoint=self.config.dynamodb if service == "dynamodb" else self.config.sqs,
            credentials=self.config.credentials,
            transport=way or self.way,
            clock=self.clock,
            rules=rules,
        )

    async def queue(self, name: str, rules: RetryRules = DEFAULT_RULES) -> ScratchQueue:
        """One of the hub's queues."""
        client = self.client("sqs", rules)
        url = (await client.call("GetQueueUrl", {"QueueName": name}))["QueueUrl"]
        return ScratchQueue(client=client, url=url, is_fifo=name.endswith(".fifo"))

    async def wakeups(self, rules: RetryRules = DEFAULT_RULES) -> ScratchQueue:
        """The first FIFO queue."""
        return await self.queue(self.layout.wakeup_queue_names[0], rules)

    async def work(self, rules: RetryRules = DEFAULT_RULES) -> ScratchQueue:
        """The standard queue."""
        return await self.queue(self.layout.work_queue_name, rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchQueue:
    """Plain requests to one queue. Everything may raise `StorageError`."""

    client: AwsClient
    url: str
    is_fifo: bool

    async def send(self, groups: Sequence[str], *, body: str = "probe") -> Mapping[str, Any]:
        """Send up to ten messages with one request, one for each group; the answer."""
        entries = [
            {"Id": str(number), "MessageBody": body, "MessageGroupId": group, **self._unique()}
            for number, group in enumerate(groups)
        ]
        request = {"QueueUrl": self.url, "Entries": entries}
        return await self.client.call("SendMessageBatch", request)

    async def receive(
        self, *, wait_s: int = 1, hidden_s: int = 30, attempt: str | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """Receive up to ten messages; `attempt` is the id of the attempt."""
        request: dict[str, Any] = {
            "QueueUrl": self.url,
            "MaxNumberOfMessages": 10,
            "WaitTimeSeconds": wait_s,
            "VisibilityTimeout": hidden_s,
            "MessageSystemAttributeNames": ["ApproximateReceiveCount", "MessageGroupId"],
        }
        if attempt is not None:
            request["ReceiveRequestAttemptId"] = attempt
        answer = await self.client.call("ReceiveMessage", request)
        return answer.get("Messages") or ()

    async def delete(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Delete received messages."""
        for message in messages:
            request = {"QueueUrl": self.url, "ReceiptHandle": message["ReceiptHandle"]}
            await self.client.call("DeleteMessage", request)

    async def drain(self, *, looks: int = 10) -> int:
        """Receive and delete what is there; how many."""
        count = 0
        for _ in range(looks):
            messages = await self.receive()
            if not messages:
                break
            await self.delete(messages)
            count += len(messages)
        return count

    def _unique(self) -> dict[str, str]:
        return {"MessageDeduplicationId": secrets.token_hex(8)} if self.is_fifo else {}


@asynccontextmanager
async def another_way(ground: Ground) -> AsyncIterator[PooledTransport]:
    """Connections of one's own, to be broken off."""
    pool = PooledTransport(ca_bundle=ground.config.ca_bundle)
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()
