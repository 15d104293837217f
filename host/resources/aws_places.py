"""Clients of AWS for what bindings name: one set for each place, made when somebody first asks.

This needs the packages of the extra `aws`: import it when something is on AWS, and not before.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from host.clock import Clock
from host.settings.connections import AwsOptions
from host.storage.aws.wire.client import AwsClient, Service
from host.storage.aws.wire.connections import PooledTransport
from host.storage.aws.wire.endpoints import Endpoint, resolve

MOST_POLLS: Final = 4000
"""A thousand queues are listened to, with four polls each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsClients:
    """The services in one place."""

    dynamodb: AwsClient
    sqs: AwsClient
    polls: AwsClient
    """Of SQS, for what waits long: on connections of its own, so that nothing waits for those."""
    options: AwsOptions


class AwsPlaces:
    """Finds the clients of a place."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._making: dict[AwsOptions, asyncio.Task[AwsClients]] = {}
        self._transports: list[PooledTransport] = []

    async def clients(self, options: AwsOptions) -> AwsClients:
        """The clients. Raises `ConfigurationError` if the AWS configuration says too little."""
        making = self._making.get(options)
        if making is None or _has_failed(making):
            making = self._making[options] = asyncio.create_task(self._make(options))
        return await asyncio.shield(making)

    async def close(self) -> None:
        """Let go of all connections."""
        for making in self._making.values():
            making.cancel()
        await asyncio.gather(*self._making.values(), return_exceptions=True)
        for transport in self._transports:
            await transport.close()

    async def _make(self, options: AwsOptions) -> AwsClients:
        config = await asyncio.to_thread(resolve, options, self._clock)
        transport = await self._transport(PooledTransport(ca_bundle=config.ca_bundle))
        waiting = await self._transport(
            PooledTransport(max_connections=MOST_POLLS, ca_bundle=config.ca_bundle)
        )

        def client(
            service: Service, endpoint: Endpoint, transport: PooledTransport = transport
        ) -> AwsClient:
            return AwsClient(
                service=service,
                endpoint=endpoint,
                credentials=config.credentials,
                transport=transport,
                clock=self._clock,
            )

        return AwsClients(
            dynamodb=client("dynamodb", config.dynamodb),
            sqs=client("sqs", config.sqs),
            polls=client("sqs", config.sqs, waiting),
            options=options,
        )

    async def _transport(self, transport: PooledTransport) -> PooledTransport:
        await transport.open()
        self._transports.append(transport)
        return transport


def _has_failed(task: asyncio.Task[AwsClients]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
