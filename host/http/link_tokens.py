"""Tokens in management links: each opens some operations on one run of an instance, for a week.

A link travels through logs, mails and browsers, so it carries no key. Its token says what it is
for, when it was made and until when it opens; a signature over these, the hub and the instance
holds them together. Nothing is stored.

The run is the one that had the id when the link was made: a run that began later is another one's
(0027). A run keeps its beginning for life, also when it continues as new.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

LIFETIME = timedelta(days=7)
MARK = "link2."
"""What each token begins with."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_TOKEN = re.compile(
    r"link2\.(?P<use>[a-z]{4,6})\.(?P<made>[0-9a-f]{1,14})\.(?P<expiry>[0-9a-f]{1,14})"
    r"\.(?P<signature>[A-Za-z0-9_-]{43})",
    re.ASCII,
)


class Use(StrEnum):
    """What a link is for: its token opens nothing else."""

    READ = "read"
    """To see the status and the history."""
    RAISE = "raise"
    """To raise events."""
    MANAGE = "manage"
    """To suspend, resume, terminate, purge, restart, redrive, rewind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What a genuine token of an instance says."""

    use: Use
    made_at: datetime
    expires_at: datetime

    def opens(self, use: Use, run_began_at: datetime) -> bool:
        """Whether it is for this use, and for the run that began then."""
        return self.use is use and run_began_at <= self.made_at


class LinkTokens:
    """Issues and checks the tokens of one hub."""

    def __init__(self, secret: bytes, hub_name: str) -> None:
        self._secret = secret
        self._hub_name = hub_name

    def issue(
        self, instance_id: str, use: Use, now: datetime, expires_at: datetime | None = None
    ) -> str:
        """A token for the run that has the id now; it opens for a week if nothing else is said."""
        made, expiry = _ticks(now), _ticks(expires_at or now + LIFETIME)
        return f"{MARK}{use}.{made}.{expiry}.{self._sign(instance_id, use, made, expiry)}"

    def read(self, token: str, instance_id: str, now: datetime) -> Pass | None:
        """What the token says; None if it is none of this instance, or has expired."""
        found = _TOKEN.fullmatch(token)
        if found is None:
            return None
        use, made, expiry, signature = found.groups()
        if not hmac.compare_digest(signature, self._sign(instance_id, use, made, expiry)):
            return None
        expires_at = _moment(expiry)
        if now >= expires_at:
            return None
        return Pass(use=Use(use), made_at=_moment(made), expires_at=expires_at)

    def _sign(self, instance_id: str, *parts: str) -> str:
        # A zero separates the parts: none of them can hold one.
        message = "\0".join(("link2", self._hub_name.lower(), instance_id, *parts))
        digest = hmac.new(self._secret, message.encode("utf-8"), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _ticks(moment: datetime) -> str:
    return f"{(moment - _EPOCH) // _TICK:x}"


def _moment(ticks: str) -> datetime:
    return _EPOCH + int(ticks, 16) * _TICK
