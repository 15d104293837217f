"""Opens a hub on AWS: finds the services, makes the clients, closes all of it in the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from pydantic import JsonValue

from host.clock import Clock
from host.errors import StoreAwayError
from host.storage.aws.queues.queues import SqsQueues
from host.storage.aws.setup.settings import AwsSettings, read_aws_settings
from host.storage.aws.table.heads import fresh_for
from host.storage.aws.table.store import DynamoStore
from host.storage.aws.wire.client import AwsClient, Service
from host.storage.aws.wire.connections import MAX_CONNECTIONS, PooledTransport
from host.storage.aws.wire.endpoints import Endpoint, resolve

OPENING_S = 10
"""Shorter than a client's patience: who starts a host is to hear soon what is wrong."""


def most_polls(settings: AwsSettings) -> int:
    """How many polls of a host may wait at once, each on a connection that others cannot use."""
    return (settings.wakeup_queues + 1) * settings.max_polls


@asynccontextmanager
async def opened_hub(
    provider: Mapping[str, JsonValue], hub: str, clock: Clock
) -> AsyncIterator[tuple[DynamoStore, SqsQueues]]:
    """The store and the queues of a hub, open; closed at the end of the context.

    `provider` is host.json's `storageProvider`. Raises `ConfigurationError` for settings that
    cannot be used, `StorageUnavailableError` if the hub does not exist or may not be used, and
    `StoreAwayError` if it cannot be reached.
    """
    settings = read_aws_settings(provider)
    layout = settings.layout(hub)
    config = await asyncio.to_thread(resolve, settings.options(), clock)
    transport = PooledTransport(
        max_connections=MAX_CONNECTIONS + most_polls(settings), ca_bundle=config.ca_bundle
    )
    await transport.open()
    try:

        def client(service: Service, endpoint: Endpoint) -> AwsClient:
            return AwsClient(
                service=service,
                endpoint=endpoint,
                credentials=config.credentials,
                transport=transport,
                clock=clock,
            )

        store = DynamoStore(
            client("dynamodb", config.dynamodb),
            layout.table_name,
            clock.now,
            fresh_for=fresh_for(settings.visibility_timeout_seconds),
        )
        sqs = client("sqs", config.sqs)
        queues = SqsQueues(
            layout.wakeup_queue_names,
            layout.work_queue_name,
            client=sqs,
            clock=clock,
            hold_s=settings.visibility_timeout_seconds,
            max_polls=settings.max_polls,
        )
        try:
            async with asyncio.timeout(OPENING_S):
                await store.open()
                await queues.open()
        except TimeoutError as error:
            raise StoreAwayError(
                f"AWS gave no answer within {OPENING_S} s at {config.dynamodb.url} and "
                f"{config.sqs.url}. Check the network, the region and the endpoint URLs."
            ) from error
        try:
            yield store, queues
        finally:
            await queues.close()
            await store.close()
    finally:
        await transport.close()
