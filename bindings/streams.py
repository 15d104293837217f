"""Bodies that are never held as a whole: of requests as they come, of answers as they are made."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

from multidict import CIMultiDict

from bindings.http import GivenHeaders, RequestHead, header_fields

Chunks = AsyncIterable[bytes] | Iterable[bytes]


@dataclass(frozen=True, kw_only=True)
class StreamingRequest(RequestHead):
    """A request whose body comes while the function runs.

    An `async def` function gets it whose parameter is annotated with it. `chunks` are the parts of
    the body, for tests of such functions.
    """

    chunks: Chunks = ()
    _begun: list[bool] = field(default_factory=list, init=False, repr=False, compare=False)

    async def stream(self) -> AsyncIterator[bytes]:
        """The body in chunks as they come, unpacked: `async for chunk in req.stream()`.

        Raises `RequestBodyError` if the rest does not come, is larger than the host takes, or is
        not packed as it says; if the function does not catch it, the host answers with its
        `status`. A second call raises RuntimeError: what came is not kept.
        """
        if self._begun:
            raise RuntimeError(
                "The body of a StreamingRequest comes only once: keep what you need."
            )
        self._begun.append(True)
        if isinstance(self.chunks, AsyncIterable):
            async for chunk in self.chunks:
                yield chunk
        else:
            for chunk in self.chunks:
                yield chunk


@dataclass(slots=True, init=False)
class StreamingResponse:
    """An answer whose body is made while it is sent: no more of it is held than the client reads.

    `content` gives chunks (bytes or texts), as an async iterator or as a plain one, whose steps run
    in threads. It is closed when all is sent, and when the client goes away. If it raises, the
    answer breaks off so that its client notices; before its first chunk, the answer is a 500.
    """

    content: AsyncIterable[Any] | Iterable[Any]
    status_code: int = 200
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    mimetype: str = ""
    charset: str = "utf-8"

    def __init__(
        self,
        content: AsyncIterable[Any] | Iterable[Any],
        status_code: int = 200,
        headers: GivenHeaders = None,
        mimetype: str | None = None,
        charset: str | None = None,
    ) -> None:
        """Raises TypeError for content that is not made in chunks."""
        is_whole = isinstance(content, str | bytes | bytearray | memoryview)
        if is_whole or not isinstance(content, AsyncIterable | Iterable):
            raise TypeError(
                f"The content of a {type(self).__name__} is an iterator of chunks, not "
                f"{type(content).__name__}: an HttpResponse takes a body as a whole."
            )
        self.content = content
        self.status_code = status_code
        self.headers = header_fields(headers)
        self.mimetype = mimetype or "text/plain"
        self.charset = charset or "utf-8"
