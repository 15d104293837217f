"""Spans as OTLP writes them in JSON: names and numbers are those of its protobuf messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from host.log_text import shown
from host.traces.spans import Span, Value

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_ERROR: Final = 2
_MAX_ERROR_CHARS: Final = 1_000


class _Object(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The base of all."""


class _Any(_Object, frozen=True):
    string_value: str | None = None
    int_value: int | None = None


class _KeyValue(_Object, frozen=True):
    key: str
    value: _Any


class _Link(_Object, frozen=True):
    trace_id: str
    span_id: str


class _Status(_Object, frozen=True):
    code: int
    message: str


class _Span(_Object, frozen=True):
    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: int
    start_time_unix_nano: str
    end_time_unix_nano: str
    attributes: list[_KeyValue]
    links: tuple[_Link, ...] = ()
    status: _Status | None = None


class _Scope(_Object, frozen=True):
    name: str
    version: str


class _ScopeSpans(_Object, frozen=True):
    scope: _Scope
    spans: list[_Span]


class _Resource(_Object, frozen=True):
    attributes: list[_KeyValue]


class _ResourceSpans(_Object, frozen=True):
    resource: _Resource
    scope_spans: tuple[_ScopeSpans]


class _Request(_Object, frozen=True):
    resource_spans: tuple[_ResourceSpans]


def written(spans: Iterable[Span], resource: Mapping[str, Value], version: str) -> bytes:
    """The request that sends these spans; `version` is that of this host."""
    request = _Request(
        (
            _ResourceSpans(
                _Resource(_attributes(resource)),
                (_ScopeSpans(_Scope("funchost", version), [_span(each) for each in spans]),),
            ),
        )
    )
    return msgspec.json.encode(request)


def _span(span: Span) -> _Span:
    error, link = span.error, span.link
    return _Span(
        span.trace_id,
        span.span_id,
        span.parent_id,
        span.name,
        span.kind,
        _nanoseconds(span.began_at),
        _nanoseconds(span.ended_at),
        _attributes(span.attributes),
        () if link is None else (_Link(*link),),
        None if error is None else _Status(_ERROR, shown(error[:_MAX_ERROR_CHARS])),
    )


def _attributes(values: Mapping[str, Value]) -> list[_KeyValue]:
    return [
        _KeyValue(key, _Any(value) if isinstance(value, str) else _Any(None, value))
        for key, value in values.items()
    ]


def _nanoseconds(moment: datetime) -> str:
    return f"{(moment - _EPOCH) // _MICROSECOND}000"
