"""What counts as this machine: the names and addresses that never leave it.

A host without keys trusts whoever can reach its loopback address. A web page cannot, unless it gets
the browser to send its own name there (DNS rebinding), which shows in `Host`; requests that pages
of other sites send are `host/http/pages.py`'s.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

_KEPT = 256
"""So many different `Host` headers are remembered: nearly all requests have the same."""
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<name>[A-Za-z0-9._~-]+))(?::[0-9]{1,5})?")


@lru_cache(_KEPT)
def is_valid_host(host: str) -> bool:
    """Whether a `Host` header is a name or address, with or without a port."""
    return _HOST.fullmatch(host) is not None


@lru_cache(_KEPT)
def is_loopback_host(host: str) -> bool:
    """Whether a `Host` header names this machine's loopback."""
    found = _HOST.fullmatch(host)
    return found is not None and is_loopback_name(found["v6"] or found["name"])


def is_loopback_name(name: str) -> bool:
    """Whether a host name or address without port is this machine's loopback."""
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
