"""Pokes: messages that end the long polls of a host that stops.

SQS hands the next message also to a poll whose host has gone, and hides it then. So a host that
stops hears its polls out, and sends each queue something for them to bring. A poke may come to
another host's poll, which sends it on; it is dropped when it is old, or has gone round for long.

Rules of this file: a poke is worth nothing. It may be lost, or deleted by a host that does not know
what it is; then another one is sent, and in the end the poll is broken off.
"""

from __future__ import annotations

import secrets

import msgspec

from host.clock import Clock
from host.errors import StorageError
from host.logs import HostLog
from host.storage.aws.queues.sqs_queue import SqsQueue

_logger = HostLog("funchost.storage")

MAX_HOPS = 100
LASTS_S = 5.0
"""By then the host that sent it has stopped."""


class _Body(msgspec.Struct, omit_defaults=True):
    """`poke` is whose poll it is to end, `at` when it was sent (Unix time), `n` how often on."""

    poke: str
    at: float
    n: int = 0


_read = msgspec.json.Decoder(_Body).decode
_write = msgspec.json.Encoder().encode


class Pokes:
    """The pokes of one host."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._host = secrets.token_hex(8)

    async def send(self, queue: SqsQueue) -> None:
        """Poke a poll of this host. Raises `StorageError`."""
        await self._send(queue, _Body(poke=self._host, at=self._clock.now().timestamp()))

    async def take(self, queue: SqsQueue, text: str) -> bool:
        """Send on what is another host's; whether it is this host's.

        Raises `ValueError` for what is no poke.
        """
        try:
            body = _read(text)
        except msgspec.MsgspecError as error:
            raise ValueError("It is no poke.") from error
        if body.poke == self._host:
            return True
        age_s = self._clock.now().timestamp() - body.at
        if body.n < MAX_HOPS and age_s < LASTS_S:
            try:
                await self._send(queue, msgspec.structs.replace(body, n=body.n + 1))
            except StorageError as error:
                _logger.debug("A poke goes no further: %s", error)
        return False

    async def _send(self, queue: SqsQueue, body: _Body) -> None:
        key = f"poke#{secrets.token_hex(8)}"  # a group of its own: it waits behind nothing
        await queue.send(key, body=_write(body).decode(), group=key)
