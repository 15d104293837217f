"""The table of a new hub on a server, with every request seen, and stores over it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from host.clock import SystemClock
from host.storage.aws.schema import HubLayout, table_definition
from host.storage.aws.table.store import DynamoStore
from host.storage.aws.table.table import Table
from host.storage.aws.wire.client import AwsClient
from host.storage.aws.wire.connections import PooledTransport
from host.storage.aws.wire.endpoints import Endpoint
from host.storage.aws.wire.retries import RetryRules
from host.storage.aws.wire.signing import Keys, StaticCredentials
from host.storage.aws.wire.transport import Transport
from tests.kit.aws_servers import ACCESS_KEY, REGION, SECRET_KEY
from tests.kit.manual_clock import ManualClock
from tests.kit.sqs_hub import CountingTransport

RULES = RetryRules(attempts=20, base_s=0.0, throttled_base_s=0.0)
"""Retries at once: what fails in a test fails on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamoHub:
    """A hub's table, and the store of one host."""

    store: DynamoStore
    url: str
    layout: HubLayout
    transport: CountingTransport
    clock: ManualClock

    def other_store(
        self, transport: Transport | None = None, now: Callable[[], datetime] | None = None
    ) -> DynamoStore:
        """The store of another host of this hub, not opened; `now` is what its clock says."""
        client = dynamo_client(self.url, transport or self.transport)
        return DynamoStore(client, self.layout.table_name, now or self.clock.now)

    @property
    def table(self) -> Table:
        """The table itself, past all stores."""
        return Table(dynamo_client(self.url, self.transport), self.layout.table_name)


@asynccontextmanager
async def dynamo_hub(
    url: str,
    clock: ManualClock,
    wrap: Callable[[Transport], Transport] = lambda transport: transport,
) -> AsyncIterator[DynamoHub]:
    """Create the table of a hub of a new name on the server at `url`.

    `wrap` puts something between the stores and the server.
    """
    layout = HubLayout(hub=f"T{uuid4().hex[:12]}")
    pool = PooledTransport()
    await pool.open()
    try:
        setup = dynamo_client(url, pool)
        await _create_table(setup, layout)
        transport = CountingTransport(wrap(pool))
        store = DynamoStore(dynamo_client(url, transport), layout.table_name, clock.now)
        await store.open()
        transport.operations.clear()
        yield DynamoHub(store=store, url=url, layout=layout, transport=transport, clock=clock)
        await store.close()
        await setup.call("DeleteTable", {"TableName": layout.table_name})
    finally:
        await pool.close()


async def _create_table(client: AwsClient, layout: HubLayout) -> None:
    answer = await client.call("CreateTable", table_definition(layout))
    table = answer["TableDescription"]
    while table["TableStatus"] != "ACTIVE":
        table = (await client.call("DescribeTable", {"TableName": layout.table_name}))["Table"]


def dynamo_client(url: str, transport: Transport) -> AwsClient:
    """A client of DynamoDB at this URL."""
    return AwsClient(
        service="dynamodb",
        endpoint=Endpoint(url=url, region=REGION),
        credentials=StaticCredentials(Keys(ACCESS_KEY, SECRET_KEY)),
        transport=transport,
        clock=SystemClock(),
        rules=RULES,
    )
