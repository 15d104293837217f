"""What a function's `StreamingResponse` or `EventStream` gives, as chunks of an answer.

A plain iterator takes its steps in threads, as a plain function runs: it may block. Each step may
be in another thread, so that a client that reads slowly keeps none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from functools import partial
from inspect import isawaitable
from typing import Any, Final

from bindings.events import EventStream, ServerSentEvent
from bindings.streams import StreamingResponse
from host.clock import Clock
from host.core.converter import Converter
from host.functions.invocation import Invoker
from host.http.event_streams import EventStreams
from host.http.functions.response_fields import FunctionResponseError
from host.http.sending import Sending

_END: Final = object()
_Encode = Callable[[Any], bytes]


class StreamMaker:
    """Makes answers that are made while they are sent, and ends those that would never end."""

    def __init__(self, *, invoker: Invoker, converter: Converter, clock: Clock) -> None:
        self._invoker = invoker
        self._converter = converter
        self._clock = clock
        self._events = EventStreams()

    def sending(self, value: StreamingResponse, broke_off: Callable[[Exception], None]) -> Sending:
        """The chunks of this response; `broke_off` is told what they raise."""
        is_events = isinstance(value, EventStream)
        encode = self._event if is_events else partial(_chunk, charset=value.charset)
        source = self._source(value.content, broke_off)
        if not is_events:
            return Sending(_Chunks(source, encode), broke_off)
        sending = Sending(_Chunks(source, encode), broke_off, self._clock)
        self._events.add(sending)
        return sending

    def end_events(self) -> None:
        """Let all streams of events end: pages that read them come back to another host."""
        self._events.end()

    def _source(
        self, content: AsyncIterable[Any] | Iterable[Any], broke_off: Callable[[Exception], None]
    ) -> AsyncIterator[Any]:
        if isinstance(content, AsyncIterable):
            return aiter(content)
        return _InThreads(content, self._invoker, broke_off)

    def _event(self, value: Any) -> bytes:
        event = value if isinstance(value, ServerSentEvent) else ServerSentEvent(value)
        if event.data is None:
            return event.encode("null" if event is not value else None)
        if isinstance(event.data, str):
            return _written(event.encode, event.data)
        return event.encode(self._converter.to_payload(event.data, "An event's data"))


class _Chunks:
    """The values of a source as bytes; empty ones are passed over."""

    def __init__(self, source: AsyncIterator[Any], encode: _Encode) -> None:
        self._source = source
        self._encode = encode

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while True:
            chunk = self._encode(await anext(self._source))
            if chunk:  # an empty one would look like the end
                return chunk

    async def aclose(self) -> None:
        close = getattr(self._source, "aclose", None)
        closing = None if close is None else close()
        if isawaitable(closing):
            await closing


class _InThreads:
    """A plain iterator, whose steps run in threads, one at a time."""

    def __init__(
        self, content: Iterable[Any], invoker: Invoker, broke_off: Callable[[Exception], None]
    ) -> None:
        self._content = content
        self._invoker = invoker
        self._broke_off = broke_off
        self._iterator: Iterator[Any] | None = None
        self._step: asyncio.Future[object] | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        value = await self._run(self._next)
        if value is _END:
            raise StopAsyncIteration
        return value

    async def aclose(self) -> None:
        """Close it, as soon as the step that runs is over: nothing can stop that."""
        if self._step is None or self._step.done():
            await self._run(self._close)
        else:
            self._step.add_done_callback(lambda _: self._invoker.submit(self._close, self._closed))

    async def _run(self, call: Callable[[], object]) -> object:
        self._step = asyncio.ensure_future(self._invoker.in_thread(call))
        return await asyncio.shield(self._step)

    def _next(self) -> object:
        if self._iterator is None:
            self._iterator = iter(self._content)
        return next(self._iterator, _END)

    def _close(self) -> None:
        close = getattr(self._iterator, "close", None)
        if callable(close):
            close()

    def _closed(self, _: object, error: BaseException | None) -> None:
        if isinstance(error, Exception):
            self._broke_off(error)


def _chunk(value: Any, *, charset: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return _written(partial(str.encode, encoding=charset), value)
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    raise FunctionResponseError(
        f"A chunk of the answer is bytes or a text, not {type(value).__name__}: events, and values "
        "that are to be JSON, go into an EventStream."
    )


def _written(encode: Callable[[str], bytes], text: str) -> bytes:
    try:
        return encode(text)
    except (UnicodeError, LookupError) as error:
        raise FunctionResponseError(f"A part of the answer cannot be written: {error}") from error
