"""Containers of blobs, as bindings know them: to read from, to write to, to look through.

What all containers promise: a blob is written as a whole or not at all, and who has opened one
reads it as it was then, whatever is written meanwhile. Names keep to `bindings.blob_names`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobRules:
    """What host.json says of blobs."""

    max_value_bytes: int = 64 * 1024 * 1024
    """A blob that is read or written as one value has at most so many bytes."""
    max_blob_bytes: int = 10 * 1024 * 1024 * 1024
    """One that is written in pieces has at most so many bytes."""
    max_parallel: int = 8
    """So many blobs are worked on at once for one function of a host."""
    max_tries: int = 5
    """A blob that a function has failed on so often is not tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobFacts:
    """What is known of a blob."""

    name: str
    """Within its container."""
    length: int
    """Its bytes."""
    uri: str
    etag: str
    """What is another one when the blob has changed."""
    last_modified: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)


class OpenBlob(Protocol):
    """A blob that is being read. Close it. Its methods may block: they are for threads."""

    @property
    def facts(self) -> BlobFacts:
        """What is known of it."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most so many; none at the end. Raises `FunchostError`."""

    def close(self) -> None:
        """Let go of it. Idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenBlob:
    """A blob as a look through its container saw it."""

    name: str
    etag: str
    changed_ns: int
    """When it was changed, by the clock of the file system, in nanoseconds since 1970."""


class BlobFolder(Protocol):
    """A container that nobody tells of new blobs: whoever wants to know looks through it."""

    def look(self, fits: Callable[[str], bool]) -> Sequence[SeenBlob]:
        """The blobs whose names fit, in any order. Blocks. Raises `FunchostError`."""

    def follow(self, written: Callable[[SeenBlob], None]) -> Callable[[], None]:
        """Be told, on the event loop, of each blob that this host writes; gives what ends it."""


class BlobContainer(Protocol):
    """A container. Nothing is asked of a service until it is used."""

    @property
    def name(self) -> str:
        """As bindings have it."""

    @property
    def rules(self) -> BlobRules:
        """What the host's settings say of blobs."""

    @property
    def folder(self) -> BlobFolder | None:
        """How to look for new blobs; None where their queue of notifications brings them."""

    async def open(self, name: str) -> OpenBlob | None:
        """The blob, to be read; None if there is none.

        Raises `InvalidArgumentError` for a name that cannot be, another `FunchostError` if the
        container is not there or does not answer.
        """

    async def write(self, name: str, parts: AsyncIterator[bytes]) -> None:
        """Write it, in place of one that is there. What the parts raise leaves that one as it is.

        Raises as `open` does.
        """
