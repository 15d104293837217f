"""Connections: how many there may be, how long each may keep quiet, and what it may send ahead.

This stands between the transport and aiohttp's own protocol, which parses requests and writes
answers. It reads in small pieces, so that no client makes the host hold much of what it was not
asked for. When as many connections are open as may be, the one that has been quiet the longest
makes room for the next: who only holds connections keeps nobody out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from aiohttp import StreamReader, web

from host.clock import Clock
from host.http.descriptors import has_free_descriptor
from host.http.raw_answers import FULL, LARGE, LATE
from host.logs import HostLog

READ_BYTES = 16_384
BUFFERED_BYTES = 8192
"""Reading pauses when more than twice as much of a body waits for who reads it."""

MAX_AHEAD_BYTES = 65_536
"""What a client may send of heads, and of requests whose turn has not come."""
_PACE_BYTES = 10_240
"""An answer goes out with at least so many bytes in the time that writing may stand still."""
_MAX_FRAMING_BYTES = 65_536
_MAX_FRAMING_SHARE = 3
"""Of a body in chunks at least so much is body: tiny chunks cost more time than they bring."""
_CHECK_S = 1.0
_ROOM_AGAIN_S = 60.0

_log = HostLog(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """How many connections may be open, and for how many seconds each may keep quiet."""

    count: int
    head_s: float
    idle_s: float
    write_s: float
    unsent_bytes: int
    """How much of all answers may wait for clients to read it."""


class Connection(asyncio.BufferedProtocol):
    """One connection. It is a `Caller`: whoever waits for its client's sake learns that it left."""

    def __init__(self, all_of_them: Connections, inner: web.RequestHandler) -> None:
        self.inner = inner
        self.request: web.BaseRequest | None = None
        """The request that is being answered."""
        self.quiet_since = all_of_them.now()
        self.is_gone = False
        self._all = all_of_them
        self._transport: asyncio.Transport | None = None
        self._view = memoryview(bytearray(READ_BYTES))
        self._body_bytes = 0
        """What came of the body since the request began, with what frames its chunks."""
        self._ahead_bytes = 0
        """What came and belongs to no request that is, or was, answered."""
        self._head_since: float | None = self.quiet_since
        """When a head should have begun to come: the first one does so at once."""
        self._unsent = 0
        self._unsent_since = self.quiet_since
        self._watchers: set[Callable[[], None]] = set()

    # ---- what the transport says --------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected: let it in, or tell it that there is no room."""
        self._transport = cast(asyncio.Transport, transport)
        if self._all.admit(self):
            self.inner.connection_made(transport)
        else:
            self._refuse(FULL)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - as asyncio calls it
        """Where the next bytes go."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes came: of the body that is read now, or ahead of their time."""
        if not self._all.is_open(self):
            return
        if self.request is None or self.request.content.is_eof():
            self._ahead_bytes += nbytes
            if self._ahead_bytes > MAX_AHEAD_BYTES:
                self._cut_off()
                return
        else:
            self._body_bytes += nbytes
            self._check_framing(self.request.content)
        if self.request is None:
            self._head_since = self._head_since or self._all.now()
            if nbytes == READ_BYTES:
                self._let_others_go_first()
        self.inner.data_received(bytes(self._view[:nbytes]))

    def eof_received(self) -> None:
        """The client sends nothing more; the transport closes."""
        self.inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed: nobody waits any more."""
        self.is_gone = True
        if self._all.is_open(self):
            self._all.forget(self)
            self.inner.connection_lost(exc)
        watchers, self._watchers = self._watchers, set()
        for left in watchers:
            left()

    def pause_writing(self) -> None:
        """The client reads more slowly than it is answered."""
        self.inner.pause_writing()
        self._all.check_unsent()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.inner.resume_writing()

    # ---- what the application says ------------------------------------------------------------

    def begin(self, request: web.BaseRequest) -> None:
        """A request is being answered from now on."""
        self.request = request
        self._head_since = None
        self._body_bytes = 0
        if self._ahead_bytes:
            is_last = not self.inner._messages  # noqa: SLF001 - nothing else says what waits there
            self._ahead_bytes = 0 if is_last else max(0, self._ahead_bytes - _size(request))

    def end(self) -> None:
        """The answer is on its way."""
        self.request = None
        self.quiet_since = self._all.now()
        if self._ahead_bytes:
            self._head_since = self.quiet_since

    def watch(self, left: Callable[[], None]) -> None:
        """Call `left` once, when the client goes away."""
        if self.is_gone:
            left()
        else:
            self._watchers.add(left)

    def unwatch(self, left: Callable[[], None]) -> None:
        """Do not call it."""
        self._watchers.discard(left)

    # ---- what time says -----------------------------------------------------------------------

    def check(self, now: float, limits: ConnectionLimits) -> None:
        """Close the connection if it kept quiet for too long."""
        if self._stands_still(now, limits.write_s):
            self.abort()
        elif self.request is not None or self._unsent:
            return
        elif self._head_since is not None and now - self._head_since > limits.head_s:
            self._refuse(LATE)
        elif now - self.quiet_since > limits.idle_s:
            self.close()

    def is_sending(self) -> bool:
        """Whether an answer is still going out."""
        return self.unsent_bytes() > 0

    def unsent_bytes(self) -> int:
        """How much of its answers waits for the client to read it."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def unsent_since(self) -> float:
        """Since when the client has read less than it should, as far as it was looked at."""
        return self._unsent_since

    def close(self) -> None:
        """Close it; what is written goes out."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close it; what is written is dropped."""
        if self._transport is not None:
            self._transport.abort()

    def _stands_still(self, now: float, write_s: float) -> bool:
        unsent = self.unsent_bytes()
        if unsent == 0 or self._unsent == 0 or unsent <= self._unsent - _PACE_BYTES:
            self._unsent, self._unsent_since = unsent, now
        return now - self._unsent_since > write_s and unsent > 0

    def _check_framing(self, content: StreamReader) -> None:
        body = content.total_bytes
        if self._body_bytes > _MAX_FRAMING_BYTES + _MAX_FRAMING_SHARE * body:
            content.set_exception(web.RequestPayloadError("Its chunks are too small."))

    def _let_others_go_first(self) -> None:
        """Read on in the next round: a transport reads all there is, up to half a megabyte."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _cut_off(self) -> None:
        if self.request is None and not self.is_sending():
            self._refuse(LARGE)
        else:
            self.abort()

    def _refuse(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)
            self._transport.close()


class Connections:
    """All connections of a host."""

    def __init__(self, limits: ConnectionLimits, clock: Clock) -> None:
        self.now = clock.monotonic
        self._limits = limits
        self._clock = clock
        self._open: dict[web.RequestHandler, Connection] = {}
        self._quiet: dict[Connection, None] = {}
        """Those without a request; the one that has been quiet the longest comes first."""
        self._full_at: float | None = None
        """When there was no room last; None once that is over."""
        self._slow_at: float | None = None
        """When it was said last that readers are too slow."""
        self._has_descriptors = True

    def __len__(self) -> int:
        return len(self._open)

    def is_open(self, connection: Connection) -> bool:
        """Whether it was let in, and is there still."""
        return connection.inner in self._open

    def admit(self, connection: Connection) -> bool:
        """Let a new connection in; False if nothing makes room for it."""
        if len(self._open) >= self._limits.count and not self._make_room():
            return False
        self._open[connection.inner] = connection
        self._quiet[connection] = None
        return True

    def forget(self, connection: Connection) -> None:
        """It is closed."""
        del self._open[connection.inner]
        self._quiet.pop(connection, None)

    def begin(self, request: web.BaseRequest) -> Connection | None:
        """A request is being answered; gives its connection, None if it is closed already."""
        connection = self._open.get(request.protocol)
        if connection is not None:
            self._quiet.pop(connection, None)
            connection.begin(request)
        return connection

    def end(self, connection: Connection) -> None:
        """The request of this connection is answered."""
        connection.end()
        if connection.inner in self._open:
            self._quiet[connection] = None

    async def watch(self) -> None:
        """Look after the connections, for ever."""
        while True:
            await self._clock.sleep(_CHECK_S)
            self.check()

    def check(self) -> None:
        """Close those that kept quiet for too long, and look whether there is room."""
        now = self.now()
        for connection in list(self._open.values()):
            connection.check(now, self._limits)
        if self._full_at is not None and now - self._full_at > _ROOM_AGAIN_S:
            self._full_at = None
            _log.warning("There is room for connections again.")
        self._check_descriptors()

    def check_unsent(self) -> None:
        """Drop the answers of the slowest readers while all that is unsent is too much.

        The last one stays: a single answer may be larger than all of them together should be.
        """
        unsent = {each: each.unsent_bytes() for each in self._open.values()}
        waiting = [each for each, size in unsent.items() if size]
        total = sum(unsent.values())
        if total <= self._limits.unsent_bytes:
            return
        waiting.sort(key=lambda each: (each.unsent_since(), -unsent[each]))
        for slowest in waiting[:-1]:
            if total <= self._limits.unsent_bytes:
                break
            total -= unsent[slowest]
            slowest.abort()
        self._say_slow()

    def _say_slow(self) -> None:
        now = self.now()
        if self._slow_at is None or now - self._slow_at > _ROOM_AGAIN_S:
            _log.warning(
                "More than %d bytes of answers wait for clients to read them: the slowest are cut "
                "off (maxAnswerBytesInFlight in host.json).",
                self._limits.unsent_bytes,
            )
            self._slow_at = now

    def _check_descriptors(self) -> None:
        """The loop drops in silence whom it cannot accept for want of a descriptor."""
        had, self._has_descriptors = self._has_descriptors, has_free_descriptor()
        if not self._has_descriptors:
            self._close_quietest()
        if had and not self._has_descriptors:
            _log.error(
                "As many files are open as may: nobody can be accepted, and idle connections are "
                "closed. What holds the files is the app, if not clients."
            )
        elif self._has_descriptors and not had:
            _log.warning("Files can be opened again.")

    def _make_room(self) -> bool:
        """Close the connection that has been quiet the longest; False if all are busy."""
        if self._full_at is None:
            _log.warning(
                "%d connections are open, as many as may: idle ones are closed to make room "
                "(maxConnections in host.json, and the limit of open files).",
                len(self._open),
            )
        self._full_at = self.now()
        return self._close_quietest()

    def _close_quietest(self) -> bool:
        idle = (each for each in self._quiet if not each.is_sending())
        oldest = next(idle, None)
        if oldest is None:
            return False
        del self._quiet[oldest]
        oldest.abort()
        return True


def _size(request: web.BaseRequest) -> int:
    """About how many bytes of the connection were this request."""
    head = sum(len(name) + len(value) + 4 for name, value in request.raw_headers)
    return len(request.raw_path) + head + request.content.total_bytes + 16
