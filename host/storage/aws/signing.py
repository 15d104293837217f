"""AWS Signature Version 4 for JSON posts to one endpoint.

Rules of this file: pure; the time and the keys are arguments. Only what changes from call to call
is computed for each call: the text of the second and the signing key of the day are kept. Headers
stand in order of their names, which is the order of the canonical request.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple, Protocol
from urllib.parse import quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
CONTENT_TYPE = "application/x-amz-json-1.0"


class Keys(NamedTuple):
    """What requests are signed with. `token` only with temporary keys."""

    access_key: str
    secret_key: str
    token: str | None = None


class Credentials(Protocol):
    """Where the keys come from."""

    async def keys(self) -> Keys:
        """The keys to use now. Raises `StorageUnavailableError` if there are none."""

    async def renew(self, refused: Keys) -> None:
        """The service says that these have expired: look for newer ones."""


class StaticCredentials:
    """Keys that never change."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def keys(self) -> Keys:
        """The keys."""
        return self._keys

    async def renew(self, refused: Keys) -> None:
        """There are no others."""


class Signer:
    """Signs posts of one service's operations to one endpoint."""

    def __init__(self, *, service: str, region: str, url: str, target_prefix: str) -> None:
        parts = urlsplit(url)
        self._service = service
        self._region = region
        self._host = parts.netloc
        self._path = quote(parts.path or "/", safe="/~")
        self._target_prefix = target_prefix
        self._second = -1
        self._timestamp = ""
        self._scope = ""
        self._day: tuple[str, str] | None = None
        self._day_key = b""

    def headers(self, operation: str, body: bytes, keys: Keys, now: datetime) -> dict[str, str]:
        """The headers of a request, its signature among them."""
        self._set_time(now)
        headers = {
            "content-type": CONTENT_TYPE,
            "host": self._host,
            "x-amz-date": self._timestamp,
        }
        if keys.token:
            headers["x-amz-security-token"] = keys.token
        headers["x-amz-target"] = f"{self._target_prefix}.{operation}"
        headers["authorization"] = self._authorization(headers, body, keys)
        return headers

    def _authorization(self, headers: dict[str, str], body: bytes, keys: Keys) -> str:
        names = ";".join(headers)
        lines = "\n".join([f"{name}:{value}" for name, value in headers.items()])
        digest = sha256(body).hexdigest()
        canonical = f"POST\n{self._path}\n\n{lines}\n\n{names}\n{digest}"
        to_sign = (
            f"{ALGORITHM}\n{self._timestamp}\n{self._scope}\n"
            f"{sha256(canonical.encode()).hexdigest()}"
        )
        signature = hmac.digest(self._key_of_the_day(keys), to_sign.encode(), "sha256").hex()
        return (
            f"{ALGORITHM} Credential={keys.access_key}/{self._scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )

    def _set_time(self, now: datetime) -> None:
        second = int(now.timestamp())
        if second != self._second:
            self._second = second
            self._timestamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
            self._scope = f"{self._timestamp[:8]}/{self._region}/{self._service}/aws4_request"

    def _key_of_the_day(self, keys: Keys) -> bytes:
        day = (keys.secret_key, self._scope)
        if day != self._day:
            key = f"AWS4{keys.secret_key}".encode()
            for part in self._scope.split("/"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._day, self._day_key = day, key
        return self._day_key
