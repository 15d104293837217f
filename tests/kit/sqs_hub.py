"""The queues of a new hub on a server, with every request seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from host.clock import SystemClock
from host.storage.aws.queues.queues import SqsQueues
from host.storage.aws.schema import HubLayout, queue_definitions
from host.storage.aws.wire.client import AwsClient
from host.storage.aws.wire.connections import PooledTransport
from host.storage.aws.wire.endpoints import Endpoint
from host.storage.aws.wire.signing import Keys, StaticCredentials
from host.storage.aws.wire.transport import Request, Response, Transport
from tests.kit.aws_servers import ACCESS_KEY, REGION, SECRET_KEY

POLL_S = 1
"""Short, since moto's long polls do not see that a group was unblocked."""


class CountingTransport:
    """A transport that counts the operations."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.operations: Counter[str] = Counter()

    async def __call__(self, request: Request) -> Response:
        self.operations[_operation(request.headers)] += 1
        return await self._transport(request)


def _operation(headers: Mapping[str, str]) -> str:
    folded = {name.lower(): value for name, value in headers.items()}
    return folded["x-amz-target"].rpartition(".")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class SqsHub:
    """A hub's queues, the client they use and the names they have."""

    queues: SqsQueues
    client: AwsClient
    layout: HubLayout
    transport: CountingTransport


@asynccontextmanager
async def sqs_hub(url: str, *, wakeup_queues: int = 1) -> AsyncIterator[SqsHub]:
    """Create the queues of a hub of a new name on the server at `url`."""
    layout = HubLayout(hub=f"T{uuid4().hex[:12]}", wakeup_queues=wakeup_queues)
    pool = PooledTransport()
    await pool.open()
    transport = CountingTransport(pool)
    client = sqs_client(url, transport)
    for queue in queue_definitions(layout):
        await client.call(
            "CreateQueue", {"QueueName": queue.name, "Attributes": dict(queue.attributes)}
        )
    names = layout.wakeup_queue_names
    queues = SqsQueues(
        names, layout.work_queue_name, client=client, clock=SystemClock(), poll_s=POLL_S
    )
    await queues.open()
    transport.operations.clear()
    yield SqsHub(queues=queues, client=client, layout=layout, transport=transport)
    await queues.close()
    await pool.close()


def sqs_client(url: str, transport: Transport) -> AwsClient:
    """A client of SQS at this URL."""
    return AwsClient(
        service="sqs",
        endpoint=Endpoint(url=url, region=REGION),
        credentials=StaticCredentials(Keys(ACCESS_KEY, SECRET_KEY)),
        transport=transport,
        clock=SystemClock(),
    )
