"""The bodies of requests: received in time, unpacked in bounds, and all together within a budget.

A body is read only after somebody has decided that its sender may do what it asks. Nothing is
unpacked while it comes in. What is held of a body counts until its request is answered; if all
bodies together would be more than the budget, the largest one that is still coming in makes room:
who sends little is served while others send a lot, or never end.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from math import inf

from aiohttp import HttpVersion11, StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError

from bindings.errors import InvalidArgumentError, PayloadTooLargeError
from host.http.refusals import RefusalError
from host.http.unpacking import Unpacker, in_thread_if_large, is_known

_WHAT = "The request's body"
_SETTING = "funchost.http.maxBodyBytesInFlight in host.json"
_PACE_BYTES = 10_240
_PACE_S = 10.0
"""Each so many bytes come within so many seconds, or the client is not really sending."""
_SLICE_BYTES = 65_536


class OverloadedError(RefusalError):
    """The host holds as much as it may; the same request may be served a moment later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    summary = "The host is busy; try again later"


class LateBodyError(RefusalError):
    """The body did not come in time."""

    status = HTTPStatus.REQUEST_TIMEOUT
    summary = "The content came too slowly"


class LostBodyError(RefusalError):
    """The rest of the body never comes: its client went away, or was answered."""

    status = HTTPStatus.BAD_REQUEST
    summary = "The content did not come as a whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """The bytes of all bodies together, and the seconds that one may take to come in."""

    bytes_in_flight: int
    timeout_s: float


class BodyBudget:
    """Counts the bytes of all bodies that are held."""

    def __init__(self, limits: BodyLimits) -> None:
        self.timeout_s = limits.timeout_s
        self._limit = limits.bytes_in_flight
        self._used = 0
        self._coming_in: set[HeldBody] = set()

    @property
    def used(self) -> int:
        """The bytes that are held right now."""
        return self._used

    def receiving(self, body: HeldBody) -> None:
        """The body comes in from now on, and may have to make room."""
        self._coming_in.add(body)

    def received(self, body: HeldBody) -> None:
        """Nothing more comes in."""
        self._coming_in.discard(body)

    def take(self, body: HeldBody, size: int) -> None:
        """Hold `size` bytes more of the body.

        Raises `OverloadedError` if nothing makes room, `PayloadTooLargeError` if nothing could.
        """
        if body.size + size > self._limit:
            raise PayloadTooLargeError(_WHAT, body.size + size, self._limit, _SETTING)
        while self._used + size > self._limit:
            largest = max(self._coming_in, key=lambda each: each.size, default=None)
            if largest is None or largest.size <= body.size:
                raise OverloadedError(
                    "The host holds as many bytes of requests as it may; try again later."
                )
            self._coming_in.discard(largest)
            largest.give_up()
        self._used += size
        body.size += size

    def give_back_some(self, body: HeldBody, size: int) -> None:
        """Hold so many bytes less of the body."""
        self._used -= size
        body.size -= size

    def give_back(self, body: HeldBody) -> None:
        """Hold nothing more of the body."""
        self._coming_in.discard(body)
        self._used -= body.size
        body.size = 0


class HeldBody:
    """The body of one request. `size` is what the budget holds of it."""

    size = 0
    is_unpacked = False
    """Whether it came packed and is not any more."""
    owes_rest = False
    """Of what is read piece by piece: whether the last one was only the beginning of a line."""
    _has_given_up = False
    _is_over = False
    _setting: str | None = None

    def __init__(self, request: web.BaseRequest, budget: BodyBudget) -> None:
        self._request = request
        self._budget = budget

    def give_up(self) -> None:
        """Make room for others."""
        self._has_given_up = True
        self._budget.give_back(self)
        self._request.content.set_exception(OverloadedError("Others need the room."))

    def release(self) -> None:
        """The request is answered: nothing more of it is held."""
        self._is_over = True
        self._budget.give_back(self)

    async def read(
        self, limit: int, setting: str | None = None, *, keeps_unknown_encodings: bool = False
    ) -> bytes:
        """The whole body, unpacked.

        Raises `PayloadTooLargeError` beyond `limit` bytes, packed or not, which names the `setting`
        that the limit has, `InvalidArgumentError` if the body is not encoded as it says,
        `UnknownEncodingError` unless these are kept as they are, `LateBodyError`, and
        `OverloadedError`.
        """
        self._setting = setting
        unpacker = self._unpacker(keeps_unknown=keeps_unknown_encodings)
        packed = await self._receive(limit)
        if not self.is_packed or not packed:
            return packed
        unpacked = await self._unpack(packed, unpacker, limit)
        self.is_unpacked = True
        return unpacked

    @property
    def is_packed(self) -> bool:
        """Whether it comes packed in a way that is known here."""
        return is_known(self._encoding())

    async def stream(self, limit: int) -> AsyncGenerator[bytes]:
        """The body piece by piece, unpacked unless it is packed in an unknown way.

        It comes at the pace of any other, by the time that somebody waits for it, and of all of it
        only the piece is held that was given last. Raises what `read` does.
        """
        declared = self._request.content_length
        if declared is not None and declared > limit:
            raise PayloadTooLargeError(_WHAT, declared, limit, None)
        unpacker = self._unpacker(keeps_unknown=True)
        self.owes_rest = True
        size = 0
        async with aclosing(self._pieces(unpacker, _Pace(self._budget.timeout_s))) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > limit:
                    raise PayloadTooLargeError(_WHAT, size, limit, None)
                self.hold(len(piece))
                yield piece
        self.hold(0)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body piece by piece, unpacked; nothing of it is held but what `hold` says.

        Each piece has its own time to come; but as long as the reader says that it `owes_rest`, the
        body comes at the pace of any other. Who sends whole lines may take time between them, and
        who only drips keeps nobody busy. Raises what `read` does, but for its limit.
        """
        async with aclosing(self._pieces(self._unpacker(), _Pace())) as pieces:
            async for piece in pieces:
                yield piece

    def _unpacker(self, *, keeps_unknown: bool = False) -> Unpacker:
        encoding = self._encoding()
        return Unpacker("" if keeps_unknown and not is_known(encoding) else encoding)

    def _encoding(self) -> str:
        return self._request.headers.get("Content-Encoding", "").strip().lower()

    async def _pieces(self, unpacker: Unpacker, pace: _Pace) -> AsyncGenerator[bytes]:
        await self._ask_for_it()
        self._budget.receiving(self)
        try:
            is_empty = True
            while True:
                async with asyncio.timeout(self._budget.timeout_s):
                    packed = await pace.next(self._request.content, is_owed=self.owes_rest)
                if not packed:
                    break
                is_empty = False
                for piece in unpacker.unpack(packed):
                    yield piece
                    await asyncio.sleep(0)  # what packs a lot keeps nobody else waiting
            if not (is_empty or unpacker.is_whole):
                raise InvalidArgumentError("The request's body ends before or after what it packs.")
        except TimeoutError:
            raise LateBodyError("The request's body did not come in time.") from None
        except (ConnectionError, web.PayloadAccessError) as error:
            raise LostBodyError("Its client went away, or its request is over.") from error
        except (HttpProcessingError, web.RequestPayloadError, zlib.error) as error:
            raise InvalidArgumentError("The request's body is not encoded as it says.") from error
        finally:
            self._budget.received(self)

    def hold(self, size: int) -> None:
        """So many bytes of it are held from now on. Raises what `BodyBudget.take` does."""
        if self._is_over:
            raise LostBodyError("Its request is over.")
        if size > self.size:
            self._budget.take(self, size - self.size)
        else:
            self._budget.give_back_some(self, self.size - size)
        if self._has_given_up:
            raise OverloadedError("The host holds as many bytes of requests as it may.")

    # ---- coming in ----------------------------------------------------------------------------

    async def _receive(self, limit: int) -> bytes:
        declared, content = self._request.content_length, self._request.content
        if declared is not None and declared > limit:
            raise PayloadTooLargeError(_WHAT, declared, limit, self._setting)
        if content.is_eof() and content.exception() is None:  # nearly always: it came with the head
            data = content.read_nowait()
            self._grow(len(data), limit)
            return data
        await self._ask_for_it()
        into = BytesIO()  # gives its bytes without a copy
        self._budget.receiving(self)
        try:
            await self._receive_into(into, limit)
            return into.getvalue()
        except TimeoutError:
            raise LateBodyError("The request's body did not come in time.") from None
        except (HttpProcessingError, web.RequestPayloadError) as error:
            raise InvalidArgumentError("The request's body is not encoded as it says.") from error
        finally:
            into.close()  # frees the bytes even if an error's traceback outlives this
            self._budget.received(self)

    async def _ask_for_it(self) -> None:
        """Tell a client that waits for it to send the body."""
        request = self._request
        if "Expect" in request.headers and request.version == HttpVersion11:
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0  # the answer proper has not begun

    async def _receive_into(self, into: BytesIO, limit: int) -> None:
        async with asyncio.timeout(self._budget.timeout_s):
            is_all = False
            while not is_all:
                async with asyncio.timeout(_PACE_S):
                    is_all = await self._receive_some(into, limit)

    async def _receive_some(self, into: BytesIO, limit: int) -> bool:
        """Receive what must come within `_PACE_S`. True if it is the end."""
        wanted = into.tell() + _PACE_BYTES
        while into.tell() < wanted:
            chunk = await self._request.content.readany()
            if not chunk:
                return True
            self._grow(len(chunk), limit)
            into.write(chunk)
        return False

    def _grow(self, size: int, limit: int, already: int | None = None) -> None:
        total = size + (self.size if already is None else already)
        if total > limit:
            raise PayloadTooLargeError(_WHAT, total, limit, self._setting)
        self._budget.take(self, size)
        if self._has_given_up:
            raise OverloadedError("The host holds as many bytes of requests as it may.")

    # ---- unpacking ----------------------------------------------------------------------------

    async def _unpack(self, packed: bytes, unpacker: Unpacker, limit: int) -> bytes:
        """Unpack piece by piece: each is charged before the next one is made."""
        into = BytesIO()
        try:
            for start in range(0, len(packed), _SLICE_BYTES):
                pieces = unpacker.unpack(packed[start : start + _SLICE_BYTES])
                while piece := await in_thread_if_large(len(packed), next, pieces, b""):
                    self._grow(len(piece), limit, already=into.tell())
                    into.write(piece)
            if not unpacker.is_whole:
                raise InvalidArgumentError("The request's body ends before or after what it packs.")
            return into.getvalue()
        except zlib.error as error:
            raise InvalidArgumentError("The request's body is not encoded as it says.") from error
        finally:
            into.close()


class _Pace:
    """How fast a body comes, by the time that somebody waited for it: work on it does not count.

    `in_all_s` are the seconds that may be waited for all of it.
    """

    def __init__(self, in_all_s: float = inf) -> None:
        self._left_in_all_s = in_all_s
        self._begin()

    def _begin(self) -> None:
        self._left_s, self._left_bytes = _PACE_S, _PACE_BYTES

    async def next(self, content: StreamReader, *, is_owed: bool) -> bytes:
        """What comes next. Raises TimeoutError if it `is_owed`, and comes too slowly."""
        if not is_owed:
            self._begin()
            return await content.readany()
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(min(self._left_s, self._left_in_all_s)):
            data = await content.readany()
        waited_s = asyncio.get_running_loop().time() - began
        self._left_s -= waited_s
        self._left_in_all_s -= waited_s
        self._left_bytes -= len(data)
        if self._left_bytes <= 0:
            self._begin()
        return data
