"""The `Set-Cookie` field: its parts are checked one by one, before they become one text.

A semicolon in a value would add attributes, a control character would end the header. Whoever is
echoed must not decide that, so it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r'[^\x00-\x20\x7f-\uffff",;\\]*|"[^\x00-\x20\x7f-\uffff",;\\]*"')
_ATTRIBUTE_VALUE = re.compile(r"[^\x00-\x1f\x7f-\uffff;]*")
_ATTRIBUTES = {
    "domain": "Domain",
    "expires": "Expires",
    "httponly": "HttpOnly",
    "maxage": "Max-Age",
    "partitioned": "Partitioned",
    "path": "Path",
    "samesite": "SameSite",
    "secure": "Secure",
}
_FLAGS = frozenset({"HttpOnly", "Partitioned", "Secure"})


def cookie_field(name: str, value: str, attributes: Mapping[str, Any]) -> str:
    """The field. Names of attributes may be written in any case, with `_`, `-` or neither.

    None and False leave an attribute out. Raises ValueError for what cannot be sent.
    """
    parts = [_pair(name, value)]
    for key, each in attributes.items():
        known = _ATTRIBUTES.get(key.lower().replace("-", "").replace("_", ""))
        if known is None:
            raise ValueError(f"There is no cookie attribute {key[:100]!r}.")
        if each is not None and each is not False:
            parts.append(known if known in _FLAGS else _attribute(known, str(each)))
    return "; ".join(parts)


def check_cookie_field(field: str) -> None:
    """Raise ValueError if a field that somebody wrote as one text cannot be sent."""
    pair, *attributes = (part.strip() for part in field.split(";"))
    name, _, value = pair.partition("=")
    _pair(name, value)
    for each in attributes:
        _attribute("of its own", each)


def _pair(name: str, value: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"A cookie's name is a token, not {name[:100]!r}.")
    if not _VALUE.fullmatch(value):
        raise ValueError(
            f"The value of the cookie '{name}' holds a blank, a comma, a semicolon, a quote or the "
            "like: encode it, for example with urllib.parse.quote."
        )
    return f"{name}={value}"


def _attribute(name: str, value: str) -> str:
    if not _ATTRIBUTE_VALUE.fullmatch(value):
        raise ValueError(f"The cookie attribute {name} cannot be {value[:100]!r}.")
    return f"{name}={value}"
