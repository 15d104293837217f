"""Traces a host: an observer of its engine, and of the requests that it answers.

Rules of this file: all is called on the event loop, in the midst of the work. The span of an
activity is made where it runs; if another host leads its instance, the trace is looked up in the
store, once for each execution.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from host.clock import Clock
from host.core.http_calls import HTTP_ACTIVITY
from host.core.ids import is_entity
from host.core.records import ActivityKey
from host.core.trace import TraceContext, root_of, span_of
from host.engine.observer import ActivityCompleted, ActivityFailed, Observer, TurnCommitted
from host.errors import StorageError
from host.storage.protocol import HubStore
from host.traces.recent import Recent
from host.traces.spans import Exporter, Kind, Span, Value
from host.traces.turns import Traced, TurnSpans

MAX_EXECUTIONS: Final = 10_000
"""Of so many executions the trace is remembered."""
MAX_LOOKUPS: Final = 1_000
"""So many activities wait at most for their trace to be looked up; others have no span."""


class Tracer:
    """Traces one host. Close it when the engine has stopped."""

    def __init__(self, exporter: Exporter, store: HubStore, clock: Clock) -> None:
        self._exporter = exporter
        self._store = store
        self._clock = clock
        self._turns = TurnSpans(exporter.export)
        self._traces: Recent[str, Traced] = Recent(MAX_EXECUTIONS)
        """By execution."""
        self._lookups: set[asyncio.Task[None]] = set()
        self.observer = Observer(
            name="traces",
            sees={
                TurnCommitted: self._turn_committed,
                ActivityCompleted: self._activity_ended,
                ActivityFailed: self._activity_ended,
            },
        )

    def trace_id_of(self, key: ActivityKey) -> str:
        """The trace of an activity, as far as it is known without asking; "" if it is not."""
        traced = self._traces.get(key.execution_id)
        return "" if traced is None else traced.trace.trace_id

    def export(self, span: Span) -> None:
        """Send a span that somebody else has made."""
        self._exporter.export(span)

    async def close(self) -> None:
        """Send what is left."""
        lookups = list(self._lookups)
        for each in lookups:
            each.cancel()
        await asyncio.gather(*lookups, return_exceptions=True)
        await self._exporter.close()

    def _turn_committed(self, event: TurnCommitted) -> None:
        started = event.started
        if started is None or is_entity(event.commit.instance_id):
            return
        traced = self._traces.get(started.execution_id)
        if traced is None:
            trace = _sound(started.trace, started.execution_id)
            traced = self._remembered(started.execution_id, trace)
        self._turns.see(event, traced)

    def _activity_ended(self, event: ActivityCompleted | ActivityFailed) -> None:
        traced, ended_at = self._traces.get(event.key.execution_id), self._clock.now()
        if traced is not None:
            self._export(event, ended_at, traced)
        elif len(self._lookups) < MAX_LOOKUPS:
            lookup = asyncio.create_task(self._export_when_known(event, ended_at))
            self._lookups.add(lookup)
            lookup.add_done_callback(self._lookups.discard)

    async def _export_when_known(
        self, event: ActivityCompleted | ActivityFailed, ended_at: datetime
    ) -> None:
        key = event.key
        traced = self._traces.get(key.execution_id) or await self._found(key)
        if traced is not None:
            self._export(event, ended_at, traced)

    async def _found(self, key: ActivityKey) -> Traced | None:
        """The trace by the instance's row; None if that is gone."""
        row = None
        with suppress(StorageError):
            row = await self._store.get(key.instance_id)
        if row is None:
            return None
        trace = root_of(key.execution_id)  # as each execution has it that another continued as
        if row.execution_id == key.execution_id and row.generation == 0:
            trace = _sound(row.trace, key.execution_id)
        return self._remembered(key.execution_id, trace)

    def _remembered(self, execution_id: str, trace: TraceContext) -> Traced:
        traced = Traced(trace, span_of(execution_id))
        self._traces.put(execution_id, traced)
        return traced

    def _export(
        self, event: ActivityCompleted | ActivityFailed, ended_at: datetime, traced: Traced
    ) -> None:
        """Send the span of an activity."""
        trace = traced.trace
        if not trace.is_sampled:
            return
        key, scheduled = event.key, event.scheduled
        is_request = scheduled.name == HTTP_ACTIVITY
        attributes: dict[str, Value] = {
            "funchost.instance_id": key.instance_id,
            "funchost.execution_id": key.execution_id,
            "funchost.task_id": key.task_id,
            "funchost.attempt": scheduled.attempt,
        }
        span = Span(
            trace_id=trace.trace_id,
            span_id=span_of(key.execution_id, key.task_id),
            parent_id=traced.span_id,
            name="call_http" if is_request else f"activity:{scheduled.name}",
            kind=Kind.CLIENT if is_request else Kind.INTERNAL,
            began_at=ended_at - timedelta(seconds=event.took_s),
            ended_at=ended_at,
            attributes=attributes,
            error=str(event.error) if isinstance(event, ActivityFailed) else None,
        )
        self._exporter.export(span)


def _sound(trace: TraceContext | None, execution_id: str) -> TraceContext:
    """The trace that is kept; of one that was started without any, that which it begins."""
    return trace if trace is not None and trace.is_sound else root_of(execution_id)
