"""History events: what is written for ever about one execution.

Rules of this file: names, meanings and tag numbers are those of Durable Task's event types, so that
a history maps one-to-one onto its SDKs' protocol. A tag number is never reused; a field may be
added only with a default; nothing is ever renamed (stored histories are decoded for years).
Payloads are JSON texts. Timestamps are aware, in UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from bindings.client import RuntimeStatus
from bindings.errors import FailureDetails
from host.core.trace import TraceContext

Payload: TypeAlias = str | None
"""JSON text, or None where there is no value at all."""


class ParentInstance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who waits for a sub-orchestration: the parent's execution and the task it waits with."""

    instance_id: str
    execution_id: str
    task_id: int
    name: str = ""


class EntityLock(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who has locked an entity, and since when. The holder's task is the one that asked for it."""

    holder: ParentInstance
    since: datetime


class DelayedSignal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An operation that an entity is to do at a time."""

    due: datetime
    operation: str
    input: Payload = None


class ExecutionStarted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=0):
    """The execution's first event (after a suspension that came before it, if any).

    What the code draws is derived from `execution_id`. In a fork that is still its origin's.
    """

    timestamp: datetime
    name: str
    execution_id: str
    input: Payload = None
    version: str | None = None
    parent: ParentInstance | None = None
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    generation: int = 0
    scheduled_start_at: datetime | None = None
    trace: TraceContext | None = None
    """None unless it was started where traces are on."""


class ExecutionCompleted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=1):
    """The execution's last event, whatever the outcome."""

    timestamp: datetime
    status: RuntimeStatus
    result: Payload = None
    failure: FailureDetails | None = None


class ExecutionTerminated(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=3):
    """A client or the parent stopped the instance."""

    timestamp: datetime
    reason: Payload = None
    recursive: bool = True


class TaskScheduled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=4):
    """An activity is to be run: for the `attempt`-th of at most `max_attempts` times."""

    timestamp: datetime
    task_id: int
    name: str
    input: Payload = None
    attempt: int = 1
    max_attempts: int = 1
    first_id: int | None = None
    """Of a further attempt: the task of the first one."""


class TaskCompleted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=5):
    """An activity returned."""

    timestamp: datetime
    task_id: int
    result: Payload = None


class TaskFailed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=6):
    """An activity raised."""

    timestamp: datetime
    task_id: int
    failure: FailureDetails


class SubOrchestrationInstanceCreated(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=7
):
    """A child instance is to be started."""

    timestamp: datetime
    task_id: int
    name: str
    instance_id: str
    input: Payload = None
    version: str | None = None


class SubOrchestrationInstanceCompleted(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=8
):
    """A child instance completed."""

    timestamp: datetime
    task_id: int
    result: Payload = None


class SubOrchestrationInstanceFailed(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=9
):
    """A child instance failed, was terminated, or could not be started."""

    timestamp: datetime
    task_id: int
    failure: FailureDetails


class TimerCreated(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=10):
    """A timer is to fire at `fire_at`."""

    timestamp: datetime
    task_id: int
    fire_at: datetime


class TimerFired(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=11):
    """A timer's time has come. Never recorded before `fire_at`."""

    timestamp: datetime
    task_id: int
    fire_at: datetime


class OrchestratorStarted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=12):
    """A turn begins; its timestamp is the orchestrator's `current_utc_datetime`."""

    timestamp: datetime


class EventSent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=14):
    """The orchestrator sends an event to another instance."""

    timestamp: datetime
    task_id: int
    instance_id: str
    name: str
    input: Payload = None


class EventRaised(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=15):
    """An external event reached the instance."""

    timestamp: datetime
    name: str
    input: Payload = None


class ContinueAsNew(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=16):
    """The execution's last event: the next execution starts with `input`.

    `carryover` holds the events that were received and not waited for; `recent` the ids of recently
    consumed messages of other orchestrations, so that a late copy of one is still recognised.
    """

    timestamp: datetime
    input: Payload = None
    carryover: tuple[EventRaised, ...] = ()
    recent: tuple[str, ...] = ()
    version: str | None = None
    """The version of the next execution, if it is to have another."""


class ExecutionSuspended(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=19):
    """The instance is held: what comes after waits for `ExecutionResumed`.

    If `recursive`, the same is sent to the sub-orchestrations that it waits for.
    """

    timestamp: datetime
    reason: str = ""
    recursive: bool = False


class ExecutionResumed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=20):
    """The instance goes on; if `recursive`, its sub-orchestrations, too."""

    timestamp: datetime
    reason: str = ""
    recursive: bool = False


class ExecutionRewound(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=21):
    """A failed execution goes on from before its failure: what was in vain is asked for again.

    The batches from `cut` on count no more, but for the ids of the messages that they consumed.
    What came in with them is taken in again by the next turn, without the failures. Activities
    without a result are asked for again under new task ids, which `again` tells by the old ones; no
    task id up to `last_task_id` is given again. Those of a critical section, whose locks are gone,
    are `on_grant`: the code asks for them once it has its locks again. `cause` names the rewind of
    the parent that made this one; "" if somebody asked for it.
    """

    timestamp: datetime
    cut: int
    last_task_id: int
    reason: str = ""
    again: dict[int, int] = msgspec.field(default_factory=dict)
    cause: str = ""
    on_grant: tuple[TaskScheduled, ...] = ()


class CustomStatusSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=22):
    """A client set the custom status: it is shown until the code sets another one.

    Durable Task has no such event.
    """

    timestamp: datetime
    status: Payload = None


class EntityOperationCalled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=30):
    """An operation of an entity is to be done, and its caller waits for what comes of it.

    In the caller's history without `parent`; in the entity's inbox that is the caller. `section` is
    the task by which the caller has locked the entity; 0 outside of critical sections.
    """

    timestamp: datetime
    task_id: int
    instance_id: str
    operation: str
    input: Payload = None
    parent: ParentInstance | None = None
    section: int = 0


class EntityOperationSignaled(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=31
):
    """An operation of an entity is to be done, at once or not before a time; nobody waits for it.

    `task_id` numbers what its sender does; 0 if that is a client.
    """

    timestamp: datetime
    task_id: int
    instance_id: str
    operation: str
    input: Payload = None
    scheduled_at: datetime | None = None


class EntityOperationCompleted(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=32
):
    """A called operation was done. In the entity's history `caller` says by whom it was called."""

    timestamp: datetime
    task_id: int
    result: Payload = None
    caller: ParentInstance | None = None


class EntityOperationFailed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=33):
    """A called operation raised, or there is none of its name; the entity is as it was before it.

    `caller` as in `EntityOperationCompleted`.
    """

    timestamp: datetime
    task_id: int
    failure: FailureDetails
    caller: ParentInstance | None = None


class OrchestrationStartSent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=34):
    """An entity starts an orchestration, and hears no more of it."""

    timestamp: datetime
    task_id: int
    name: str
    instance_id: str
    input: Payload = None
    version: str | None = None


class EntityCheckpoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=35):
    """All that an entity is after a batch of operations: the last event of its one stored batch.

    Durable Task has no such event: there an entity continues as new with each batch.
    """

    timestamp: datetime
    number: int
    """The number of its batch: each takes the place of the one before."""
    state: Payload = None
    """None if there is no state; a state that is None is the JSON text `null`."""
    last_task_id: int = 0
    """How much the entity has sent and started in its life."""
    delayed: tuple[DelayedSignal, ...] = ()
    """Signals whose time has not come, in order of time."""
    recent: tuple[str, ...] = ()
    """What was consumed lately, so that a late copy is still recognised: `entities/received.py`."""
    lock: EntityLock | None = None
    """Who has locked it; None if nobody has."""
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    """Those that its operations have set."""


class EntityLockRequested(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=36):
    """Entities are to be locked, one after the other in this order, and who asked waits for it.

    In the history of who asked without `parent`. The request goes from one entity to the next:
    there `parent` is who asked, with the task that names the section, and `position` says whose
    turn it is.
    """

    timestamp: datetime
    task_id: int
    entities: tuple[str, ...]
    position: int = 0
    parent: ParentInstance | None = None


class EntityLockGranted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=37):
    """All entities of a section are locked. In the last one's history `caller` is who asked."""

    timestamp: datetime
    task_id: int
    caller: ParentInstance | None = None


class EntityUnlockSent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=38):
    """A section is over: the entity is to be unlocked, and then those of `rest`.

    `parent` is who asked for the section, as in `EntityLockRequested`; the entity passes the order
    on to the rest where nobody knows how far the request has come. An entity that another section
    has locked stays as it is, but for a request of this one that waits.
    """

    timestamp: datetime
    task_id: int
    section: int
    instance_id: str
    rest: tuple[str, ...] = ()
    parent: ParentInstance | None = None


HistoryEvent: TypeAlias = (
    ExecutionStarted
    | ExecutionCompleted
    | ExecutionTerminated
    | TaskScheduled
    | TaskCompleted
    | TaskFailed
    | SubOrchestrationInstanceCreated
    | SubOrchestrationInstanceCompleted
    | SubOrchestrationInstanceFailed
    | TimerCreated
    | TimerFired
    | OrchestratorStarted
    | EventSent
    | EventRaised
    | ContinueAsNew
    | ExecutionSuspended
    | ExecutionResumed
    | ExecutionRewound
    | CustomStatusSet
    | EntityOperationCalled
    | EntityOperationSignaled
    | EntityOperationCompleted
    | EntityOperationFailed
    | OrchestrationStartSent
    | EntityCheckpoint
    | EntityLockRequested
    | EntityLockGranted
    | EntityUnlockSent
)

InboxEvent: TypeAlias = (
    TaskCompleted
    | TaskFailed
    | SubOrchestrationInstanceCompleted
    | SubOrchestrationInstanceFailed
    | EventRaised
    | ExecutionSuspended
    | ExecutionResumed
    | ExecutionTerminated
    | CustomStatusSet
    | EntityOperationCalled
    | EntityOperationSignaled
    | EntityOperationCompleted
    | EntityOperationFailed
    | EntityLockRequested
    | EntityLockGranted
    | EntityUnlockSent
)
"""The events that reach an instance from outside, as messages of its inbox."""

EVENT_TYPES: tuple[type[Any], ...] = HistoryEvent.__args__


class Batch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The events of one turn: the unit that is written, under a key of its own, exactly once.

    `consumed` holds the ids of the inbox messages that this turn took in (law 4). For people who
    ask why the instance waits stands here what no event says: `awaited` are names of events that
    the code waits for after this turn, the first few; `let_go` the timers of which it let go in it.
    """

    events: tuple[HistoryEvent, ...]
    consumed: tuple[str, ...] = ()
    awaited: tuple[str, ...] = ()
    let_go: tuple[int, ...] = ()
