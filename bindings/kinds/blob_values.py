"""What a function gets of a blob, by its parameter's annotation, and what is written of a value.

`InputStream` (or nothing) is the blob as a stream, `bytes` and `str` are all of it, and every other
type is what its JSON is read as. A stream, an iterator of pieces, `bytes` and `str` are written as
they are, and every other value as JSON.
"""

from __future__ import annotations

import asyncio
import io
import typing
from codecs import BOM_UTF8
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from inspect import isawaitable
from typing import Any, BinaryIO, Final, TypeAlias

from bindings.azure_names import of_azure
from bindings.blobs import CHUNK_BYTES, InputStream
from bindings.errors import (
    BlobTooLargeError,
    FunctionDefinitionError,
    InvalidArgumentError,
    SerializationError,
)
from bindings.hints import alternatives
from bindings.kinds.blobs import BlobRules, OpenBlob
from bindings.kinds.records import Call, JsonReader

STRING, BINARY, STREAM = "string", "binary", "stream"
DATA_TYPES: Final = {STRING: str, BINARY: bytes, STREAM: InputStream, "undefined": None}
"""What `dataType` means where there is no annotation."""

_STREAMS: Final = (Any, object, InputStream, BinaryIO, typing.IO[bytes])
_END: Final = object()

Read: TypeAlias = Callable[[OpenBlob, str, BlobRules, Call], Awaitable[object]]
"""Makes the argument of an open blob, which has this path. It closes the blob, or the call does."""


def reading(hint: Any, parameter: str) -> Read:
    """How a parameter with this annotation gets a blob.

    Raises `FunctionDefinitionError` for a type that no blob can be read as.
    """
    kinds = list(alternatives(hint))
    if not kinds or any(map(_is_stream, kinds)):
        return _stream
    if kinds in ([bytes], [bytearray]):
        kind = kinds[0]
        return partial(_whole, lambda content, _path, _json: kind(content))
    if kinds == [str]:
        return partial(_whole, lambda content, path, _json: _text(content, path))
    _check_type(hint, parameter)
    return partial(_whole, lambda content, path, json: _value(content, path, json, hint))


async def parts_of(
    value: object, call: Call, what: str, rules: BlobRules
) -> AsyncGenerator[bytes, None]:
    """The bytes to write for a value, in pieces. `what` names the value in errors.

    Raises `SerializationError`, `BlobTooLargeError`, and what a stream or an iterator raises.
    """
    if isinstance(value, str | bytes | bytearray | memoryview):
        yield _bounded(_bytes(value, what), what, rules)
        return
    pieces = _pieces(value, what)
    if pieces is None:
        text = await asyncio.to_thread(call.json.to_payload, value, what)
        yield _bounded((text or "null").encode(), what, rules)
        return
    written = 0
    async for piece in pieces:
        part = _bytes(piece, what)
        written += len(part)
        if written > rules.max_blob_bytes:
            raise BlobTooLargeError(what, written, rules.max_blob_bytes, "maxBlobBytes")
        if part:
            yield part


def _is_stream(kind: Any) -> bool:
    is_class = isinstance(kind, type)
    return kind in _STREAMS or (
        is_class and (issubclass(kind, io.IOBase) or of_azure(kind) is not None)
    )


def _check_type(hint: Any, parameter: str) -> None:
    from pydantic import TypeAdapter  # noqa: PLC0415 - clients of other programs need none of it

    try:
        TypeAdapter(hint)
    except Exception as error:  # building it runs the author's code: anything may be raised
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise FunctionDefinitionError(
            f"The parameter '{parameter}' gets a blob, which cannot be read as "
            f"{getattr(hint, '__name__', None) or hint} ({reason.rstrip('.')}): annotate it with "
            "InputStream, str, bytes, or a type that JSON can be read as."
        ) from error


# ---- reading -----------------------------------------------------------------------------------


async def _stream(blob: OpenBlob, path: str, _: BlobRules, call: Call) -> InputStream:
    facts = blob.facts
    stream = InputStream(
        blob,
        name=path,
        uri=facts.uri,
        length=facts.length,
        etag=facts.etag,
        last_modified=facts.last_modified,
        metadata=facts.metadata,
    )
    call.at_end.append(stream.close)
    return stream


async def _whole(
    read: Callable[[bytes, str, JsonReader], object],
    blob: OpenBlob,
    path: str,
    rules: BlobRules,
    call: Call,
) -> object:
    """All of it as one value, made in a thread: it may take a while."""
    return await asyncio.to_thread(
        lambda: read(_content(blob, path, rules.max_value_bytes), path, call.json)
    )


def _content(blob: OpenBlob, path: str, limit: int) -> bytes:
    what = f"The blob '{path}'"
    try:
        if blob.facts.length > limit:
            raise BlobTooLargeError(what, blob.facts.length, limit, "maxValueBytes")
        content = bytearray()
        while piece := blob.read(CHUNK_BYTES):
            content += piece
            if len(content) > limit:  # somebody writes on
                raise BlobTooLargeError(what, len(content), limit, "maxValueBytes")
        return bytes(content)
    finally:
        blob.close()


def _text(content: bytes, path: str) -> str:
    try:
        return content.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise SerializationError(
            f"The blob '{path}' is no text in UTF-8 ({error.reason} at byte {error.start}): "
            "annotate its parameter with bytes or InputStream."
        ) from error


def _value(content: bytes, path: str, json: JsonReader, hint: Any) -> object:
    return json.from_payload(_text(content, path), hint, f"The blob '{path}'")


# ---- writing -----------------------------------------------------------------------------------


def _pieces(value: Any, what: str) -> AsyncIterator[Any] | None:
    """The pieces of a stream or an iterator; None of another value."""
    if isinstance(value, io.TextIOBase) or hasattr(value, "read"):
        return _of_reader(value, what)
    if hasattr(value, "__aiter__"):
        return value.__aiter__()  # type: ignore[no-any-return]
    return _of_iterator(value) if isinstance(value, Iterator) else None


async def _of_reader(reader: Any, what: str) -> AsyncIterator[Any]:
    if not callable(reader.read):
        raise SerializationError(f"{what} has a 'read' that cannot be called.")
    while True:
        piece = await asyncio.to_thread(reader.read, CHUNK_BYTES)
        piece = await piece if isawaitable(piece) else piece
        if not piece:
            return
        yield piece


async def _of_iterator(iterator: Iterator[Any]) -> AsyncIterator[Any]:
    while (piece := await asyncio.to_thread(next, iterator, _END)) is not _END:
        yield piece


def _bytes(piece: object, what: str) -> bytes:
    match piece:
        case bytes():
            return piece
        case bytearray() | memoryview():
            return bytes(piece)
        case str():
            try:
                return piece.encode()
            except UnicodeEncodeError as error:
                raise SerializationError(f"{what} cannot be written as UTF-8: {error}") from error
    raise InvalidArgumentError(
        f"{what} has a piece that is no bytes and no text but {type(piece).__name__}."
    )


def _bounded(content: bytes, what: str, rules: BlobRules) -> bytes:
    if len(content) > rules.max_value_bytes:
        raise BlobTooLargeError(what, len(content), rules.max_value_bytes, "maxValueBytes")
    return content
