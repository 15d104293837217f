"""Queues of messages, as bindings know them: to send to, and to listen to.

What all queues promise: each message is handed out at least once. Who has one holds it for a while,
in which nobody else gets it; who says nothing more loses it to the next one. Of a FIFO queue, whose
name ends with `.fifo`, the messages of a group are handed out in order, and those after one that is
held wait for its end.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

FIFO_SUFFIX: Final = ".fifo"
POISON_SUFFIX: Final = "-poison"


class MessageEncoding(StrEnum):
    """How bodies of messages are written."""

    NONE = "none"
    """As they are: UTF-8 text."""
    BASE64 = "base64"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions:
    """What goes for all queues that the functions of a host use: host.json's `extensions.queues`.

    Bindings can say otherwise for themselves.
    """

    encoding: MessageEncoding = MessageEncoding.NONE
    batch_size: int = 16
    """How many messages a listener takes at once."""
    new_batch_threshold: int | None = None
    """It takes more when so many are left in work, or fewer; None: half of `batch_size`."""
    max_dequeue_count: int = 5
    """A message that failed so often goes into the poison queue."""
    visibility_timeout_s: float = 0.0
    """How long nobody gets a message after it failed, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """A message for a queue."""

    body: str
    group_id: str | None = None
    """Of a FIFO queue: messages of one group are handed out in order, one after the other."""
    deduplication_id: str | None = None
    """A message that is sent again by the same id is sent once, as far as the queue can tell."""
    delay_s: float = 0.0
    """How long nobody gets it, in seconds. FIFO queues have no delays for single messages."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What is said beside the body: names of letters, digits, `_`, `-` and `.`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMessage:
    """A message that whoever received it holds."""

    id: str
    body: str
    receipt: str
    """Names this hold of it: each time that it is handed out it has another one."""
    dequeue_count: int
    """How often somebody has tried it, this time included. Where the queue counts what was given
    back untried, too (SQS does), that is taken off as far as it is known."""
    inserted_at: datetime
    expires_at: datetime | None
    """When the queue drops it; None if that is not known."""
    next_visible_at: datetime
    """When others get it, if its hold is not extended."""
    group_id: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFacts:
    """What a listener has to know of a queue before it listens."""

    max_tries: int | None = None
    """After so many tries the queue itself puts a message elsewhere (`maxReceiveCount` of the
    redrive policy of SQS). None: that is up to the listener, by `poison`."""
    poison_queue: str | None = None
    """Where it goes then."""


class MessageQueue(Protocol):
    """A queue, to send to. All methods are for the event loop's thread."""

    async def send(self, messages: Sequence[OutgoingMessage]) -> Sequence[str]:
        """Send all, in order; gives the id of each.

        One that was sent before (`deduplication_id`) is not sent again, as far as the queue can
        tell, and has the id that it had.

        Raises `InvalidArgumentError` for a message that the queue never takes (too long, no group
        on a FIFO queue, …): then nothing was sent. Raises another `FunchostError` if the queue does
        not answer or is not there: then some of them may have been sent.
        """


class QueueSource(Protocol):
    """A queue, to listen to: for one listener. All methods are for the event loop's thread.

    They raise `FunchostError` if the queue does not answer or is not there, with words that say
    what is to be done. Whoever made the source closes it.
    """

    @property
    def hold_s(self) -> float:
        """How long a message is held from when it was received or extended, in seconds."""

    async def facts(self) -> QueueFacts:
        """Find the queue, and what is to be known of it.

        It is asked before the first `receive`, and again after failures.
        """

    async def receive(self, limit: int) -> Sequence[ReceivedMessage]:
        """Wait for at least one message and take up to `limit`, the oldest first.

        Of a FIFO queue several of one group may come at once; they are in order. It may give none
        after a while: ask again. Whoever is cancelled here loses nothing: what was on its way goes
        to who asks next, or back into the queue at `close`. It may be asked by several at once.
        """

    async def extend(self, messages: Sequence[ReceivedMessage]) -> Collection[str]:
        """Hold them for another `hold_s` seconds.

        Gives the ids of those that are lost: their hold is over, and others may have them.
        """

    async def delete(self, messages: Sequence[ReceivedMessage]) -> None:
        """They were seen to. Of one whose hold is over it is not known whether it comes again."""

    async def release(
        self, messages: Sequence[ReceivedMessage], *, delay_s: float = 0.0, is_tried: bool = True
    ) -> None:
        """Give them back: others get them in `delay_s` seconds. What is not held is passed over.

        Untried ones (`is_tried` is false) do not count as tries, as far as the queue can do that.
        """

    async def poison(self, message: ReceivedMessage, reason: Mapping[str, str]) -> None:
        """Put it, as it is, into the poison queue (`poison_name`); so it ends here.

        The `reason` is added to its attributes, each with a name and a text.
        A store that can does both as one; of others a crash between the two leaves it in both.
        """

    async def close(self) -> None:
        """Receive nothing more, and give back what was taken and not handed out. Idempotent.

        Receivers that wait end with no messages. What was handed out can be extended, deleted,
        released and poisoned afterwards.
        """


def is_fifo(name: str) -> bool:
    """Whether a queue of this name (or URL, or ARN) is a FIFO queue."""
    return name.endswith(FIFO_SUFFIX)


def poison_name(name: str) -> str:
    """The name of the queue for what failed too often in the queue of this name."""
    if is_fifo(name):
        return f"{name.removesuffix(FIFO_SUFFIX)}{POISON_SUFFIX}{FIFO_SUFFIX}"
    return f"{name}{POISON_SUFFIX}"
