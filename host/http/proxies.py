"""Which requests came through a proxy: they bear its marks.

A proxy on the same machine reaches the loopback address for everybody whom it serves.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

_MARKS = frozenset(
    {
        "cf-connecting-ip",
        "client-ip",
        "fastly-client-ip",
        "fly-client-ip",
        "forwarded",
        "forwarded-for",
        "proxy-connection",
        "true-client-ip",
        "via",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-envoy-external-address",
        "x-forwarded",
        "x-original-forwarded-for",
        "x-original-host",
        "x-original-url",
        "x-proxyuser-ip",
        "x-real-ip",
        "x-remote-ip",
        "x-scheme",
        "x-url-scheme",
    }
)
_KEPT = 512
"""So many different names are remembered: requests have mostly the same."""
_PREFIXES = ("x-forwarded-", "x-appengine-", "cloudfront-", "x-envoy-", "x-amz-cf-")


def came_through_proxy(names: Iterable[str]) -> bool:
    """Whether these names of headers, in any case, are those of a forwarded request."""
    return any(map(_is_mark, names))


@lru_cache(_KEPT)
def _is_mark(name: str) -> bool:
    folded = name.lower()
    return folded in _MARKS or folded.startswith(_PREFIXES)
