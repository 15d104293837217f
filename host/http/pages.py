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


def source_of(request: web.BaseRequest, own: str | None = None) -> Source:
    """Where the request comes from; `own` is the host's origin, if not plain HTTP at its `Host`."""
    headers = request.headers
    if hdrs.ORIGIN not in headers and _SITE not in headers and hdrs.REFERER not in headers:
        return Source.OWN  # a program, as most are
    if not _is_foreign(request, f"http://{headers.get(hdrs.HOST, '')}" if own is None else own):
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


def _is_foreign(request: web.BaseRequest, own: str) -> bool:
    headers = request.headers
    origin, site = headers.get(hdrs.ORIGIN), headers.get(_SITE)
    if origin is not None and not _is_at(origin, own):
        return True
    if site is not None:
        return site.strip().lower() not in _OWN_SITES
    referer = headers.get(hdrs.REFERER)
    return origin is None and referer is not None and not _is_at(referer, own)


def _is_at(url: str, own: str) -> bool:
    """Whether the URL is of this origin: scheme, name and port. No host ever serves `null`."""
    try:
        return _origin(url) == _origin(own)
    except (ValueError, KeyError):
        return False


def _origin(url: str) -> tuple[str, str | None, int]:
    """Raises ValueError and KeyError for what is no URL of a page."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme]
