"""A span as this host knows it, before it is written for anybody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from typing import Protocol, TypeAlias

import msgspec

Value: TypeAlias = str | int


class Kind(IntEnum):
    """What a span is, by OpenTelemetry."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has ended. Ids are in hexadecimal digits; `parent_id` is empty for a root."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: Kind
    began_at: datetime
    ended_at: datetime
    attributes: Mapping[str, Value]
    error: str | None = None
    """What it failed with; None if it did not."""
    link: tuple[str, str] | None = None
    """Another trace's id, and the span there that this one follows."""


class Exporter(Protocol):
    """Sends spans somewhere, later."""

    def export(self, span: Span) -> None:
        """Have it sent. Waits for nobody, and never raises."""

    async def close(self) -> None:
        """Send what is left, for a few seconds at most."""
