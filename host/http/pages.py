"""Which requests a web page of another origin made a browser send.

The browser says so: with `Sec-Fetch-Site`, with the `Origin` of everything but plain reading, else
with the `Referer`. A page may lead a person to another one (a link, a bookmark): that is a
top-level navigation, and the only thing that a foreign page may do here.
"""

from __future__ import annotations

from enum import Enum
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from multidict import istr

_SITE: Final = istr("Sec-Fetch-Site")
_OWN_SITES = frozenset({"same-origin", "none"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Source(Enum):
    """Where a request comes from, as far as it says."""

    OWN = "own"
    """A page of this host, a person, or a program that is no browser."""
    NAVIGATION = "navigation"
    """A foreign page leads a person here; what is shown must not change anything."""
    FOREIGN = "foreign"
    """A foreign page sends something or embeds what it gets."""


def source_of(request: web.BaseRequest, host: str | None = None) -> Source:
    """Where the request comes from; `host` is what clients call this one, if not as `Host` does."""
    headers = request.headers
    if hdrs.ORIGIN not in headers and _SITE not in headers and hdrs.REFERER not in headers:
        return Source.OWN  # a program, as most are
    if not _is_foreign(request, headers.get(hdrs.HOST, "") if host is None else host):
        return Source.OWN
    is_navigation = (
        request.method in {"GET", "HEAD"}
        and "Origin" not in headers
        and headers.get("Sec-Fetch-Mode", "").lower() == "navigate"
        and headers.get("Sec-Fetch-Dest", "").lower() == "document"
    )
    return Source.NAVIGATION if is_navigation else Source.FOREIGN


def is_told_own(request: web.BaseRequest) -> bool:
    """Whether the browser itself says that a page of this origin asks."""
    return request.headers.get(_SITE, "").strip().lower() == "same-origin"


def _is_foreign(request: web.BaseRequest, host: str) -> bool:
    headers = request.headers
    origin, site = headers.get(hdrs.ORIGIN), headers.get(_SITE)
    if origin is not None and not _is_at(origin, host):
        return True
    if site is not None:
        return site.strip().lower() not in _OWN_SITES
    referer = headers.get(hdrs.REFERER)
    return origin is None and referer is not None and not _is_at(referer, host)


def _is_at(url: str, host: str) -> bool:
    """Whether the URL's origin is that of the `Host` header. No host ever serves `null`."""
    try:
        page = urlsplit(url)
        own = urlsplit(f"{page.scheme}://{host}")
        default = _DEFAULT_PORTS[page.scheme]
        return page.hostname == own.hostname and (page.port or default) == (own.port or default)
    except (ValueError, KeyError):
        return False
