"""The one-callable seam between the client and HTTP.

Rules of this file: a transport makes one attempt and knows nothing of AWS. It answers with whatever
the server said, an error status too, or raises `TransportError`, which says how far the request
got: that decides whether a write may have been carried out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import NamedTuple

DEFAULT_TIMEOUT_S = 10.0


class Request(NamedTuple):
    """One HTTP request, signed and ready. After `timeout_s` without a whole answer it failed."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    timeout_s: float = DEFAULT_TIMEOUT_S


class Response(NamedTuple):
    """One HTTP answer, read to its end. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Transport = Callable[[Request], Awaitable[Response]]


class Failure(Enum):
    """How far a request got that has no answer."""

    NOT_CONNECTED = "not connected"
    """No connection: the server saw nothing of it."""
    CONNECTION_LOST = "connection lost"
    """The connection broke, perhaps because it had been idle: the server may have seen it."""
    TIMED_OUT = "timed out"
    """No answer in time: the server may have seen it, or may see it yet."""


class TransportError(Exception):
    """There is no answer."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
