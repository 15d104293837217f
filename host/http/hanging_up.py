"""Answering a client that has not sent all of its body, and closing the connection.

What it still sends is read for a moment and thrown away: a connection that is closed while bytes
arrive is reset, and the answer may be lost with it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

_THROWN_AWAY_BYTES = 262_144
_THROWN_AWAY_S = 1.0


async def hang_up(request: web.BaseRequest, response: web.Response) -> None:
    """Send the answer to a request whose body has not come to its end, as the last one."""
    response.force_close()
    await response.prepare(request)
    await response.write_eof()
    if "Expect" in request.headers:
        return  # it may wait to be asked, and was not
    left = _THROWN_AWAY_BYTES
    with suppress(Exception):  # whatever is wrong with it, it is not wanted
        async with asyncio.timeout(_THROWN_AWAY_S):
            while left > 0 and (chunk := await request.content.readany()):
                left -= len(chunk)
