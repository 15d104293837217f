"""What a server of ours serves: one handler for all requests.

aiohttp's own application has a table of routes and a chain of handlers, which cost more than this
host's own way to a function; all that is needed of it is less than a page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import hdrs, web

SERVER: Final = "funchost"
"""What the header `Server` says: nothing of versions."""


async def _nothing() -> None:
    """There is nothing to wait for."""


def _name_server(_: web.BaseRequest, response: web.Response) -> None:
    response.headers.setdefault(hdrs.SERVER, SERVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpApp:
    """A handler, and what it does when its server ends."""

    handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
    finish: Callable[[web.BaseRequest, web.Response], None] = _name_server
    """Adds the headers of all answers to one of the server itself."""
    begin_end: Callable[[], None] = lambda: None
    """Called when nobody is let in any more, and requests are still answered."""
    end: Callable[[], Awaitable[None]] = _nothing
    """Called when all requests are answered."""
