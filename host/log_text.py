"""What is logged, as it is shown: printable, and without what opens the host.

A log is read on terminals, which obey control characters, and by people who have no key. What is
logged came from anywhere: URLs and headers of requests, errors that quote them, an author's texts.
"""

from __future__ import annotations

import re

HIDDEN = "..."

_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
"""Whatever moves a cursor, ends a line, or turns the direction of what follows; not \\n and \\t."""
_ENCODED = r"%(?:25){{0,3}}(?:{low:02x}|{high:02x})|\\{{1,4}}u00(?:{low:02x}|{high:02x})"


def _spelled(text: str) -> str:
    """A pattern of the text in any spelling: percent-encoded, even twice, or as JSON escapes it."""
    return "".join(
        rf"(?:{re.escape(sign)}|{_ENCODED.format(low=ord(sign), high=ord(sign.upper()))})"
        for sign in text
    )


_VALUE = r"""[^\s&"'<>\\,;#(){}\[\]]"""
_QUOTES = r"""["'\\]{0,4}"""
_SIGN = f"(?:{_spelled('=')}|{_spelled(':')}|,)"
_IS = rf"""{_QUOTES}\s{{0,4}}{_SIGN}\s{{0,4}}(?:b(?=["']))?{_QUOTES}"""
_BEGINS_FIELD = rf"(?:{_spelled('?')}|{_spelled('&')}|;)"
_CODE = _spelled("code")
_HEADERS = "|".join(
    _spelled(name) for name in ("x-functions-key", "x_functions_key", "authorization")
)

_SECRETS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"({_BEGINS_FIELD}\s{{0,4}}{_CODE}\s{{0,4}}{_spelled('=')}){_VALUE}+",
        # Elsewhere `code` is mostly that of an error: there only what is as long as a key.
        rf"((?<![\w-]){_CODE}{_IS})(?={_VALUE}{{0,99}}\d){_VALUE}{{16,}}",
        rf"((?:{_HEADERS}){_IS}(?:(?:bearer|basic)\s+)?){_VALUE}+",
        rf"((?:link|session)\d)(?:{_spelled('.')})[\w.%-]{{20,}}",
    )
)
_BARE_KEY = re.compile(
    r"(?<![\w-])(?=[\w-]{0,42}\d)(?=[\w-]{0,42}[a-z])(?=[\w-]{0,42}[A-Z])[\w-]{43}(?![\w-])",
    re.ASCII,
)
"""The shape of the host's own keys, wherever one stands."""


def shown(text: str) -> str:
    """The text without keys and tokens, its control characters as escapes; line breaks stay."""
    return printable(_redacted(text))


def _redacted(text: str) -> str:
    for secret in _SECRETS:
        text = secret.sub(rf"\g<1>{HIDDEN}", text)
    return _BARE_KEY.sub(HIDDEN, text)


def printable(text: str) -> str:
    """The text with its control characters as escapes; line breaks and tabs stay."""
    return _CONTROLS.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
