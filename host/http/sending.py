"""Answers that are made while they are sent, no faster than their client reads.

Such an answer has begun when something goes wrong: then it breaks off, which its client sees, since
its last chunk is missing. When the client goes away, whatever makes the answer is told at once.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from http import HTTPStatus
from inspect import isawaitable
from types import TracebackType

from aiohttp import HttpVersion11, web

from host.clock import Clock
from host.engine.callers import Caller

KEEP_ALIVE_S = 15.0
"""After so long without a chunk a kept-alive answer gets a comment."""

_LINGER_NOT = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
_COMMENT = b":\n\n"
_WITHOUT_BODY = frozenset(
    {HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT, HTTPStatus.NOT_MODIFIED}
)


class ClientGoneError(ConnectionResetError):
    """Nobody reads what is sent any more."""


class Sending:
    """An answer's chunks, each made when the one before it is on its way.

    `broke_off` is told what they raise. With a `clock` the answer is one of events: its head goes
    out at once, comments keep it alive, and `end` ends it.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        broke_off: Callable[[Exception], None],
        clock: Clock | None = None,
    ) -> None:
        self._chunks = chunks
        self._broke_off = broke_off
        self._first: list[bytes] = []
        self._is_closed = False
        self._is_ending = False
        self._over: list[Callable[[], None]] = []
        self._making: asyncio.Task[object] | None = None
        """Who waits for the next chunk."""
        self.clock = clock
        self.made_at = 0.0

    def when_over(self, call: Callable[[], None]) -> None:
        """Call this once, when the answer is over, however it ends."""
        self._over.append(call)

    async def begin(self, caller: Caller | None) -> None:
        """Make the first chunk. Raises what that raises, and `ClientGoneError`."""
        async with while_there(caller):
            with suppress(StopAsyncIteration):
                self._first.append(await anext(self._chunks))

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """The next chunk. Raises `ConnectionResetError` if there is none, and should be."""
        if self._first:
            return self._first.pop()
        if self._is_ending:
            raise StopAsyncIteration
        try:
            chunk = await self._made()
        except (StopAsyncIteration, ConnectionResetError):
            raise
        if self.clock is not None:
            self.made_at = self.clock.monotonic()
        return chunk

    async def _made(self) -> bytes:
        self._making = asyncio.current_task()
        try:
            return await anext(self._chunks)
        except StopAsyncIteration:
            raise
        except asyncio.CancelledError:
            if self._is_ending and self._making is not None and self._making.uncancel() == 0:
                raise StopAsyncIteration from None
            raise
        except Exception as error:
            self._broke_off(error)
            raise ConnectionResetError("An answer broke off.") from error
        finally:
            self._making = None

    def end(self) -> None:
        """Let the answer end with what was sent."""
        if not self._is_ending:
            self._is_ending = True
            if self._making is not None:
                self._making.cancel()

    async def close(self) -> None:
        """Tell whatever makes the chunks that nobody wants more."""
        if self._is_closed:
            return
        self._is_closed = True
        over, self._over = self._over, []
        try:
            close = getattr(self._chunks, "aclose", None)
            closing = close() if close is not None else None
            if isawaitable(closing):
                await closing
        except Exception as error:  # noqa: BLE001 - it may be the code of an author
            self._broke_off(error)
        finally:
            for call in over:
                call()


class _SentResponse(web.Response):
    """A response, and what makes its body while it is sent."""

    sending: Sending


def as_response(
    sending: Sending, *, status: int = HTTPStatus.OK, headers: Mapping[str, str]
) -> web.Response:
    """The response whose body these chunks are."""
    response = _SentResponse(body=sending, status=status, headers=headers)
    response.sending = sending
    return response


def sending_of(response: web.Response) -> Sending | None:
    """What makes the answer while it is sent, if anything does."""
    return response.sending if type(response) is _SentResponse else None


async def send(
    request: web.BaseRequest, response: web.Response, sending: Sending, caller: Caller | None
) -> None:
    """Make and send the answer; the connection ends with it if more of the request comes.

    Raises `ConnectionResetError` if it breaks off.
    """
    if not request.content.is_eof():
        response.force_close()
    has_body = request.method != "HEAD" and response.status not in _WITHOUT_BODY
    try:
        await response.prepare(request)
        if not has_body:
            await response.write_eof()
            return
        async with while_there(caller), _kept_alive(response, sending):
            await response.write_eof()
    except ConnectionError:
        if request.version < HttpVersion11 and request.transport is not None:
            _reset(request.transport)
        raise
    finally:
        await sending.close()


def _reset(transport: asyncio.Transport) -> None:
    """Break the connection off: where no chunk is missing, its end would be that of the answer."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    transport.abort()


def while_there(caller: Caller | None) -> AbstractAsyncContextManager[object]:
    """What is done meanwhile is cancelled when the caller goes away.

    Raises `ClientGoneError` then.
    """
    return nullcontext() if caller is None else _WhileThere(caller)


class _WhileThere:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._task: asyncio.Task[object] | None = None
        self._has_left = False

    async def __aenter__(self) -> None:
        self._task = asyncio.current_task()
        self._caller.watch(self._left)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        self._caller.unwatch(self._left)
        if self._has_left and self._task is not None:
            is_only_cancel = self._task.uncancel() == 0
            if is_only_cancel and kind is asyncio.CancelledError:
                raise ClientGoneError("The client is gone.") from error

    def _left(self) -> None:
        self._has_left = True
        if self._task is not None:
            self._task.cancel()


def _kept_alive(response: web.Response, sending: Sending) -> AbstractAsyncContextManager[object]:
    return nullcontext() if sending.clock is None else _KeptAlive(response, sending, sending.clock)


class _KeptAlive:
    """Sends the head at once, and a comment whenever nothing was sent for a while."""

    def __init__(self, response: web.Response, sending: Sending, clock: Clock) -> None:
        self._response = response
        self._sending = sending
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._sending.made_at = self._clock.monotonic()
        await self._response.write(b"")
        self._task = asyncio.create_task(self._comment())

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None  # noqa: S101 - made above
        self._task.cancel()
        with suppress(asyncio.CancelledError, ConnectionError):
            await self._task

    async def _comment(self) -> None:
        while True:
            quiet_s = self._clock.monotonic() - self._sending.made_at
            if quiet_s >= KEEP_ALIVE_S:
                await self._response.write(_COMMENT)
                self._sending.made_at = self._clock.monotonic()
                quiet_s = 0.0
            await self._clock.sleep(KEEP_ALIVE_S - quiet_s)
