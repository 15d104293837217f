"""What a host and its worker processes say to each other, and how it goes over their line.

A frame is its length in eight bytes and a message. Nothing of a message is code but what is
pickled, and both ends are the same program, started by the same user: nobody else has the line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import msgspec

from host.core.history import Payload
from host.core.records import ActivityKey
from host.running import Running

HEAD_BYTES: Final = 8


class _Message(msgspec.Struct, frozen=True, tag=True):
    """The base of all messages."""


class Setup(_Message, frozen=True):
    """What a worker is to load. It is the first frame of all."""

    app_dir: str
    settings: bytes
    """The `HostSettings`, pickled."""
    functions: tuple[str, ...]
    """The names of those that its host has: without one of them it is of no use."""
    log_levels: Mapping[str, int]
    """Of the host's loggers, by name; the root's is ""."""
    threads: int
    """How many calls may run side by side in the worker."""


class RunActivity(_Message, frozen=True):
    """Run an activity for a task."""

    call: int
    name: str
    key: ActivityKey
    payload: Payload
    running: Running | None = None
    """What the log is to say of it."""


class CallFunction(_Message, frozen=True):
    """Call a triggered function, or an activity with bindings, with arguments by name."""

    call: int
    name: str
    arguments: bytes
    """Packed, see `travelling`."""
    running: Running | None = None
    """What the log is to say of it."""


class Cancel(_Message, frozen=True):
    """Nobody waits for this call any more."""

    call: int


class Loaded(_Message, frozen=True):
    """The worker can be asked from now on."""

    memory_bytes: int


class NotLoaded(_Message, frozen=True):
    """The app does not load; the worker ends."""

    error: str


class Logged(_Message, frozen=True):
    """A record that was logged in the worker."""

    logger: str
    level: int
    message: str
    stack: str
    created: float
    path: str
    line: int
    running: Running | None = None
    """In which run of a function."""


class Completed(_Message, frozen=True):
    """An activity has ended well."""

    call: int
    payload: Payload


class Returned(_Message, frozen=True):
    """A function has returned; its result and its outputs by name, packed."""

    call: int
    result: bytes


class Failed(_Message, frozen=True):
    """It raised something: a pickled `travelling.Failure`."""

    call: int
    failure: bytes
    stays: bool = False
    """Whether it did its work, and what it returned cannot be sent."""


Order: TypeAlias = Setup | RunActivity | CallFunction | Cancel
Answer: TypeAlias = Completed | Returned | Failed
Report: TypeAlias = Loaded | NotLoaded | Logged | Answer

_encoder = msgspec.msgpack.Encoder()
ORDERS: Final = msgspec.msgpack.Decoder(Order)
REPORTS: Final = msgspec.msgpack.Decoder(Report)


def framed(message: Order | Report) -> bytes:
    """The message as it goes over the line."""
    return framed_bytes(_encoder.encode(message))


def framed_bytes(content: bytes) -> bytes:
    """The content as it goes over the line."""
    return len(content).to_bytes(HEAD_BYTES, "big") + content


class Incoming:
    """Puts together what comes in pieces."""

    def __init__(self) -> None:
        self._pieces = bytearray()

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The contents of the frames that are complete with this piece."""
        self._pieces += piece
        start = 0
        while (end := self._end_of_frame(start)) is not None:
            yield bytes(memoryview(self._pieces)[start + HEAD_BYTES : end])
            start = end
        del self._pieces[:start]

    def _end_of_frame(self, start: int) -> int | None:
        head = self._pieces[start : start + HEAD_BYTES]
        if len(head) < HEAD_BYTES:
            return None
        end = start + HEAD_BYTES + int.from_bytes(head, "big")
        return end if end <= len(self._pieces) else None
