"""What functions send to and read from besides the hub: queues, tables and blobs, by their names.

The bindings know these protocols only. Where a queue is (in the hub's own store, on SQS, …) the
host finds out by the name of the connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol

from bindings.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """A message for a queue."""

    body: str
    group_id: str | None = None
    """Of a FIFO queue: messages of one group are handed out in order, one after the other."""
    deduplication_id: str | None = None
    """A message that is sent again by the same id is sent once, as far as the queue can tell."""
    delay_s: float = 0.0
    """How long nobody gets it, in seconds."""


class MessageQueue(Protocol):
    """A queue, to send to."""

    async def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """Send all, in order. Raises `FunchostError`: then some of them may have been sent."""


class Resources(Protocol):
    """Finds what bindings name. Nothing is asked of a service until it is used.

    `connection` is the name of the app settings that say where it is; None for the place that goes
    with the hub. All methods raise `FunchostError` if the settings say no such place.
    """

    def queue(self, name: str, connection: str | None) -> MessageQueue:
        """The queue of this name."""


class NoResources:
    """Of whoever has none."""

    def queue(self, name: str, connection: str | None) -> MessageQueue:  # noqa: ARG002 - none here
        """There is none."""
        self._refuse(f"the queue '{name}'")

    def _refuse(self, what: str) -> NoReturn:
        raise InvalidArgumentError(f"Nothing here has {what}: run the function in a host.")
