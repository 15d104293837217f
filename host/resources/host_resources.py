"""Finds what the bindings of an app name, for a host from its start to its end."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from bindings.errors import InvalidArgumentError
from bindings.kinds.queues import MessageQueue, QueueOptions, QueueSource
from host.clock import Clock
from host.errors import ConfigurationError
from host.resources.embedded.queues import EmbeddedQueues, QueueLimits
from host.settings.connections import read_connection
from host.settings.queues import QueueSettings
from host.settings.values import AppSettings
from host.storage.kinds import Home

if TYPE_CHECKING:
    from host.resources.aws_places import AwsPlaces

_AWS_PLACES = "host.resources.aws_places"


class HostResources:
    """The `Resources` of a host. Close it when nobody uses it any more."""

    def __init__(
        self,
        values: AppSettings,
        home: Home,
        clock: Clock,
        *,
        queues: QueueSettings | None = None,
    ) -> None:
        self._queue_settings = queues or QueueSettings()
        self._values = values
        self._home = home
        self._clock = clock
        self._aws: AwsPlaces | None = None
        self.embedded_queues = self._embedded_queues()
        """The queues in the hub's own store; None if it has none."""

    @property
    def queue_options(self) -> QueueOptions:
        """What goes for all queues."""
        return self._queue_settings.options

    def queue(self, name: str, connection: str | None) -> MessageQueue:
        """The queue of this name."""
        home = self._home_of(connection)
        if home is self._home and self.embedded_queues is not None:
            return self.embedded_queues.queue(name)
        raise InvalidArgumentError(f"No queue '{name}' at {home}.")

    def use(self, values: AppSettings) -> None:
        """Look connections up in these app settings from now on: the app has changed."""
        self._values = values

    def queue_source(self, name: str, connection: str | None, *, hold_s: float) -> QueueSource:
        """The queue of this name, to listen to."""
        home = self._home_of(connection)
        if home is self._home and self.embedded_queues is not None:
            return self.embedded_queues.source(name, hold_s)
        raise InvalidArgumentError(f"No queue '{name}' at {home}.")

    async def close(self) -> None:
        """Let go of all connections."""
        if self.embedded_queues is not None:
            await self.embedded_queues.close()
        if self._aws is not None:
            await self._aws.close()

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

    def _aws_places(self) -> AwsPlaces:
        """Raises `ConfigurationError` if a package is missing."""
        if self._aws is None:
            try:
                places: AwsPlaces = import_module(_AWS_PLACES).AwsPlaces(self._clock)
            except ModuleNotFoundError as error:
                raise ConfigurationError(
                    f"Queues, tables and blobs on AWS need the package '{error.name}': "
                    "python -m pip install 'funchost[aws]'"
                ) from error
            self._aws = places
        return self._aws
