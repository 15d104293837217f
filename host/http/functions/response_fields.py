"""The header fields of a function's response: what may be sent, and what would be another message.

A name that is no token, or a control character in a value, would end the header early or change
what follows it. Whoever is echoed must not decide that, so it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from multidict import CIMultiDict

from bindings.cookies import check_cookie_field, cookie_field
from bindings.errors import FunchostError

# How long the body is and how the connection goes on is the server's to say.
_SERVERS_HEADERS = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_SENT = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
"""Control characters but the tab, and halves of characters."""


class FunctionResponseError(FunchostError):
    """A function returned something that is no HTTP response."""


def checked_headers(headers: CIMultiDict[str]) -> CIMultiDict[str]:
    """The fields as they are sent, without those that are the server's.

    Raises ValueError for the first that cannot be sent.
    """
    sent: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"A header's name is a token, not {name[:100]!r}.")
        if _NOT_SENT.search(value):
            raise ValueError(
                f"The header '{name}' holds a line break, another control character, or half a "
                f"character: {value[:100]!r}."
            )
        if name.lower() == "set-cookie":
            check_cookie_field(value)
        if name.lower() not in _SERVERS_HEADERS:
            sent.add(name, value)
    return sent


def described_cookie(cookie: Any) -> str:
    """The `Set-Cookie` field of an object with `name`, `value` and attributes.

    Raises ValueError for what is none, or cannot be sent.
    """
    members = {str(k).lower(): v for k, v in cookie.items()} if isinstance(cookie, Mapping) else {}
    if not {"name", "value"} <= members.keys():
        raise ValueError("A cookie of the response is no object with name and value.")
    return cookie_field(str(members.pop("name")), str(members.pop("value")), members)
