"""`extensions.http` of host.json: how functions are reached over HTTP."""

from __future__ import annotations

import re
from typing import Final

from pydantic import Field, field_validator

from host.settings.cors import HEADER_NAME, CorsSettings, HstsSettings
from host.settings.sections import Section

UNBOUNDED: Final = -1

_DEFAULT_MAX_OUTSTANDING_REQUESTS: Final = 500
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class HttpSettings(Section):
    """`extensions.http`. The limits are -1 where there is none.

    Azure's default of `maxOutstandingRequests` is none; here every queue ends somewhere.
    """

    route_prefix: str = "api"
    max_outstanding_requests: int = _DEFAULT_MAX_OUTSTANDING_REQUESTS
    max_concurrent_requests: int = UNBOUNDED
    custom_headers: dict[str, str] = Field(default_factory=dict)
    cors: CorsSettings = CorsSettings()
    hsts: HstsSettings = HstsSettings()

    @field_validator("custom_headers")
    @classmethod
    def _check_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise ValueError(f"'{name}' cannot be a header with this value")
        return headers

    @field_validator("route_prefix")
    @classmethod
    def _trim(cls, prefix: str) -> str:
        if any(sign in prefix for sign in "{}?#"):
            raise ValueError("The prefix is a plain path: it cannot hold {, }, ? or #")
        return prefix.strip("/")

    @field_validator("max_outstanding_requests", "max_concurrent_requests")
    @classmethod
    def _check_limit(cls, limit: int) -> int:
        if limit != UNBOUNDED and limit < 1:
            raise ValueError("The limit must be positive, or -1 for none")
        return limit
