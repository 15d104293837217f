"""What goes into the activity of `call_http`, and what comes out of it: the JSON of its history.

The activity is built in: every host has it under `HTTP_ACTIVITY`, a name that no function of an
author can have. What it says of an answer is all that a replay needs: where to ask again, and when.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec

from bindings.errors import SerializationError
from bindings.forms import charset_of, decoded
from bindings.http_calls import DurableHttpRequest, DurableHttpResponse, HttpHeaders
from bindings.token_sources import read
from host.core.history import Payload
from host.core.http_urls import location_of, origin_of

HTTP_ACTIVITY: Final = "BuiltIn::HttpActivity"
OF_THE_HOST: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that say how a request is sent, and to whom."""
MIN_PAUSE_S: Final = 1.0
"""A server that says 0, or a time that is over, would be asked as fast as the hub can store it."""
MAX_PAUSE_S: Final = 86_400.0
MAX_DIGITS: Final = 9

_ACCEPTED: Final = 202


class HttpOrder(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One request that is to be sent. `is_other_origin`: without what is meant for another one."""

    method: str
    uri: str
    headers: dict[str, str] = {}
    content: str | None = None
    content_base64: str | None = None
    token_source: dict[str, str] | None = None
    timeout_seconds: float | None = None
    is_other_origin: bool = False

    @property
    def body(self) -> bytes | None:
        """What is sent."""
        if self.content_base64 is not None:
            return b64decode(self.content_base64, validate=True)
        return None if self.content is None else self.content.encode()

    def to_payload(self) -> str:
        """The order as JSON."""
        return msgspec.json.encode(self).decode()

    def to_request(self) -> DurableHttpRequest:
        """As a test's fake sees it."""
        return DurableHttpRequest(
            method=self.method,
            url=self.uri,
            headers=HttpHeaders(self.headers),
            content=None if (body := self.body) is None else body.decode(errors="replace"),
            token_source=None if self.token_source is None else read(self.token_source),
        )


class HttpPoll(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Where an answer 202 says to ask again, and after how many seconds.

    `error` says why nobody asks there.
    """

    after_seconds: float
    uri: str = ""
    error: str = ""
    is_other_origin: bool = False


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What came back. `retry_after_seconds` is what the server said, if it did."""

    status_code: int
    headers: dict[str, str] = {}
    content: str = ""
    content_base64: str | None = None
    retry_after_seconds: float | None = None
    poll: HttpPoll | None = None

    def to_payload(self) -> str:
        """The answer as JSON."""
        return msgspec.json.encode(self).decode()

    def to_response(self) -> DurableHttpResponse:
        """As an orchestrator sees it."""
        raw = None if self.content_base64 is None else b64decode(self.content_base64)
        headers = HttpHeaders(self.headers)
        content = self.content if raw is None else raw.decode(errors="replace")
        return DurableHttpResponse(self.status_code, headers, content, raw)


def read_order(payload: Payload) -> HttpOrder:
    """The order of a payload. Raises `SerializationError`."""
    try:
        order = msgspec.json.decode(payload or "null", type=HttpOrder)
        _ = order.body
    except (msgspec.MsgspecError, Base64Error, ValueError) as error:
        raise SerializationError(
            f"The request of {HTTP_ACTIVITY} cannot be read: {error}"
        ) from None
    return order


def read_answer(result: Any) -> HttpAnswer:
    """The answer that an activity gave. Raises `SerializationError`."""
    try:
        return msgspec.convert(result, HttpAnswer)
    except msgspec.MsgspecError as error:
        raise SerializationError(f"The result of {HTTP_ACTIVITY} cannot be read: {error}") from None


def answer(
    url: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
    default_pause_s: float,
    is_other_origin: bool = False,
) -> HttpAnswer:
    """What is told of an answer that came from this URL.

    `is_other_origin`: the URL is of another origin than the first one.
    """
    known = HttpHeaders(headers)
    said = retry_after_s(known.get("Retry-After"), now)
    poll = None
    if status == _ACCEPTED and (location := known.get("Location")):
        pause_s = default_pause_s if said is None else said
        poll = _poll(url, location, pause_s, is_other_origin=is_other_origin)
    text = _text(body, known.get("Content-Type", ""))
    return HttpAnswer(
        status_code=status,
        headers=dict(headers),
        content="" if text is None else text,
        content_base64=b64encode(body).decode() if text is None else None,
        retry_after_seconds=said,
        poll=poll,
    )


def retry_after_s(text: str | None, now: datetime) -> float | None:
    """What a `Retry-After` says, in seconds from 1 to a day; None if it says nothing."""
    said = (text or "").strip()
    if said.isascii() and said.isdecimal():
        return _bounded(float(said[:MAX_DIGITS] if len(said) <= MAX_DIGITS else MAX_PAUSE_S))
    with suppress(ValueError, TypeError, OverflowError):
        at = parsedate_to_datetime(said)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        return _bounded((at - now) / timedelta(seconds=1))
    return None


def _bounded(seconds: float) -> float:
    return min(max(seconds, MIN_PAUSE_S), MAX_PAUSE_S)


def _poll(url: str, location: str, pause_s: float, *, is_other_origin: bool) -> HttpPoll:
    try:
        following = location_of(url, location)
    except ValueError as error:
        return HttpPoll(after_seconds=pause_s, error=f"a URL {error}")
    return HttpPoll(
        after_seconds=pause_s,
        uri=following,
        is_other_origin=is_other_origin or origin_of(following) != origin_of(url),
    )


def _text(body: bytes, content_type: str) -> str | None:
    """The body as a text; None if it is none."""
    try:
        text = decoded(body, charset_of(content_type))
        text.encode()  # some charsets have halves of characters, which no history has
    except (LookupError, ValueError):
        return None
    return text
