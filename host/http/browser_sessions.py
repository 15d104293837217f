"""Sessions of the dashboard: what a browser holds instead of a key.

A session is a signed text in a cookie that no script can read. It names the value of the key that
opened it, by a hash of its hash, so it opens what that key opens now, and nothing once the key
has another value or is gone. Nothing is stored: all hosts that have the hub's file of keys
know it, and it is over after eight hours, whatever happens.

A browser sends cookies with whatever a page asks for. So a request that changes something must show
the session's CSRF token, too, which only pages of the host itself can have read.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

LIFETIME: Final = timedelta(hours=8)
CSRF_HEADER: Final = "x-csrf-token"

_MARK: Final = "session1."
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TOKEN: Final = re.compile(
    r"session1\.(?P<reference>[0-9a-f]{64})\.(?P<expiry>[0-9a-f]{1,9})\.(?P<signature>[A-Za-z0-9_-]{43})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSession:
    """A genuine session. `reference` names the value of its key, as `reference_of` does."""

    reference: str
    expires_at: datetime
    csrf_token: str


class BrowserSessions:
    """Issues and checks the sessions of one hub."""

    def __init__(self, secret: bytes, hub_name: str) -> None:
        self._secret = secret
        self._hub_name = hub_name.lower()
        name = hmac.digest(secret, f"cookie of {self._hub_name}".encode(), "sha256").hex()[:12]
        self.cookie = f"funchost-{name}"
        """The cookie's name. Ports of one machine share cookies, so each hub has its own: also one
        that is called as another is."""

    def issue(self, reference: str, now: datetime) -> str:
        """A session of the key whose value has this reference."""
        expiry = f"{int((now + LIFETIME - _EPOCH).total_seconds()):x}"
        return f"{_MARK}{reference}.{expiry}.{self._sign('session', reference, expiry)}"

    def read(self, text: str, now: datetime) -> BrowserSession | None:
        """What a cookie says; None if it is no session of this hub, or is over."""
        found = _TOKEN.fullmatch(text)
        if found is None:
            return None
        reference, expiry, signature = found.groups()
        if not hmac.compare_digest(signature, self._sign("session", reference, expiry)):
            return None
        expires_at = _EPOCH + timedelta(seconds=int(expiry, 16))
        if now >= expires_at:
            return None
        csrf_token = self._sign("csrf", reference, expiry)
        return BrowserSession(reference=reference, expires_at=expires_at, csrf_token=csrf_token)

    def _sign(self, use: str, *parts: str) -> str:
        # A zero separates the parts: none of them can hold one.
        message = "\0".join((f"{use} of the dashboard", self._hub_name, *parts))
        digest = hmac.digest(self._secret, message.encode("utf-8"), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def reference_of(sha256: str) -> str:
    """What a session calls the value of a key that has this hash."""
    return hashlib.sha256(f"key of a session\0{sha256}".encode()).hexdigest()
