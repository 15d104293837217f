"""What functions send to and read from besides the hub: queues, tables and blobs, by their names.

The bindings know these protocols only. Where a queue is (in the hub's own store, on SQS, …) the
host finds out by the name of the connection.
"""

from __future__ import annotations

from typing import NoReturn, Protocol

from bindings.errors import InvalidArgumentError
from bindings.kinds.blobs import BlobContainer
from bindings.kinds.queues import MessageQueue, QueueOptions, QueueSource
from bindings.tables.records import KeyNames, Table


class Resources(Protocol):
    """Finds what bindings name. Nothing is asked of a service until it is used.

    `connection` is the name of the app settings that say where it is; None for the place that goes
    with the hub. All methods raise `FunchostError` if the settings say no such place.
    """

    @property
    def queue_options(self) -> QueueOptions:
        """What goes for all queues."""

    def queue(self, name: str, connection: str | None) -> MessageQueue:
        """The queue of this name (or URL, or ARN), to send to."""

    def queue_source(self, name: str, connection: str | None, *, hold_s: float) -> QueueSource:
        """The queue of this name, to listen to. Messages are held for `hold_s` seconds each time.

        Whoever asks for it closes it.
        """

    def container(self, name: str, connection: str | None) -> BlobContainer:
        """The container of this name: a bucket of S3, or a folder.

        Raises `InvalidArgumentError` for a name that can be none.
        """

    def table(self, name: str, connection: str | None, keys: KeyNames) -> Table:
        """The table of this name, with rows whose keys go by these names."""


class NoResources:
    """Of whoever has none."""

    queue_options = QueueOptions()

    def queue(self, name: str, connection: str | None) -> MessageQueue:  # noqa: ARG002 - none here
        """There is none."""
        self._refuse(f"the queue '{name}'")

    def queue_source(self, name: str, connection: str | None, *, hold_s: float) -> QueueSource:  # noqa: ARG002
        """There is none."""
        self._refuse(f"the queue '{name}'")

    def container(self, name: str, connection: str | None) -> BlobContainer:  # noqa: ARG002
        """There is none."""
        self._refuse(f"the container '{name}'")

    def table(self, name: str, connection: str | None, keys: KeyNames) -> Table:  # noqa: ARG002
        """There is none."""
        self._refuse(f"the table '{name}'")

    def _refuse(self, what: str) -> NoReturn:
        raise InvalidArgumentError(f"Nothing here has {what}: run the function in a host.")
