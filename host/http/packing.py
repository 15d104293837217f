"""Packing large answers, for clients that say that they unpack them.

Nothing is packed that holds a token of the host's: from the size of a packed answer that also holds
what somebody else chose, a secret in it can be guessed (BREACH).
"""

from __future__ import annotations

import asyncio
import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from http import HTTPStatus
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from host.http.varying import add_vary

MIN_BYTES: Final = 1024
"""Smaller answers go out in one piece anyway, and nobody asks to have them packed."""
_INLINE_BYTES: Final = 16_384
"""Up to so much is packed on the loop: a tenth of a millisecond or two."""
_LEVEL: Final = 4
_GZIP_BITS: Final = 31
_TEXTS: Final = re.compile(
    r"text/(?!event-stream)|application/(json|javascript|xml|x-ndjson|wasm)\b|image/svg\+xml"
    r"|[^;]+\+(json|xml)\b"
)
_NOT_PACKED: Final = ("Content-Encoding", "Content-Range")
_ACCEPTED: Final = re.compile(r"(?:^|,)\s*(gzip|x-gzip|\*)\s*(?:;\s*q\s*=\s*([0-9.]+)\s*)?(?=,|$)")


async def pack(request: web.BaseRequest, response: web.Response, body: bytes) -> None:
    """Pack the body of this answer, if that is worth it and its client takes it."""
    if not _may_be_packed(response):
        return
    add_vary(response.headers, "Accept-Encoding")
    if not takes_gzip(request.headers.getall("Accept-Encoding", [])):
        return
    packed = await _packed(body)
    if len(packed) >= len(body):
        return
    response.body = packed
    response.headers["Content-Encoding"] = "gzip"
    _weaken_tag(response.headers)


def takes_gzip(accepted: list[str]) -> bool:
    """Whether these `Accept-Encoding`s allow gzip: by its name, which comes first, or by `*`."""
    shares = {
        found[1].replace("x-gzip", "gzip"): found[2] is None or float_of(found[2]) > 0
        for found in _ACCEPTED.finditer(",".join(accepted).lower())
    }
    return shares.get("gzip", shares.get("*", False))


def float_of(text: str) -> float:
    """A share, 0 if it is none."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def _may_be_packed(response: web.Response) -> bool:
    headers = response.headers
    return (
        _TEXTS.match(headers.get("Content-Type", "").lower()) is not None
        and response.status != HTTPStatus.PARTIAL_CONTENT
        and not response.compression
        and not any(name in headers for name in _NOT_PACKED)
        and "no-transform" not in headers.get("Cache-Control", "").lower()
    )


def _weaken_tag(headers: CIMultiDict[str]) -> None:
    """What is packed is not the same bytes any more."""
    tag = headers.get("ETag")
    if tag is not None and tag.startswith('"'):
        headers["ETag"] = f"W/{tag}"


async def _packed(body: bytes) -> bytes:
    if len(body) <= _INLINE_BYTES:
        return _gzip(body)
    return await asyncio.get_running_loop().run_in_executor(_thread(), _gzip, body)


def _gzip(body: bytes) -> bytes:
    packing = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_BITS)
    return packing.compress(body) + packing.flush()


@cache
def _thread() -> ThreadPoolExecutor:
    """One thread for all answers: as many as there may be would keep the loop from its turn."""
    return ThreadPoolExecutor(1, "funchost-packing")
