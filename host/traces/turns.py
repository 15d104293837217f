"""The spans that end with a turn: orchestrations, timers, operations of entities.

A turn is stored once, so each of these spans is sent once, by the host that stored it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias

import msgspec

from bindings.client import RuntimeStatus
from host.core import history
from host.core.failures import summary
from host.core.ids import entity_name_in
from host.core.trace import TraceContext, span_of
from host.engine.observer import TurnCommitted
from host.traces.recent import Recent
from host.traces.spans import Kind, Span, Value

MAX_WAITING: Final = 100_000
"""Of so many tasks it is remembered when they were asked for; spans of others have no length."""


_Answer: TypeAlias = (
    history.TimerFired | history.EntityOperationCompleted | history.EntityOperationFailed
)


class Traced(msgspec.Struct, frozen=True):
    """An execution in its trace."""

    trace: TraceContext
    span_id: str
    """Of the execution: the parent of what its code asked for."""


class TurnSpans:
    """Makes them, of all executions of a host."""

    def __init__(self, export: Callable[[Span], None]) -> None:
        self._export = export
        self._asked: Recent[tuple[str, int], tuple[datetime, str]] = Recent(MAX_WAITING)
        """By execution and task: when it was asked for, and its name."""
        self._makers: Mapping[type, Callable[[TurnCommitted, Traced, Any], None]] = {
            history.TimerCreated: self._timer_created,
            history.EntityOperationCalled: self._operation_called,
            history.TimerFired: self._timer_fired,
            history.EntityOperationCompleted: self._operation_completed,
            history.EntityOperationFailed: self._operation_failed,
            history.ContinueAsNew: self._continued,
            history.ExecutionCompleted: self._completed,
        }

    def see(self, event: TurnCommitted, traced: Traced) -> None:
        """A turn of an execution of this trace is stored."""
        for each in event.commit.batch.events:
            make = self._makers.get(type(each))  # most events make no span
            if make is not None:
                make(event, traced, each)

    def _timer_created(
        self, event: TurnCommitted, _traced: Traced, timer: history.TimerCreated
    ) -> None:
        self._asked.put((event.commit.execution_id, timer.task_id), (timer.timestamp, "timer"))

    def _operation_called(
        self, event: TurnCommitted, _traced: Traced, call: history.EntityOperationCalled
    ) -> None:
        name = f"entity:{entity_name_in(call.instance_id)[1:]}:{call.operation}"
        self._asked.put((event.commit.execution_id, call.task_id), (call.timestamp, name))

    def _timer_fired(self, event: TurnCommitted, traced: Traced, fired: history.TimerFired) -> None:
        self._task(event, traced, fired, "timer")

    def _operation_completed(
        self, event: TurnCommitted, traced: Traced, done: history.EntityOperationCompleted
    ) -> None:
        self._task(event, traced, done, "entity")

    def _operation_failed(
        self, event: TurnCommitted, traced: Traced, failed: history.EntityOperationFailed
    ) -> None:
        self._task(event, traced, failed, "entity", summary(failed.failure))

    def _continued(self, event: TurnCommitted, traced: Traced, end: history.ContinueAsNew) -> None:
        self._execution(event, traced, end.timestamp, "ContinuedAsNew")

    def _completed(
        self, event: TurnCommitted, traced: Traced, end: history.ExecutionCompleted
    ) -> None:
        self._execution(event, traced, end.timestamp, end.status.value, error=_error_of(end))

    def _task(
        self,
        event: TurnCommitted,
        traced: Traced,
        answer: _Answer,
        name: str,
        error: str | None = None,
    ) -> None:
        execution_id = event.commit.execution_id
        task_id, ended_at = answer.task_id, answer.timestamp
        began_at, name = self._asked.pop((execution_id, task_id)) or (ended_at, name)
        trace = traced.trace
        if trace.is_sampled:
            self._export(
                Span(
                    trace_id=trace.trace_id,
                    span_id=span_of(execution_id, task_id),
                    parent_id=traced.span_id,
                    name=name,
                    kind=Kind.INTERNAL if name == "timer" else Kind.CLIENT,
                    began_at=began_at,
                    ended_at=ended_at,
                    attributes=_whose(event) | {"funchost.task_id": task_id},
                    error=error,
                )
            )

    def _execution(
        self,
        event: TurnCommitted,
        traced: Traced,
        ended_at: datetime,
        status: str,
        *,
        error: str | None = None,
    ) -> None:
        started, trace = event.started, traced.trace
        if started is None or not trace.is_sampled:
            return
        link = (trace.linked_trace_id, trace.linked_span_id)
        self._export(
            Span(
                trace_id=trace.trace_id,
                span_id=traced.span_id,
                parent_id=trace.parent_id,
                name=f"orchestration:{started.name}",
                kind=Kind.INTERNAL,
                began_at=min(started.timestamp, ended_at),
                ended_at=ended_at,
                attributes=_whose(event) | {"funchost.status": status},
                error=error,
                link=link if all(link) else None,
            )
        )


def _error_of(end: history.ExecutionCompleted) -> str | None:
    if end.status is RuntimeStatus.COMPLETED:
        return None
    return end.status.value if end.failure is None else summary(end.failure)


def _whose(event: TurnCommitted) -> dict[str, Value]:
    attributes: Mapping[str, Value] = {
        "funchost.instance_id": event.commit.instance_id,
        "funchost.execution_id": event.commit.execution_id,
    }
    return dict(attributes)
