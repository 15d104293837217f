"""Histories by hand: batches as a host would have written them, for replay to make sense of."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from bindings.client import RuntimeStatus
from bindings.errors import FailureDetails
from host.core import history
from host.core.history import Batch, HistoryEvent
from host.core.records import Instance, Snapshot, StoredBatch

START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
EXECUTION_ID = "0123456789abcdef0123456789abcdef"


def dumps(value: object) -> str | None:
    """A value as the payload that the converter would make."""
    return None if value is None else json.dumps(value, separators=(",", ":"))


def a_failure(message: str = "boom", error_type: str = "ValueError") -> FailureDetails:
    return FailureDetails(error_type=error_type, message=message)


def pending(name: str, input_: object = None, **fields: Any) -> Instance:
    """The row of an instance that was just created."""
    row: dict[str, Any] = {
        "instance_id": "inst",
        "execution_id": EXECUTION_ID,
        "name": name,
        "status": RuntimeStatus.PENDING,
        "created_at": START,
        "updated_at": START,
        "input": dumps(input_),
    }
    return Instance(**(row | fields))


class HistoryBuilder:
    """Writes the history of one execution, turn by turn: `.turn()` begins the next batch."""

    def __init__(self, row: Instance) -> None:
        self.row = row
        self.now = START
        self._batches: list[list[HistoryEvent]] = []
        self._last_task_id = 0
        self.turn(seconds=0).add(self.row.start_event())

    def turn(self, seconds: float = 1) -> HistoryBuilder:
        self.now += timedelta(seconds=seconds)
        self._batches.append([history.OrchestratorStarted(timestamp=self.now)])
        return self

    def add(self, event: HistoryEvent) -> HistoryBuilder:
        self._batches[-1].append(event)
        return self

    def scheduled(self, name: str, input_: object = None) -> HistoryBuilder:
        return self.add(
            history.TaskScheduled(
                timestamp=self.now, task_id=self._next(), name=name, input=dumps(input_)
            )
        )

    def timer(self, delay: timedelta) -> HistoryBuilder:
        task_id = self._next()
        return self.add(
            history.TimerCreated(timestamp=self.now, task_id=task_id, fire_at=self.now + delay)
        )

    def child(self, name: str, instance_id: str) -> HistoryBuilder:
        return self.add(
            history.SubOrchestrationInstanceCreated(
                timestamp=self.now, task_id=self._next(), name=name, instance_id=instance_id
            )
        )

    def sent(self, instance_id: str, name: str) -> HistoryBuilder:
        return self.add(
            history.EventSent(
                timestamp=self.now, task_id=self._next(), instance_id=instance_id, name=name
            )
        )

    def completed(self, task_id: int, result: object = None) -> HistoryBuilder:
        return self.add(
            history.TaskCompleted(timestamp=self.now, task_id=task_id, result=dumps(result))
        )

    def raised(self, name: str, data: object = None) -> HistoryBuilder:
        return self.add(history.EventRaised(timestamp=self.now, name=name, input=dumps(data)))

    def batches(self) -> tuple[Batch, ...]:
        return tuple(Batch(events=tuple(events)) for events in self._batches)

    def snapshot(self, **fields: Any) -> Snapshot:
        stored = tuple(
            StoredBatch(execution_id=self.row.execution_id, number=number, batch=batch)
            for number, batch in enumerate(self.batches())
        )
        return Snapshot(instance=self.row, batches=stored, **fields)

    def _next(self) -> int:
        self._last_task_id += 1
        return self._last_task_id
