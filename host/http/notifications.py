"""Notices over HTTP: their bodies, their signature, and the one post that brings each.

The receiver is a stranger's program. Rules of this file: it gets one request and ten seconds; no
redirect is followed, no cookie kept, no proxy of the environment used, of its answer only status
and `Retry-After` count, and what it sends besides is not read. The log names the receiver by host
and port: the rest of its address may be a secret.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from host.about import installed_version
from host.clock import Clock
from host.core.records import Notice, NoticeKind
from host.engine.notices import AT_ONCE, TAKEN, Answer
from host.os_words import no_connection_in_words

TIMEOUT_S = 10.0
SHORT_BODY = 4096
"""An answer whose body is longer, or of unknown length, costs its connection."""


BodyOf = Callable[[Notice, str], Any]
"""The JSON of a notice of a hub."""


def own_body(notice: Notice, hub: str) -> dict[str, Any]:
    """What a receiver gets."""
    return {
        "id": notice.notice_id,
        "type": f"orchestration.{notice.kind}",
        "time": _iso(notice.at),
        "hub": hub,
        "instanceId": notice.instance_id,
        "name": notice.name,
        "runtimeStatus": notice.status.value,
        "reason": notice.reason,
    }


def event_grid_body(notice: Notice, hub: str) -> list[dict[str, Any]]:
    """The same as Azure's extension would give it to an Event Grid topic."""
    is_quarantine = notice.kind is NoticeKind.QUARANTINED
    state = "Quarantined" if is_quarantine else notice.status.value
    event = {
        "id": notice.notice_id,
        "subject": f"durable/orchestrator/{state}",
        "eventType": "orchestratorEvent",
        "eventTime": _iso(notice.at),
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "data": {
            "hubName": hub,
            "functionName": notice.name,
            "instanceId": notice.instance_id,
            "reason": notice.reason or "",
            "runtimeStatus": state,
        },
    }
    return [event]


def headers_of(notice: Notice, body: bytes, secret: bytes, now: datetime) -> dict[str, str]:
    """What a request says of itself, signed: who has the secret can tell that it is from here."""
    timestamp = str(int(now.timestamp()))
    signature = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": f"funchost/{installed_version()}",
        "X-Funchost-Event-Id": notice.notice_id,
        "X-Funchost-Timestamp": timestamp,
        "X-Funchost-Signature": f"v1={signature}",
    }


@dataclass(slots=True, kw_only=True)
class Webhook:
    """One receiver. Its connections are made when they are needed."""

    url: str
    secret: bytes = field(repr=False)
    hub: str
    body_of: BodyOf
    clock: Clock
    _session: aiohttp.ClientSession | None = field(default=None, init=False)

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def post(self, notice: Notice) -> Answer:
        """Post a notice once. See `host.engine.notices.Post`."""
        body = msgspec.json.encode(self.body_of(notice, self.hub))
        headers = headers_of(notice, body, self.secret, self.clock.now())
        try:
            return await self._answer(body, headers)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return Answer(f"{self._name}: {_in_words(error)}")

    async def _answer(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        url = URL(self.url, encoded=True)
        session = self._opened()
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as got:
            await _drain(got)
            if got.ok and got.status < 300:
                return TAKEN
            pause_s = _retry_after(got.headers.get("Retry-After", ""), self.clock.now())
            return Answer(f"{self._name} answered {got.status}.", pause_s)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=AT_ONCE),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                auto_decompress=False,
            )
        return self._session

    @property
    def _name(self) -> str:
        return str(URL(self.url, encoded=True).origin())


async def _drain(got: aiohttp.ClientResponse) -> None:
    """Let the connection serve again if that is cheap; the status counts whatever comes of it."""
    if got.content_length is None or got.content_length > SHORT_BODY:
        got.close()
        return
    try:
        async with asyncio.timeout(1.0):
            await got.read()
    except (aiohttp.ClientError, TimeoutError, OSError):
        got.close()


def _retry_after(text: str, now: datetime) -> float:
    """For how long the receiver wants to be left alone, in seconds; 0 for nonsense."""
    if text.isdecimal() and text.isascii():
        return float(text[:9])
    with suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    return 0.0


def _in_words(error: Exception) -> str:
    """What went wrong; not as the error says it, which may quote the whole address."""
    if isinstance(error, TimeoutError):
        return f"no answer in {TIMEOUT_S:g} s."
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"cannot connect: {no_connection_in_words(error.certificate_error)}."
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {no_connection_in_words(error.os_error)}."
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was closed before an answer came."
    return f"{no_connection_in_words(error)}."


def _iso(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"
