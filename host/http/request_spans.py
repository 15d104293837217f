"""Spans of requests: those in somebody's trace, to the app's functions, and that start something.

Others (a poll of the dashboard, a look at a status) begin no trace: nothing else would be in it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from host.clock import Clock
from host.core.trace import TraceContext, read_traceparent
from host.engine.callers import AskedIn
from host.http import answers
from host.traces.spans import Kind, Span
from host.traces.tracer import Tracer


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """A request that is being answered."""

    came_in: TraceContext | None
    """The trace and the span that sent it, if it says so."""
    inside: AskedIn
    """The trace of what it starts, whose parent is the request's own span."""
    began_at: datetime
    method: str
    path: str


class RequestSpans:
    """Makes the spans of requests."""

    def __init__(self, tracer: Tracer, clock: Clock) -> None:
        self._tracer = tracer
        self._clock = clock

    def begin(self, request: web.BaseRequest) -> OpenRequest:
        """A request has come."""
        header = request.headers.get("traceparent", "")
        came_in = read_traceparent(header) if header else None
        inside = TraceContext(
            trace_id=secrets.token_hex(16) if came_in is None else came_in.trace_id,
            parent_id=secrets.token_hex(8),
            is_sampled=came_in is None or came_in.is_sampled,
        )
        return OpenRequest(
            came_in=came_in,
            inside=AskedIn(inside),
            began_at=self._clock.now(),
            method=request.method,
            path=request.path,
        )

    def end(self, asked: OpenRequest, response: web.Response, by: str) -> None:
        """It was answered with this, by a function or by the operation of this id."""
        is_own = by == answers.BY_FUNCTION
        trace = asked.inside.trace
        is_in_trace = is_own or asked.inside.is_used or asked.came_in is not None
        if not (trace.is_sampled and is_in_trace):
            return
        self._tracer.export(
            Span(
                trace_id=trace.trace_id,
                span_id=trace.parent_id,
                parent_id="" if asked.came_in is None else asked.came_in.parent_id,
                name=f"{asked.method} {response.get(answers.FUNCTION, by)}",
                kind=Kind.SERVER,
                began_at=asked.began_at,
                ended_at=self._clock.now(),
                attributes={
                    "http.request.method": asked.method,
                    "url.path": asked.path,
                    "http.response.status_code": response.status,
                },
                error=str(response.status) if response.status >= 500 else None,
            )
        )
