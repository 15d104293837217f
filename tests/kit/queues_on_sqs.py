"""Hosts' ways to queues on SQS: the product's driver, on whatever a test takes for AWS."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bindings.kinds.queues import QueueOptions
from bindings.kinds.resources import NoResources
from host.clock import Clock
from host.resources.aws_places import AwsClients
from host.resources.sqs.driver import SqsDriver
from host.resources.sqs.queue import SqsQueue
from host.resources.sqs.source import SqsSource
from host.settings.connections import AwsOptions
from host.storage.aws.wire.client import AwsClient, Service
from host.storage.aws.wire.endpoints import Endpoint
from host.storage.aws.wire.retries import RetryRules
from host.storage.aws.wire.signing import Keys, StaticCredentials
from host.storage.aws.wire.transport import Transport
from tests.kit.aws_servers import ACCESS_KEY, REGION, SECRET_KEY

PATIENCE_S = 4.0
SOON = RetryRules(attempts=8, base_s=0.002, throttled_base_s=0.002, cap_s=0.01)


class HostOnSqs(NoResources):
    """One host's queues. `Resources`, as far as queues go."""

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        *,
        url: str = "https://sqs.us-east-1.amazonaws.com",
        rules: RetryRules = SOON,
        patience_s: float = PATIENCE_S,
        queue_options: QueueOptions | None = None,
    ) -> None:
        self.clock = clock
        self.queue_options = queue_options or QueueOptions()
        self.options: list[AwsOptions] = []
        """The places that were asked for."""
        self._transport = transport
        self._url = url
        self._rules = rules
        self.driver = SqsDriver(self._clients, clock, patience_s=patience_s)
        self.client = self._client("sqs", REGION)

    def queue(self, name: str, connection: str | None = None) -> SqsQueue:
        """The queue of this name."""
        queue = self.driver.queue(name, _options(connection))
        assert isinstance(queue, SqsQueue)
        return queue

    def queue_source(
        self, name: str, connection: str | None = None, *, hold_s: float = 30.0
    ) -> SqsSource:
        """The queue of this name, to listen to."""
        source = self.driver.source(name, _options(connection), hold_s=hold_s)
        assert isinstance(source, SqsSource)
        return source

    async def call(self, operation: str, **body: Any) -> dict[str, Any]:
        """What the test does by hand."""
        return await self.client.call(operation, body)

    async def _clients(self, options: AwsOptions) -> AwsClients:
        self.options.append(options)
        sqs = self._client("sqs", options.region or REGION)
        return AwsClients(dynamodb=sqs, sqs=sqs, polls=sqs, options=replace(options))

    def _client(self, service: Service, region: str) -> AwsClient:
        return AwsClient(
            service=service,
            endpoint=Endpoint(url=self._url, region=region),
            credentials=StaticCredentials(Keys(ACCESS_KEY, SECRET_KEY)),
            transport=self._transport,
            clock=self.clock,
            rules=self._rules,
        )


def _options(connection: str | None) -> AwsOptions:
    return AwsOptions(region=connection)
