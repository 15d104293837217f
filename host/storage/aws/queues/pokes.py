"""Pokes: messages that end the long polls of a host that stops.

SQS hands the next message also to a poll whose host has gone, and hides it then. So a host that
stops hears its polls out, and sends each queue something for them to bring. A poke may come to
another host's poll, which sends it on; it is dropped when it is old, or has gone round for long. So
is a copy: were each copy sent on, and doubled again, there would be ever more.

Rules of this file: a poke is worth nothing. It may be lost, or deleted by a host that does not know
what it is; then another one is sent, and in the end the poll is broken off.
"""

from __future__ import annotations

import secrets
from typing import Annotated

import msgspec

from host.clock import Clock
from host.errors import StorageError
from host.logs import HostLog
from host.storage.aws.queues.sqs_queue import SqsQueue

_logger = HostLog("funchost.storage")

MAX_HOPS = 100
LASTS_S = 5.0
"""By then the host that sent it has stopped."""
MAX_REMEMBERED = 1000
_ID_BYTES = 8


class Poke(msgspec.Struct, omit_defaults=True):
    """`poke` is whose poll it is to end, `at` when it was sent (Unix time), `n` how often on."""

    poke: Annotated[str, msgspec.Meta(max_length=_ID_BYTES * 2)]
    at: float
    n: Annotated[int, msgspec.Meta(ge=0)] = 0


_read = msgspec.json.Decoder(Poke).decode
_write = msgspec.json.Encoder().encode


class Pokes:
    """The pokes of one host."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._host = secrets.token_hex(_ID_BYTES)
        self._sent_on: dict[tuple[str, str, float], int] = {}
        """How often others' had been sent on when they came here, the latest of them."""

    async def send(self, queue: SqsQueue) -> None:
        """Poke a poll of this host. Raises `StorageError`."""
        await self._send(queue, Poke(poke=self._host, at=self._clock.now().timestamp()))

    def read(self, text: str) -> Poke | None:
        """What it says; None if it is no poke."""
        try:
            return _read(text)
        except (msgspec.MsgspecError, RecursionError):
            return None

    def is_own(self, poke: Poke) -> bool:
        """Whether it is of this host."""
        return poke.poke == self._host

    async def send_on(self, queue: SqsQueue, poke: Poke) -> None:
        """Send another host's on, unless it is old, or a copy of one that came before."""
        age_s = self._clock.now().timestamp() - poke.at
        if poke.n >= MAX_HOPS or age_s >= LASTS_S or self._is_copy(queue.name, poke):
            return
        try:
            await self._send(queue, msgspec.structs.replace(poke, n=poke.n + 1))
        except StorageError as error:
            _logger.debug("A poke goes no further: %s", error)

    def _is_copy(self, queue_name: str, poke: Poke) -> bool:
        key = (queue_name, poke.poke, poke.at)
        before = self._sent_on.pop(key, -1)
        self._sent_on[key] = max(before, poke.n)
        if len(self._sent_on) > MAX_REMEMBERED:
            del self._sent_on[next(iter(self._sent_on))]
        return poke.n <= before

    async def _send(self, queue: SqsQueue, body: Poke) -> None:
        key = f"poke#{secrets.token_hex(8)}"  # a group of its own: it waits behind nothing
        await queue.send(key, body=_write(body).decode(), group=key)
