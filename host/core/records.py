"""The records that the core and the storage exchange: instances, messages, commits, effects.

All are frozen. What must happen after a turn is data here (`Effects`), done by a storage driver.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import Final

import msgspec

from bindings.client import RuntimeStatus
from bindings.errors import FailureDetails
from host.core import ids
from host.core.history import (
    Batch,
    ExecutionStarted,
    InboxEvent,
    ParentInstance,
    Payload,
    TaskScheduled,
)
from host.core.trace import TraceContext

TICK = timedelta(microseconds=1)


class EntityView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the row of an entity says of it: enough to list entities without their states."""

    has_state: bool = False
    locked_by: str | None = None
    """The instance whose critical section has locked it."""


class Debounce(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """That starts with the instance's id move it until it begins: the last input counts."""

    starts: tuple[str, ...]
    """The executions that the last of these starts would have begun, each alone: whoever makes one
    of them again, since he heard no answer, finds it made."""
    is_over: bool = False
    """Whether it begins, and nothing moves it any more."""


class Instance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The status row of one instance: a projection of its history, except while it is Pending.

    The row of a new instance holds all that is needed to start it. `execution_id` is the execution
    that the row speaks of; the history may be further (continue-as-new), never behind.
    """

    instance_id: str
    execution_id: str
    name: str
    status: RuntimeStatus
    created_at: datetime
    updated_at: datetime
    generation: int = 0
    input: Payload = None
    output: Payload = None
    custom_status: Payload = None
    failure: FailureDetails | None = None
    version: str | None = None
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    parent: ParentInstance | None = None
    scheduled_start_at: datetime | None = None
    blocked_reason: str | None = None
    last_number: int = msgspec.field(default=-1, name="turn")
    """The number of the last batch of the execution that the row speaks of; -1 before the first."""
    tries: int = 0
    """How often the instance was taken up again after a host vanished with it, without getting on
    since then."""
    is_quarantined: bool = False
    """Whether its code is run no more until somebody redrives it, or until `retry_at`;
    `blocked_reason` says why."""
    retry_at: datetime | None = None
    """When a quarantined instance is tried again by itself; None for never."""
    quarantines: int = 0
    """How often in a row it was quarantined for hosts that vanished with it."""
    first_execution_id: str = ""
    """The execution that it was started with, once it has continued as new. Rows that an older
    version stored do not say."""
    rewinds: int = 0
    """How often the execution was rewound: a row of before that never comes back."""
    imported_at: datetime | None = None
    """When it came from elsewhere: nobody has kept it here for longer than since then."""

    entity: EntityView | None = None
    """None for an orchestration, and for an entity that has done nothing yet."""
    debounce: Debounce | None = None
    """None unless it was started with one."""
    trace: TraceContext | None = None
    """The trace of its first execution; None unless it was started where traces are on."""

    @property
    def run_id(self) -> str:
        """The run that the row is of, named by its first execution; "" if the row does not say."""
        return self.first_execution_id or ("" if self.generation else self.execution_id)

    @property
    def entity_name(self) -> str:
        """The name of the entity whose row this is."""
        return self.name.removeprefix(ids.ENTITY_MARK)

    @property
    def is_finished(self) -> bool:
        """Whether the instance will never run again by itself."""
        return self.status.is_finished

    @property
    def is_movable(self) -> bool:
        """Whether it waits for its start, and another start with a debounce moves it."""
        return self.debounce is not None and not (self.debounce.is_over or self.is_finished)

    def acquitted(self) -> Instance:
        """The row of one that got on: nothing is held against it any more."""
        return msgspec.structs.replace(self, tries=0, quarantines=0, retry_at=None)

    def next_update(self, now: datetime) -> datetime:
        """When a change of the row is made: later than all before it, by whatever host's clock.

        So a copy of an earlier write that lands late never undoes it.
        """
        return max(now, self.updated_at + TICK)

    def start_event(self) -> ExecutionStarted:
        """The event that begins the execution."""
        return ExecutionStarted(
            timestamp=self.created_at,
            name=self.name,
            execution_id=self.execution_id,
            input=self.input,
            version=self.version,
            parent=self.parent,
            tags=self.tags,
            generation=self.generation,
            scheduled_start_at=self.scheduled_start_at,
            trace=self.trace,
        )


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One item of an instance's inbox.

    `message_id` is unique per instance; putting the same id twice has the effect of once.
    `execution_id` is set when the message answers a task of one execution; any other execution
    drops it. `parent` is set when only the child of this task is meant, since another run may have
    taken the child's id.
    """

    message_id: str
    event: InboxEvent
    execution_id: str | None = None
    parent: ParentInstance | None = None


class Envelope(msgspec.Struct, frozen=True):
    """A message on its way to an instance."""

    instance_id: str
    message: Message


class Start(msgspec.Struct, frozen=True):
    """An orchestration that another instance starts.

    `refusal` goes to that one's inbox if the id is taken; None if it does not want to know.
    """

    instance: Instance
    refusal: Message | None = None


class StoredBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as it was read, with its key."""

    execution_id: str
    number: int
    batch: Batch


class ActivityKey(msgspec.Struct, frozen=True):
    """Which activity: a task of an execution of an instance."""

    instance_id: str
    execution_id: str
    task_id: int


ANYBODY: Final = ""
"""The owner of a lease whose activity was handed out: whoever gets its work item takes it over."""
LET_GO: Final = "-"
"""The owner of a lease whose activity was begun by a host that gave it up in order."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """An activity that some host runs, or that waits for one: nobody else starts it before expiry.

    Once over it still says that somebody had the activity, and may have begun it.
    """

    instance_id: str
    execution_id: str
    task_id: int
    owner: str
    expires_at: datetime
    scheduled: TaskScheduled | None = None
    """What is to be run, if nobody waits for it any more: the history that says it may be gone."""
    tries: int = 0
    """How many hosts vanished with it, as far as is known."""


class Unawaited(msgspec.Struct, frozen=True):
    """An activity without a result whose execution has ended: its lease says what is to be run.

    `was_leased`: somebody has, or had, a lease of it. If that is gone the activity has ended.
    """

    lease: Lease
    was_leased: bool = False


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All that is stored of one instance at one moment.

    `batches` are ordered by number within an execution and may span several executions; `inbox` is
    in order of arrival; `wake_at` is the alarm that is set.
    """

    instance: Instance
    batches: tuple[StoredBatch, ...] = ()
    inbox: tuple[Message, ...] = ()
    leases: tuple[Lease, ...] = ()
    wake_at: datetime | None = None


class NoticeKind(StrEnum):
    """What of an instance's life is told outside of the hub, if the app wants it."""

    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    TERMINATED = "terminated"
    QUARANTINED = "quarantined"


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is told, once at least. What is told again has the same id.

    `status` is the instance's then. `reason` says why it failed, was terminated or quarantined.
    """

    notice_id: str
    kind: NoticeKind
    at: datetime
    instance_id: str
    name: str
    status: RuntimeStatus
    reason: str | None = None


class Unchanged(Enum):
    """The type of `UNCHANGED`: leave a value as it is (None would clear it)."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED


class Effects(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What must be stored because a turn was committed. Every part may be done again at any time.

    `run_id` says which run of the instance they are of, if no row does: of what concerns the
    instance itself nothing is done to another run. Without both they are for whichever is there.
    `wake_at` replaces the instance's one alarm: when it is due, the instance is woken. A `row` of a
    finished instance also drops the inbox, the leases and the alarm. `drop_execution` deletes the
    batches and leases of an execution that continued as new. Of `unawaited` activities, though, the
    leases and the alarm stay until they have run, or the instance is terminated. `notices` are of
    what has happened, so they are stored whatever became of the instance since then.
    """

    instance_id: str
    run_id: str = ""
    row: Instance | None = None
    consumed: tuple[str, ...] = ()
    starts: tuple[Start, ...] = ()
    messages: tuple[Envelope, ...] = ()
    wake_at: datetime | Unchanged | None = UNCHANGED
    leases: tuple[Lease, ...] = ()
    unawaited: tuple[Unawaited, ...] = ()
    drop_execution: str | None = None
    notices: tuple[Notice, ...] = ()


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """One turn: the batch to append, and the effects that follow from it.

    `row_execution_id` is the execution that the stored row must still speak of: an instance that
    was purged or replaced meanwhile has another, and the commit is refused. `open_activities` is
    how many scheduled activities have no result after this batch. A batch that `is_whole` says all
    that there is to say of the instance, and takes the place of the one before.
    """

    instance_id: str
    execution_id: str
    number: int
    batch: Batch
    effects: Effects
    row_execution_id: str
    open_activities: int = 0
    is_whole: bool = False
