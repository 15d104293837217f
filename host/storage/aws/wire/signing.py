"""AWS Signature Version 4 for JSON posts to one endpoint.

Rules of this file: pure; the time and the keys are arguments. What calls of one operation within
one second have in common is hashed once, and the hashes are copied for each call. Headers stand in
order of their names, which is the order of the canonical request.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from _hashlib import HASH

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
        """The service does not take these: look for others."""


class StaticCredentials:
    """Keys that never change."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def keys(self) -> Keys:
        """The keys."""
        return self._keys

    async def renew(self, refused: Keys) -> None:
        """There are no others."""


class _Form(NamedTuple):
    """What all signatures of one operation share, for a second, with the same keys."""

    headers: dict[str, str]
    canonical: HASH
    """Of the canonical request, all but the digest of the body."""
    signature: hmac.HMAC
    """Of the text to sign, all but the digest of the canonical request."""
    authorization: str
    """The header, all but the signature."""


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
        self._keys: Keys | None = None
        self._forms: dict[str, _Form] = {}

    def headers(self, operation: str, body: bytes, keys: Keys, now: datetime) -> dict[str, str]:
        """The headers of a request, its signature among them."""
        second = int(now.timestamp())
        if second != self._second or keys != self._keys:
            self._second, self._keys, self._forms = second, keys, {}
        form = self._forms.get(operation)
        if form is None:
            form = self._forms[operation] = self._form(operation, keys, now)
        canonical = form.canonical.copy()
        canonical.update(sha256(body).hexdigest().encode())
        signature = form.signature.copy()
        signature.update(canonical.hexdigest().encode())
        return {**form.headers, "authorization": form.authorization + signature.hexdigest()}

    def _form(self, operation: str, keys: Keys, now: datetime) -> _Form:
        timestamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = {"content-type": CONTENT_TYPE, "host": self._host, "x-amz-date": timestamp}
        if keys.token:
            headers["x-amz-security-token"] = keys.token
        headers["x-amz-target"] = f"{self._target_prefix}.{operation}"
        names = ";".join(headers)
        lines = "\n".join([f"{name}:{value}" for name, value in headers.items()])
        scope = f"{timestamp[:8]}/{self._region}/{self._service}/aws4_request"
        signature = hmac.new(_signing_key(keys, scope), digestmod="sha256")
        signature.update(f"{ALGORITHM}\n{timestamp}\n{scope}\n".encode())
        return _Form(
            headers=headers,
            canonical=sha256(f"POST\n{self._path}\n\n{lines}\n\n{names}\n".encode()),
            signature=signature,
            authorization=f"{ALGORITHM} Credential={keys.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature=",
        )


def _signing_key(keys: Keys, scope: str) -> bytes:
    key = f"AWS4{keys.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
