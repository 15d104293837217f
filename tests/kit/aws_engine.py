"""A host's engine on both AWS drivers in this process, with whatever a test puts in between.

Rules of this file: the engine and the store go by the clock that they are given, which may stand
still; clients and queues go by the machine's, since servers do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from bindings import FunctionApp
from host.clock import Clock, SystemClock
from host.core.converter import Converter
from host.engine.client import HubClient
from host.engine.engine import Engine
from host.engine.options import EngineOptions
from host.functions.catalog import Catalog
from host.functions.entities import EntityRunner
from host.functions.registry import AppVersion, FunctionRegistry
from host.storage.aws.queues.queues import SqsQueues
from host.storage.aws.schema import (
    FORMAT_VERSION,
    VISIBILITY_TIMEOUT_S,
    HubLayout,
    queue_definitions,
    table_definition,
)
from host.storage.aws.table.heads import fresh_for
from host.storage.aws.table.store import DynamoStore
from host.storage.aws.wire.client import AwsClient, Service
from host.storage.aws.wire.connections import PooledTransport
from host.storage.aws.wire.endpoints import Endpoint
from host.storage.aws.wire.retries import RetryRules
from host.storage.aws.wire.signing import Keys, StaticCredentials
from host.storage.aws.wire.transport import Transport
from tests.kit.aws_servers import ACCESS_KEY, REGION, SECRET_KEY
from tests.kit.hub import NoLinks, loaded, until

POLL_S = 1
"""Short, since a server's long poll outlives a test's end."""
RULES = RetryRules(attempts=20, base_s=0.002, throttled_base_s=0.002, cap_s=0.01)
"""Hardly a pause between attempts: what fails in a test fails on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsHub:
    """The table and the queues of a hub, just created."""

    url: str
    layout: HubLayout
    pool: PooledTransport

    def client(self, service: Service, transport: Transport | None = None) -> AwsClient:
        """A client whose requests take this way to the server."""
        return AwsClient(
            service=service,
            endpoint=Endpoint(url=self.url, region=REGION),
            credentials=StaticCredentials(Keys(ACCESS_KEY, SECRET_KEY)),
            transport=transport or self.pool,
            clock=SystemClock(),
            rules=RULES,
        )


class AwsHost:
    """One engine and its client."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.client = HubClient(engine, NoLinks())

    async def sessions_ended(self) -> None:
        """Wait until this host holds no wake-up."""
        await until(lambda: self.engine.open_sessions == 0)

    async def idle(self) -> None:
        """Wait until this host has nothing to do; who else is at work on the hub is not known."""
        await self.engine.idle()


@asynccontextmanager
async def aws_hub(url: str, *, format_version: int = FORMAT_VERSION) -> AsyncIterator[AwsHub]:
    """Create a hub of a new name on the server at `url`, with the indexes of a format."""
    pool = PooledTransport()
    await pool.open()
    hub = AwsHub(
        url=url,
        layout=HubLayout(hub=f"T{uuid4().hex[:12]}", format_version=format_version),
        pool=pool,
    )
    dynamodb, sqs = hub.client("dynamodb"), hub.client("sqs")
    await dynamodb.call("CreateTable", table_definition(hub.layout))
    for queue in queue_definitions(hub.layout):
        body = {"QueueName": queue.name, "Attributes": dict(queue.attributes)}
        await sqs.call("CreateQueue", body)
    try:
        yield hub
    finally:
        await dynamodb.call("DeleteTable", {"TableName": hub.layout.table_name})
        await pool.close()


@asynccontextmanager
async def aws_drivers(
    hub: AwsHub,
    now: Callable[[], datetime],
    *,
    transport: Transport | None = None,
    visibility_s: int = VISIBILITY_TIMEOUT_S,
) -> AsyncIterator[tuple[DynamoStore, SqsQueues]]:
    """Both drivers, open meanwhile; all their requests go through `transport`."""
    store = DynamoStore(
        hub.client("dynamodb", transport),
        hub.layout.table_name,
        now,
        fresh_for=fresh_for(visibility_s),
    )
    queues = SqsQueues(
        hub.layout.wakeup_queue_names,
        hub.layout.work_queue_name,
        client=hub.client("sqs", transport),
        clock=SystemClock(),
        poll_s=POLL_S,
        hold_s=visibility_s,
    )
    await store.open()
    await queues.open()
    try:
        yield store, queues
    finally:
        await queues.close()
        await store.close()


@asynccontextmanager
async def aws_host(
    hub: AwsHub,
    app: FunctionApp,
    clock: Clock,
    *,
    transport: Transport | None = None,
    visibility_s: int = VISIBILITY_TIMEOUT_S,
    **options: Any,
) -> AsyncIterator[AwsHost]:
    """A host that runs meanwhile; all its requests go through `transport`."""
    converter = Converter()
    async with aws_drivers(hub, clock.now, transport=transport, visibility_s=visibility_s) as (
        store,
        queues,
    ):
        found = loaded(app)
        catalog = Catalog(found, converter)
        version: AppVersion[None] = AppVersion(app=found, catalog=catalog, routes=None, plans={})
        entities = EntityRunner(FunctionRegistry(version), converter, clock)
        engine = Engine(
            store=store,
            queues=queues,
            catalog=catalog,
            entities=entities,
            converter=converter,
            clock=clock,
            options=replace(EngineOptions(), **options),
        )
        await engine.start()
        try:
            yield AwsHost(engine)
        finally:
            await engine.stop(0.0)
            entities.close()
