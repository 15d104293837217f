"""The origin of a request: scheme and host of the URL that its client used.

Behind a proxy that speaks TLS the request itself does not know it. The settings may say it
(`publicUrl`), or name the proxies that are believed (`trustedProxies`): who else sends their
headers would have links made that lead anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from host.http.loopback import is_loopback_name, is_valid_host

_SCHEMES = frozenset({"http", "https"})


class Origins:
    """Tells the origin of requests."""

    def __init__(self, *, public_url: str | None, trusted_proxies: Sequence[str]) -> None:
        self._public_url = public_url
        self._trusted = tuple(ip_network(each, strict=False) for each in trusted_proxies)

    def of(self, request: web.BaseRequest) -> str:
        """The origin, such as `https://hub.example`; the public URL may have a path, too."""
        if self._public_url is not None:
            return self._public_url
        scheme, host = request.scheme, request.headers.get(hdrs.HOST, "")
        if self._trusted and self._is_trusted(request):
            told = _last(request, "X-Forwarded-Proto").lower()
            scheme = told if told in _SCHEMES else scheme
            told = _last(request, "X-Forwarded-Host")
            host = told if told and is_valid_host(told) else host
        return f"{scheme}://{host}"

    def address_of(self, request: web.BaseRequest) -> str:
        """The address it comes from; "" if nobody knows.

        A proxy that is believed tells it, else it is the other end of the connection.
        """
        if self._is_trusted(request):
            told = _last(request, "X-Forwarded-For")
            if _is_address(told):
                return told
        return request.remote or ""

    def is_secure(self, request: web.BaseRequest) -> bool:
        """Whether the client came by https, to another name than one of this machine."""
        origin = urlsplit(self.of(request))
        return origin.scheme == "https" and not is_loopback_name(origin.hostname or "")

    def _is_trusted(self, request: web.BaseRequest) -> bool:
        """Whether the other end of the connection is one of the proxies."""
        if not self._trusted or request.transport is None:
            return False
        peer = request.transport.get_extra_info("peername")
        if not isinstance(peer, tuple):
            return False
        address = ip_address(str(peer[0]).partition("%")[0])
        plain = getattr(address, "ipv4_mapped", None) or address
        return any(plain in network for network in self._trusted)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _last(request: web.BaseRequest, name: str) -> str:
    """The last value: the one of the proxy that is nearest; those before came from anywhere."""
    values = request.headers.getall(name, [])
    return values[-1].rpartition(",")[2].strip() if values else ""
