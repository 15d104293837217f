"""Finds what the bindings of an app name, for a host from its start to its end."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bindings.errors import InvalidArgumentError
from bindings.kinds.blobs import BlobContainer, BlobRules
from bindings.kinds.queues import MessageQueue, QueueOptions, QueueSource
from bindings.tables.records import KeyNames, Table
from host.clock import Clock
from host.errors import ConfigurationError
from host.resources.embedded.queues import EmbeddedQueues, QueueLimits
from host.resources.local_blobs import LocalBlobs
from host.settings.connections import read_connection
from host.settings.queues import QueueSettings
from host.settings.values import AppSettings
from host.storage.kinds import Home

if TYPE_CHECKING:
    from host.resources.aws_places import AwsPlaces
    from host.resources.s3_blobs import S3Blobs
    from host.resources.sqs.driver import SqsDriver

_AWS_PLACES = "host.resources.aws_places"
_S3_BLOBS = "host.resources.s3_blobs"
_DYNAMO_TABLE = "host.resources.dynamo.table"
_SQS = "host.resources.sqs.driver"
STOP_GRACE_S = 5.0
LEAVING_S = 1.0
"""What of the grace time is left when the last poll is broken off."""


class HostResources:
    """The `Resources` of a host. Close it when nobody uses it any more."""

    def __init__(
        self,
        values: AppSettings,
        home: Home,
        clock: Clock,
        *,
        queues: QueueSettings | None = None,
        blob_rules: BlobRules | None = None,
        blob_folder: Path | None = None,
        stop_grace_s: float = STOP_GRACE_S,
    ) -> None:
        """`blob_folder` has the containers of hubs that are not on AWS; it may not be there yet.

        `stop_grace_s`: how long listeners have to stop, in seconds.
        """
        self._queue_settings = queues or QueueSettings()
        self._values = values
        self._home = home
        self._clock = clock
        self._stop_grace_s = stop_grace_s
        self._aws: AwsPlaces | None = None
        self._blob_rules = blob_rules or BlobRules()
        self._local_blobs = (
            None if blob_folder is None else LocalBlobs(blob_folder, clock, self._blob_rules)
        )
        self._s3_blobs: S3Blobs | None = None
        self._sqs: SqsDriver | None = None
        self.embedded_queues = self._embedded_queues()
        """The queues in the hub's own store; None if it has none."""

    @property
    def values(self) -> AppSettings:
        """The app settings as they are now."""
        return self._values

    @property
    def queue_options(self) -> QueueOptions:
        """What goes for all queues."""
        return self._queue_settings.options

    def queue(self, name: str, connection: str | None) -> MessageQueue:
        """The queue of this name."""
        home = self._home_of(connection)
        if home is self._home and self.embedded_queues is not None:
            return self.embedded_queues.queue(name)
        if home.aws is not None:
            return self._sqs_driver().queue(name, home.aws)
        raise _no_queues(name)

    def use(self, values: AppSettings) -> None:
        """Look connections up in these app settings from now on: the app has changed."""
        self._values = values

    def place_of(self, connection: str | None) -> Home | None:
        """Where the connection of this name leads; None if the app settings do not say it."""
        try:
            return self._home_of(connection)
        except ConfigurationError:
            return None

    def queue_source(self, name: str, connection: str | None, *, hold_s: float) -> QueueSource:
        """The queue of this name, to listen to."""
        home = self._home_of(connection)
        if home is self._home and self.embedded_queues is not None:
            return self.embedded_queues.source(name, hold_s)
        if home.aws is not None:
            return self._sqs_driver().source(name, home.aws, hold_s=hold_s)
        raise _no_queues(name)

    def container(self, name: str, connection: str | None) -> BlobContainer:
        """The container of this name."""
        aws = self._home_of(connection).aws
        if aws is None:
            if self._local_blobs is None:
                raise ConfigurationError(
                    f"There is no folder for containers here, so the binding of '{name}' needs a "
                    "'connection'."
                )
            return self._local_blobs.container(name)
        if self._s3_blobs is None:
            self._s3_blobs = _of_extra(_S3_BLOBS).S3Blobs(self._blob_rules)
        return self._s3_blobs.container(name, aws)

    def table(self, name: str, connection: str | None, keys: KeyNames) -> Table:
        """The table of this name."""
        home = self._home_of(connection)
        if home.tables is not None:
            return home.tables.table(name, keys)
        if home.aws is None:
            raise ConfigurationError(
                f"This hub's store keeps no tables, so the binding of the table '{name}' needs a "
                "'connection'."
            )
        clients = partial(self._aws_places().clients, home.aws)
        table: Table = import_module(_DYNAMO_TABLE).DynamoTable(clients, name, keys)
        return table

    async def close(self) -> None:
        """Let go of all connections."""
        if self.embedded_queues is not None:
            await self.embedded_queues.close()
        for each in (self._sqs, self._s3_blobs, self._aws):
            if each is not None:
                await each.close()

    def _home_of(self, connection: str | None) -> Home:
        """Where it is. Raises `ConfigurationError` if the app settings do not say it."""
        if connection is None:
            return self._home
        return Home(aws=read_connection(self._values, connection))

    def _embedded_queues(self) -> EmbeddedQueues | None:
        if self._home.messages is None:
            return None
        settings = self._queue_settings
        limits = QueueLimits(retention=settings.retention, max_bytes=settings.max_queue_bytes)
        return EmbeddedQueues(self._home.messages, self._clock, limits)

    def _sqs_driver(self) -> SqsDriver:
        """Raises `ConfigurationError` if a package is missing."""
        if self._sqs is None:
            find, patience_s = self._aws_places().clients, self._stop_grace_s - LEAVING_S
            driver: SqsDriver = import_module(_SQS).SqsDriver(
                find, self._clock, patience_s=max(0.0, patience_s)
            )
            self._sqs = driver
        return self._sqs

    def _aws_places(self) -> AwsPlaces:
        """Raises `ConfigurationError` if a package is missing."""
        if self._aws is None:
            self._aws = _of_extra(_AWS_PLACES).AwsPlaces(self._clock)
        return self._aws


def _of_extra(module: str) -> Any:
    """A module that needs the packages of the extra `aws`. Raises `ConfigurationError`."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"Queues, tables and blobs on AWS need the package '{error.name}': "
            "python -m pip install 'funchost[aws]'"
        ) from error


def _no_queues(name: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"There is no queue '{name}': the hub's store has no queues. Name a connection to one."
    )
