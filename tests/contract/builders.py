"""Records for storage tests: everything has a default, tests say only what matters to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from bindings.client import RuntimeStatus
from host.core.history import (
    Batch,
    ContinueAsNew,
    EventRaised,
    ExecutionStarted,
    HistoryEvent,
    OrchestratorStarted,
    ParentInstance,
    TaskScheduled,
)
from host.core.records import (
    ANYBODY,
    Commit,
    Effects,
    Instance,
    Lease,
    Message,
    Start,
    Unawaited,
)
from tests.kit import manual_clock

NOW = datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)
PENDING, RUNNING, COMPLETED = (
    RuntimeStatus.PENDING,
    RuntimeStatus.RUNNING,
    RuntimeStatus.COMPLETED,
)


class ManualClock(manual_clock.ManualClock):
    """A clock that stands at `NOW` until it is moved."""

    def __init__(self) -> None:
        super().__init__(NOW)


def at(seconds: float) -> datetime:
    """A moment, in seconds after `NOW`."""
    return NOW + timedelta(seconds=seconds)


def instance(instance_id: str = "i", execution_id: str = "e1", **fields: Any) -> Instance:
    """A Pending instance, unless `fields` say otherwise."""
    values: dict[str, Any] = {
        "name": "hello",
        "status": PENDING,
        "created_at": NOW,
        "updated_at": NOW,
        "input": '["Tokyo"]',
    }
    return Instance(instance_id=instance_id, execution_id=execution_id, **(values | fields))


def finished(instance_id: str = "i", execution_id: str = "e1", **fields: Any) -> Instance:
    """A Completed instance."""
    values: dict[str, Any] = {"status": COMPLETED, "output": '"done"', "updated_at": at(5)}
    return instance(instance_id, execution_id, **(values | fields))


def parent(task_id: int = 0, instance_id: str = "i", execution_id: str = "e1") -> ParentInstance:
    """A parent that waits with a task."""
    return ParentInstance(
        instance_id=instance_id, execution_id=execution_id, task_id=task_id, name="hello"
    )


def start(instance_id: str = "child", execution_id: str = "c1", **fields: Any) -> Start:
    """A sub-orchestration of task 0 of `i`, whose refusal is the message `refused`."""
    new = instance(instance_id, execution_id, **({"parent": parent()} | fields))
    return Start(new, message("refused"))


def message(message_id: str = "m1", data: str = "null") -> Message:
    """An external event."""
    return Message(message_id=message_id, event=EventRaised(timestamp=NOW, name="go", input=data))


def events(*extra: HistoryEvent, execution_id: str = "e1") -> tuple[HistoryEvent, ...]:
    """The events of some turn."""
    begun = ExecutionStarted(timestamp=NOW, name="hello", execution_id=execution_id)
    return (OrchestratorStarted(timestamp=NOW), begun, *extra)


def continue_as_new() -> HistoryEvent:
    """The end of an execution that goes on in another."""
    return ContinueAsNew(timestamp=NOW, input="1")


def effects(instance_id: str = "i", **fields: Any) -> Effects:
    """Effects of a turn of `i`."""
    return Effects(instance_id=instance_id, **fields)


def commit(
    number: int = 0,
    *,
    instance_id: str = "i",
    execution_id: str = "e1",
    row_execution_id: str | None = None,
    batch: Batch | None = None,
    open_activities: int = 0,
    **fields: Any,
) -> Commit:
    """A turn of `i`; `fields` are those of its effects."""
    return Commit(
        instance_id=instance_id,
        execution_id=execution_id,
        number=number,
        batch=batch or Batch(events=events(execution_id=execution_id)),
        effects=effects(instance_id, **fields),
        row_execution_id=row_execution_id or execution_id,
        open_activities=open_activities,
    )


def unawaited(
    task_id: int = 0, *, was_leased: bool = False, input_: str = '"x"', **lease_: Any
) -> Unawaited:
    """What an execution of `i` leaves to be run: nobody has it as yet, unless `lease_` says so."""
    scheduled = TaskScheduled(timestamp=NOW, task_id=task_id, name="f", input=input_)
    fields: dict[str, Any] = {"owner": ANYBODY, "expires_s": 10} | lease_
    held = lease(task_id, **fields)
    return Unawaited(msgspec.structs.replace(held, scheduled=scheduled), was_leased)


def lease(task_id: int = 0, owner: str = "host-a", expires_s: float = 30, **key: str) -> Lease:
    """A lease of an activity of `i`."""
    return Lease(
        instance_id=key.get("instance_id", "i"),
        execution_id=key.get("execution_id", "e1"),
        task_id=task_id,
        owner=owner,
        expires_at=at(expires_s),
    )
