"""Answers to connections, before there is a request: as bytes, in the form of all answers."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from host.http.http_app import SERVER

_AGAIN: Final = "Retry-After: 5\r\n"


def _answer(status: HTTPStatus, text: str, more: str = "") -> bytes:
    body = json.dumps({"Message": text}).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "Content-Type: application/json; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"Server: {SERVER}\r\n"
        "Cache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Cross-Origin-Resource-Policy: same-origin\r\n"
        f"{more}"
        "Connection: close\r\n"
        "\r\n"
    )
    return head.encode() + body


FULL: Final = _answer(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "As many connections are open as may (maxConnections), and all are in use; try again later.",
    _AGAIN,
)
LATE: Final = _answer(
    HTTPStatus.REQUEST_TIMEOUT,
    "The request's head did not come in time (headTimeoutSeconds).",
    _AGAIN,
)
LARGE: Final = _answer(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request's head is too large."
)
