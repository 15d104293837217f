"""What is sent next where an answer says that it is elsewhere, and what of a request goes there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from bindings.errors import HttpCallError
from bindings.http_calls import HttpHeaders
from host.core.http_urls import location_of, origin_of

MAX_REDIRECTS: Final = 10

_ALWAYS_GET: Final = 303
_GET_AFTER_POST: Final = frozenset({301, 302})
_REDIRECTS: Final = frozenset({_ALWAYS_GET, *_GET_AFTER_POST, 307, 308})
_FOR_ANYBODY: Final = frozenset(
    {"cache-control", "pragma", "prefer", "range", "traceparent", "user-agent"}
)
_FOR_ANYBODY_BEGIN: Final = ("accept", "content-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One request on its way. `is_other_origin`: it has left whom it was meant for, for good."""

    method: str
    url: str
    headers: HttpHeaders
    body: bytes | None = None
    is_other_origin: bool = False

    @property
    def sent_headers(self) -> HttpHeaders:
        """The author's headers that go along. Under which name a key goes, nobody knows.

        So another origin gets none but those that say nothing of who asks.
        """
        if not self.is_other_origin:
            return HttpHeaders(self.headers)
        return HttpHeaders({name: self.headers[name] for name in self.headers if _is_open(name)})


def following(hop: Hop, status: int, headers: HttpHeaders) -> Hop | None:
    """Where this answer leads; None if it is the answer. Raises `HttpCallError`."""
    location = headers.get("Location")
    if status not in _REDIRECTS or not location:
        return None
    try:
        url = location_of(hop.url, location)
    except ValueError as error:
        raise HttpCallError(f"The answer {status} leads nowhere: a URL {error}.") from None
    moved = replace(
        hop, url=url, is_other_origin=hop.is_other_origin or origin_of(url) != origin_of(hop.url)
    )
    is_get = (status == _ALWAYS_GET and hop.method != "HEAD") or (
        status in _GET_AFTER_POST and hop.method == "POST"
    )
    return _without_body(moved) if is_get else moved


def _without_body(hop: Hop) -> Hop:
    kept = {
        name: hop.headers[name] for name in hop.headers if not name.lower().startswith("content-")
    }
    return replace(hop, method="GET", headers=HttpHeaders(kept), body=None)


def _is_open(name: str) -> bool:
    folded = name.lower()
    return folded in _FOR_ANYBODY or folded.startswith(_FOR_ANYBODY_BEGIN)
