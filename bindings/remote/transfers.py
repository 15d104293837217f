"""Lines of instances between hubs: exported, and imported."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable

import pydantic_core

from bindings.client import ImportedInstance, one_by_one
from bindings.errors import HostUnavailableError, InvalidArgumentError
from bindings.exports import Wholeness


def imported_of(line: bytes) -> ImportedInstance:
    """What a host says of a line of an import."""
    said = pydantic_core.from_json(line)
    return ImportedInstance(
        line=int(said["line"]),
        status=str(said.get("status", "failed")),
        instance_id=said.get("instanceId"),
        error=said.get("error"),
    )


async def ended_lines(
    lines: AsyncIterable[bytes | str] | Iterable[bytes | str],
) -> AsyncIterator[bytes]:
    """The lines, each with its end; one that was decoded is taken, too."""
    async for line in one_by_one(lines):
        data = line.encode() if isinstance(line, str) else line
        yield data if data.endswith(b"\n") else data + b"\n"


async def whole(lines: AsyncIterator[bytes], url: str) -> AsyncIterator[bytes]:
    """The lines of an export.

    Raises `HostUnavailableError` after them if the last says nothing of an end, or of another: then
    some are missing.
    """
    come, has_any = Wholeness(), False
    async for line in lines:
        has_any = True
        yield line
        try:
            come.see(line)
        except InvalidArgumentError as error:
            raise HostUnavailableError(f"That is not the whole export of {url}: {error}") from error
    if has_any and not come.is_whole:
        raise HostUnavailableError(
            f"That is not the whole export of {url}: its last line is missing. Its host, or what "
            "is between, broke off."
        )
