"""Stored JSON in answers: it goes out as it is stored, without becoming objects in between.

A value of many megabytes would hold the loop for seconds on its way through objects, and take ten
times its size meanwhile.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from host.core.history import Payload


def raw(payload: Payload) -> msgspec.Raw | str | None:
    """The value of a stored text; the text itself if it is no JSON, so that answers always are."""
    if payload is None:
        return None
    # Half a character is JSON as an escape only.
    encoded = payload.encode("utf-8", "backslashreplace")
    try:
        return msgspec.json.decode(encoded, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return payload


def to_json(body: Any) -> bytes:
    """JSON of objects, lists, texts and numbers that may hold what `raw` gives."""
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:  # half a character in an author's text
        return json.dumps(body, default=_value).encode()


def _value(part: Any) -> Any:
    return json.loads(bytes(part)) if isinstance(part, msgspec.Raw) else str(part)
