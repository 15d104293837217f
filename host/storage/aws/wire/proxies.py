"""Which proxy leads to a server, by the environment variables that most programs honour.

`HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, in upper or lower case. Rules of this file: nothing is
sent from here. What cannot be honoured is refused, never passed over: where a proxy is demanded,
the straight way is closed or forbidden.
"""

from __future__ import annotations

from base64 import b64encode
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from host.errors import ConfigurationError


class Proxy(NamedTuple):
    """An HTTP proxy, spoken to without TLS. `headers` are for it alone."""

    host: str
    port: int
    headers: dict[str, str]

    def connect_request(self, host: str, port: int) -> bytes:
        """Asks the proxy to pass bytes on to a server, and back."""
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        headers = {"host": address, **self.headers}
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        return f"CONNECT {address} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def proxy_for(server: SplitResult) -> Proxy | None:
    """The proxy that leads to a server; None if none does. Raises `ConfigurationError`."""
    address = getproxies_environment().get(server.scheme)
    if not address or proxy_bypass(server.netloc):
        return None
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        port = parts.port or 80
    except ValueError:
        raise _unusable(server) from None  # the cause would show a password
    if parts.scheme != "http" or not parts.hostname:
        raise _unusable(server)
    return Proxy(parts.hostname, port, _authorization(parts))


def _authorization(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    user = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"proxy-authorization": f"Basic {b64encode(user.encode()).decode()}"}


def _unusable(server: SplitResult) -> ConfigurationError:
    return ConfigurationError(
        f"{server.scheme.upper()}_PROXY cannot be used for {server.netloc}: it is to be "
        "'http://host:port', with 'user:password@' before the host if the proxy asks for it. "
        "Servers that are reached without a proxy are listed in NO_PROXY."
    )
