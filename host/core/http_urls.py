"""URLs that `call_http` may send a request to, in one form that all readers take alike.

Rules of this file: pure. A URL that two parsers could read as two hosts is refused, so that the
host that was looked at is the host that is connected to.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

MAX_URL = 8000
"""Characters: about what servers take as the first line of a request."""

_PORTS = {"http": 80, "https": 443}
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\\]")
_PLACE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:@/?#%]+)(?::(?P<port>\d{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
"""As the last label of a host it makes readers of addresses take the whole for one."""
_SAFE_IN_PATH = "/%:@!$&'()*+,;=~-._"
_SAFE_IN_QUERY = _SAFE_IN_PATH + "?[]|"


class Origin(NamedTuple):
    """Who is asked. What is meant for one origin is sent to no other."""

    scheme: str
    host: str
    port: int


def checked_url(url: str) -> str:
    """The URL in one form, without a fragment. Raises ValueError if no request may go there.

    The texts of the errors go on after "a URL".
    """
    if len(url) > MAX_URL:
        raise ValueError(f"has at most {MAX_URL:,} characters, not {len(url):,}")
    if _CONTROLS.search(url):
        raise ValueError("has no control characters and no backslash")
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        raise ValueError("is one such as https://example.com/items") from None
    if parts.scheme not in _PORTS:
        raise ValueError("begins with http:// or https://")
    path = quote(parts.path, safe=_SAFE_IN_PATH) or "/"
    query = quote(parts.query, safe=_SAFE_IN_QUERY)
    return urlunsplit((parts.scheme, _place(parts), path, query, ""))


def origin_of(url: str) -> Origin:
    """Whom a checked URL asks."""
    parts = urlsplit(url)
    return Origin(parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme])


def location_of(url: str, location: str) -> str:
    """Where a `Location` leads that the answer of this URL has. Raises ValueError as above."""
    try:
        joined = urljoin(url, location.strip())
    except ValueError:
        raise ValueError("is one such as https://example.com/items") from None
    return checked_url(joined)


def shown_url(url: str) -> str:
    """The URL without its query, for messages: what asks for something often has keys in it."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


def literal_address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that this host of a URL is; None for a name. Raises ValueError for neither."""
    if host.startswith("["):
        return IPv6Address(host[1:-1])
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        try:
            return IPv4Address(host)
        except ValueError:
            raise ValueError(
                "with an address has it as four decimal numbers, 192.0.2.1 for example"
            ) from None
    return ip_address(host) if ":" in host else None


def _place(parts: SplitResult) -> str:
    """The host, and the port if it is not the usual one."""
    if "@" in parts.netloc:
        raise ValueError("has no user and no password in it: use headers, or a token_source")
    found = _PLACE.fullmatch(parts.netloc)
    if found is None:
        raise ValueError("has a host, such as https://example.com/items")
    host, port = _host(found["host"]), found["port"]
    number = _PORTS[parts.scheme] if port is None else int(port)
    if not 1 <= number <= 65535:
        raise ValueError("has a port of 1 to 65535")
    return host if number == _PORTS[parts.scheme] else f"{host}:{number}"


def _host(given: str) -> str:
    try:
        if given.startswith("["):
            return f"[{IPv6Address(given[1:-1])}]"
        host = given if given.isascii() else given.encode("idna").decode()
    except (ValueError, UnicodeError):
        raise ValueError("has a host that is a name or an address") from None
    host = host.lower().removesuffix(".")
    if len(host) > 253 or not all(map(_LABEL.fullmatch, host.split("."))):
        raise ValueError("has a host that is a name or an address")
    literal_address(host)
    return host
