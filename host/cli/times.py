"""Times on the command line: the same words in every option, `90s`, `30m`, `2h` or `7d`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from bindings.timespans import span_of
from host.cli.given import AnyType
from host.clock import SystemClock

_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?")


class Moment(AnyType):
    """A time, or how long ago."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """An aware time in UTC."""
        if isinstance(value, datetime):
            return value
        try:
            span = span_of(value)
            return _time_of(value) if span is None else SystemClock().now() - span
        except (ValueError, OverflowError):
            self.fail(
                f"'{value}' is no time such as 2026-01-31T12:00:00Z (UTC without an offset), and "
                "not how long ago, such as 90s, 30m, 2h or 7d.",
                param,
                ctx,
            )


class Start(AnyType):
    """A time, or how long from now."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime | timedelta:
        """An aware time in UTC, or how long from now: the host's clock counts."""
        if isinstance(value, datetime | timedelta):
            return value
        try:
            span = span_of(value)
            return _time_of(value) if span is None else span
        except (ValueError, OverflowError):
            self.fail(
                f"'{value}' is no time such as 2026-01-31T12:00:00Z (UTC without an offset), and "
                "not how long from now, such as 90s, 30m, 2h or 7d.",
                param,
                ctx,
            )


class Span(AnyType):
    """How long: a number of seconds, or with a unit."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """That long."""
        if isinstance(value, timedelta):
            return value
        try:
            span = span_of(f"{value}s" if _SECONDS.fullmatch(value) else value)
        except OverflowError:
            span = None
        if span is None:
            self.fail(f"'{value}' is not how long, such as 90s, 30m, 2h or 7d.", param, ctx)
        return span


MOMENT, START, SPAN = Moment(), Start(), Span()


def _time_of(text: str) -> datetime:
    """A time; one without an offset is UTC. Raises ValueError and OverflowError."""
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
