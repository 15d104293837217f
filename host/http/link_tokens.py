"""Tokens in management links: each opens the links of one instance, for a week, and nothing else.

A link travels through logs, mails and browsers, so it carries no key. Its token is an expiry and a
signature over hub, instance and expiry; nothing is stored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import datetime, timedelta

LIFETIME = timedelta(days=7)

_TOKEN = re.compile(
    r"link1\.(?P<expiry>[0-9a-f]{1,12})\.(?P<signature>[A-Za-z0-9_-]{43})", re.ASCII
)


class LinkTokens:
    """Issues and checks the tokens of one hub."""

    def __init__(self, secret: bytes, hub_name: str) -> None:
        self._secret = secret
        self._hub_name = hub_name

    def issue(self, instance_id: str, now: datetime) -> str:
        """A token for the instance."""
        expiry = f"{int((now + LIFETIME).timestamp()):x}"
        return f"link1.{expiry}.{self._sign(instance_id, expiry)}"

    def opens(self, token: str, instance_id: str, now: datetime) -> bool:
        """Whether the token is one of this instance and has not expired."""
        found = _TOKEN.fullmatch(token)
        if found is None:
            return False
        expected = self._sign(instance_id, found["expiry"])
        is_genuine = hmac.compare_digest(found["signature"], expected)
        return is_genuine and now.timestamp() < int(found["expiry"], 16)

    def _sign(self, instance_id: str, expiry: str) -> str:
        # A zero separates the parts: none of them can hold one.
        message = "\0".join(("link1", self._hub_name.lower(), instance_id, expiry))
        digest = hmac.new(self._secret, message.encode("utf-8"), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
