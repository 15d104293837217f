"""Requests and responses of HTTP-triggered functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs

from bindings.errors import RequestBodyError
from bindings.strict_json import read_json


class AuthLevel(StrEnum):
    """Which key a request needs when the host runs with keys."""

    ANONYMOUS = "anonymous"
    FUNCTION = "function"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One HTTP request. `headers` are case-insensitive; `params` holds the query's last values."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    route_params: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def get_body(self) -> bytes:
        """The raw body."""
        return self.body

    def get_json(self) -> Any:
        """The body as JSON. Raises `RequestBodyError`, a ValueError, if it is not JSON.

        If the function does not catch it, the host answers 400 with the reason.
        """
        try:
            return read_json(self.body)
        except ValueError as error:
            raise RequestBodyError(f"The request's body is not JSON: {error}") from error

    def json(self) -> Any:
        """The body as JSON, or None when the body is empty. Raises as `get_json` does."""
        return self.get_json() if self.body.strip() else None

    @property
    def form(self) -> dict[str, str]:
        """The fields of a URL-encoded body; of a repeated field the last value."""
        fields = parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return {name: values[-1] for name, values in fields.items()}


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What an HTTP-triggered function answers."""

    body: str | bytes | None = None
    status_code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    mimetype: str = "text/plain"
    charset: str = "utf-8"

    def get_body(self) -> bytes:
        """The body as bytes."""
        if self.body is None:
            return b""
        return self.body.encode(self.charset) if isinstance(self.body, str) else self.body
