"""Tables of each kind, empty, as bindings know them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from bindings.tables.records import KeyNames, Table
from host.resources.aws_places import AwsClients
from host.resources.dynamo.table import DynamoTable
from host.settings.connections import AwsOptions
from host.storage.aws.wire.connections import PooledTransport
from host.storage.aws.wire.transport import Transport
from host.storage.kinds import StorePlace
from host.storage.opening import STORES
from tests.kit.dynamo_hub import dynamo_client
from tests.kit.manual_clock import ManualClock

KEYS = KeyNames()


@asynccontextmanager
async def local_table(kind: str, folder: Path, clock: ManualClock) -> AsyncIterator[Table]:
    """One in an embedded hub."""
    place = StorePlace(hub="hub", folder=folder)
    async with STORES.find(kind).opened(place, clock) as (store, _):
        tables = STORES.find(kind).home(store, {}).tables
        assert tables is not None
        yield tables.table(new_name(), KEYS)


@asynccontextmanager
async def dynamo_table(
    url: str, wrap: Callable[[Transport], Transport] = lambda transport: transport
) -> AsyncIterator[DynamoTable]:
    """One on a server that stands in for DynamoDB; `wrap` puts something between the two."""
    name = new_name()
    await make_table(url, name)
    async with dynamo_table_of(url, name, KEYS, wrap) as table:
        yield table


@asynccontextmanager
async def dynamo_table_of(
    url: str,
    name: str,
    keys: KeyNames,
    wrap: Callable[[Transport], Transport] = lambda transport: transport,
) -> AsyncIterator[DynamoTable]:
    """The table of this name, which may not be there."""
    pool = PooledTransport()
    await pool.open()
    try:
        client = dynamo_client(url, wrap(pool))

        async def clients() -> AwsClients:
            return AwsClients(
                dynamodb=client, sqs=client, polls=client, options=AwsOptions(endpoint_url=url)
            )

        yield DynamoTable(clients, name, keys)
    finally:
        await pool.close()


async def make_table(url: str, name: str, keys: KeyNames = KEYS) -> None:
    """Make a table of this name, as its author would."""
    pool = PooledTransport()
    await pool.open()
    try:
        client = dynamo_client(url, pool)
        schema = [(keys.partition, "HASH"), (keys.row, "RANGE")]
        await client.call(
            "CreateTable",
            {
                "TableName": name,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [
                    {"AttributeName": key, "AttributeType": "S"} for key, _ in schema
                ],
                "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in schema],
            },
        )
    finally:
        await pool.close()


def new_name() -> str:
    """A name that no table has."""
    return f"t{uuid4().hex[:12]}"
