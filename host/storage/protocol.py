"""The storage contract. Its docstrings are what `tests/contract` holds every driver to.

Two rules govern everything here. Tables are the truth, queues are hints: any wake-up may be lost,
doubled, late or out of order. And one conditional write commits a turn: `commit` either appends its
batch or raises `Conflict`; the effects come after the append, are idempotent, and may have to be
applied again with `apply` when a crash came between.

Every method may raise `StorageError`: then nothing was done, or, for a driver over a network, it is
not known; doing it again is always safe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol, TypeAlias

import msgspec

from bindings.client import ListOrder, ReusePolicy, RuntimeStatus
from host.core.history import TaskScheduled
from host.core.records import Commit, Effects, Instance, Lease, Message, Notice, Snapshot


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What came of effects.

    `refused_starts` are ids of sub-orchestrations that could not start because an active instance
    that is not theirs has the id: their refusals were delivered to the parent. `dropped` are ids of
    messages whose addressee is missing or finished.
    """

    refused_starts: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


REMOVED_AFTER = timedelta(seconds=30)
"""How long after its mark an entity can be removed: by then whoever looked at it before has sent
what he was to send, or looks again."""


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """An instance that wants to be woken at a time.

    `is_short`: it was set so shortly before its time that the host that set it rings it, if that
    goes on. A store that one process has alone need not tell.
    """

    instance_id: str
    due: datetime
    is_short: bool = False


class Created(Enum):
    """What became of a new instance."""

    NEW = "new"
    """It is stored now."""
    BEFORE = "before"
    """It was stored before: by the same request, or by one like it."""
    KEPT = "kept"
    """Another one has the id, and stays."""


class Removal(Enum):
    """What became of the removal of an entity."""

    GONE = "gone"
    """Nothing is stored of it any more."""
    KEPT = "kept"
    """It is not as it was thought to be, or has mail."""
    MARKED = "marked"
    """It goes if this is asked for again after `REMOVED_AFTER`, and nobody has sent to it since."""


class Sought(Enum):
    """Which instances a search for lost wake-ups is about."""

    ALL = "all"
    """All that may need one."""
    UNLED = "unled"
    """Those that nobody has led to a wait yet, and those of `BLOCKED`."""
    BLOCKED = "blocked"
    """Those that are blocked, and finished ones: what one left may lack its function."""


class RecoverablePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some of those that may need a wake-up. The search goes on after `rest`; None at its end."""

    instance_ids: tuple[str, ...]
    rest: str | None = None


class NamedLock(msgspec.Struct, frozen=True, kw_only=True):
    """The right to do, alone in the hub, what a name stands for, until a time."""

    name: str
    owner: str
    expires_at: datetime


class NamedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What hosts keep in a hub besides instances: of a kind, under a key that is one of its kind.

    `stamp` names the write that left the record so; whoever writes draws a new one. `data` has at
    most 256 KiB. Neither `kind` nor `key` is empty; both are short.
    """

    kind: str
    key: str
    stamp: str
    data: bytes


class RecordPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some records of a kind. The rest comes after the key `rest`; None at the end."""

    records: tuple[NamedRecord, ...]
    rest: str | None = None


class InstanceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which instances to find. Empty fields do not restrict; the time ranges are inclusive.

    `text` stands, in any case, in the id, in the JSON of the custom status, or in what a failure
    says of its type and in its message. `order` is that of a listing. A run keeps its name and when
    it was created, and its tags unless it is an entity: rows that say otherwise later may be found
    by what they said.
    """

    statuses: frozenset[RuntimeStatus] = frozenset()
    names: frozenset[str] = frozenset()
    created_from: datetime | None = None
    created_to: datetime | None = None
    updated_from: datetime | None = None
    updated_to: datetime | None = None
    id_prefix: str | None = None
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    text: str | None = None
    is_quarantined: bool = False
    """Whether only those are sought that are quarantined."""
    order: ListOrder = ListOrder.CREATED
    entities: bool = False
    """Whether entities are sought, and nothing else; else they are left out."""

    def by_creation(self) -> InstanceFilter:
        """The same in order of creation."""
        return msgspec.structs.replace(self, order=ListOrder.CREATED)


class InstancePage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of rows. `token` continues the listing; None on the last page."""

    instances: tuple[Instance, ...]
    token: str | None = None


class HubStore(Protocol):
    """The tables of one hub.

    What is stored of an instance and cannot be read is a `DamagedDataError`, for this instance.
    """

    @property
    def was_interrupted(self) -> bool:
        """Whether the process that owned the open store alone before ended without closing it.

        False for a store that many processes share.
        """

    async def expect_end(self) -> None:
        """The process was told to stop: however it ends from now on, it was not interrupted."""

    def problems(self) -> Sequence[str]:
        """What keeps the store from working right now, in words, as far as it knows.

        Never blocks. When there is something, asking may make the store try whether it is over.
        """

    async def open(self) -> None:
        """Create what is missing and check the format. Raises `StorageUnavailableError`.

        A store that one process owns alone lets the leases of its earlier owners be over.
        """

    async def close(self) -> None:
        """Finish the writes that were accepted, then let go of everything. Idempotent."""

    async def create(
        self, instance: Instance, reuse: ReusePolicy, *, replaces: str | None = None
    ) -> Created:
        """Store a new, Pending instance, unless an existing one is kept.

        If the id is taken the policy decides: WHEN_FINISHED replaces a finished instance, REPLACE
        any, KEEP gives KEPT, KEEP_ACTIVE does that for an active one and replaces a finished one,
        and otherwise (NEVER, or an active one) it raises `InstanceAlreadyExistsError`. An existing
        row of the run that begins with this execution is this very create, done before, whatever
        became of it: BEFORE. Replacing removes everything stored of the old instance. A
        `scheduled_start_at` sets the alarm. With `replaces` it is stored in place of the run whose
        row speaks of this execution, and of nothing else: `InstanceNotFoundError` if there is no
        row, `InstanceAlreadyExistsError` if there is another.
        """

    async def plant(self, snapshot: Snapshot, *, leaves_work: bool) -> None:
        """Store a whole instance that comes from elsewhere: all that the snapshot has, at once.

        Nobody sees anything of it before all of it is there. `leaves_work` says whether its newest
        batch leaves something to do without a message. Raises `InstanceAlreadyExistsError` if there
        is an instance of the id. A store of many processes raises it, too, while somebody else is
        at it, and for a quarter of an hour if he broke off: what he left is never seen, and goes.
        """

    async def get(self, instance_id: str) -> Instance | None:
        """The row, or None. Running instead of Pending once a first batch exists."""

    async def load(self, instance_id: str) -> Snapshot | None:
        """Everything of one instance, read consistently; None if there is no row.

        Batches of an execution are in order of number. Batches of executions that no row or chain
        leads to any more may be included.
        """

    async def read_inbox(self, instance_id: str, *, of: str | None = None) -> Sequence[Message]:
        """The messages not yet deleted, in order of arrival. Cheap when there are none.

        `of` is the execution that the row speaks of by a copy in memory. Raises `Conflict` if the
        row is gone, finished, or of another one: then the copy is old.
        """

    async def is_latest(self, instance_id: str, execution_id: str, number: int) -> bool:
        """Whether this batch is there and is the execution's last; -1 stands for no batch.

        A small read, for a copy in memory that knows of nothing to do: others may know better.
        """

    async def send(self, instance_id: str, message: Message, *, of: str | None = None) -> None:
        """Put one message into the inbox of an active instance.

        `of` is the run that is meant (`Instance.run_id`): another one is as if there was none. The
        same message id again has no effect. Raises `InstanceNotFoundError`, or
        `InstanceStateError` with `finished` for a finished instance. An entity that is not there is
        made by its first message, here and by `apply`, in the same step (`rules.born_of`).
        """

    async def commit(self, commit: Commit) -> Applied:
        """Append the batch if its key is free and the row still is of that run, then apply effects.

        Raises `Conflict`, having done nothing, if a batch with (instance, execution, number)
        exists, or the row is gone or speaks of another execution than `row_execution_id`.

        A batch that is whole takes the place of the one before, in the same step: `Conflict`, too,
        if that (the one with the number before, or none) is not the execution's latest.

        That of a rewind lets a failed instance go on: its row, after more rewinds than the stored
        one, takes the place of that one, and its work is found as that of any unfinished instance.
        """

    async def apply(self, effects: Effects) -> Applied:
        """Apply effects. Doing it twice, or after later commits, changes nothing more.

        A start whose id is free, or held by a finished and not younger instance of another parent,
        creates the Pending instance; one that exists with the same parent is this start, done
        before; otherwise its refusal is delivered to `effects.instance_id`, in the same step if
        possible. A row is written only over a row of the same run that is not finished, of no later
        generation and turn, after no more rewinds, and not younger; or over one that failed, after
        more rewinds of its execution. A lease only if it is of the row's execution. Of what is for
        another run of the instance nothing is done to the instance itself. Messages to missing or
        finished instances are dropped.

        The lease of an unawaited activity is stored if there is none; one that is there keeps its
        owner and expiry, and gets what is to be run. So such a lease is there before the row that
        says that the turn's work is done. It outlives its execution and the instance's end, but no
        termination. A finished instance that has any gets `wake_at` as its alarm; later on that is
        moved or cleared, never set anew.

        Each notice is a record (`kept_notices`) before the row is written, whatever becomes of the
        rest; of a turn that was refused none is.
        """

    async def change_row(
        self, seen: Instance, new: Instance, *, notices: Sequence[Notice] = ()
    ) -> bool:
        """Put an unfinished row in place of the one that was seen, which it goes on from.

        False, with nothing done, if that is not the stored row any more (its execution, turn or
        time of update is another), or is finished. A new `scheduled_start_at` sets the alarm, in
        the same step. `notices` are stored with the row. A store that
        cannot do both at once stores them first, and takes them back if the row is another: who
        tells them sees by the row whether that was still to come.
        """

    async def due_alarms(self, now: datetime, limit: int) -> Sequence[Alarm]:
        """Alarms due at `now` or before, the oldest first."""

    async def next_alarm(self, after: datetime) -> datetime | None:
        """When the first alarm later than `after` is due; None if there is none."""

    async def renew_lease(self, lease: Lease, *, heir: str | None = None) -> bool:
        """Set a new expiry; False if the lease is gone or another owner's.

        With `heir` it is his from then on, in the same step: in between nobody finds it over.

        What the stored lease says is to be run stays, here and in `take_lease`.
        """

    async def finish_lease(self, lease: Lease, message: Message, *, keep: bool = False) -> bool:
        """Deliver the result of a leased activity and end the lease, as one step if possible.

        With `keep` the lease stays: it says that the task was begun. False, with nothing delivered,
        if the lease is gone or another owner's: the activity was given to somebody else, or the
        instance no longer waits for it. Of an unawaited activity the lease ends, and False says
        that the result was for nobody.
        """

    async def claim_lease(self, lease: Lease, number: int) -> bool:
        """Store the lease of a task that nobody ever had; the same claim again is still True.

        False if the task has a lease of any other owner, over or not, if the instance is gone,
        finished or in another execution than the lease's, or if a batch after this number has been
        appended: who claims then does not know what became of the task. A lease may be left behind
        by a claim that is False, and keeps others from the task.
        """

    async def take_lease(self, lease: Lease, now: datetime) -> bool:
        """Put the lease in place of one that waits for anybody, or is over by `now`.

        Of an unawaited activity also if the instance is finished. The same again is still True.
        False if there is none, or it is another owner's still.
        """

    async def query(
        self,
        filter_: InstanceFilter,
        *,
        limit: int,
        token: str | None = None,
        max_bytes: int | None = None,
    ) -> InstancePage:
        """Instances in the filter's order, newest first (ties by id). A page may be short.

        In order of creation who is there all the time is on some page, also if he is restarted
        meanwhile: what was created since the first page comes after the last one, unless so much is
        created that the listing would not end. In order of the last change who does not change
        meanwhile is on one page; who does moves to the front, and is on one page or on none. A
        store without an index for that may refuse it with `InvalidArgumentError` if many match.

        The rows of a page have about `max_bytes` in all; one that has more by itself comes alone.
        Raises `InvalidArgumentError` for a token that is not from this listing.
        """

    async def count(self, filter_: InstanceFilter) -> Mapping[RuntimeStatus, int]:
        """How many instances the filter finds, by status; a status of none is left out.

        It looks in steps at all that were created in the filter's time. So it may take long, and is
        no view of one moment: who is restarted or ends meanwhile may count twice.
        """

    async def purge(self, instance_id: str, execution_id: str | None = None) -> bool:
        """Remove everything of a finished instance; False if there is no such instance.

        With `execution_id` only if the row is still of that execution, so that a purge never hits
        a run that was started meanwhile. Raises `InstanceStateError` for an active instance. A
        store may remove one all the same if its row or a message to it is damaged, as SQLite's
        does: nothing else would ever end it.
        """

    async def remove_entity(self, instance_id: str, execution_id: str, number: int) -> Removal:
        """Remove an entity whose last batch is this one (-1: it has none), and that has no mail.

        A message that is sent at the same time is not lost: it keeps the entity, or makes it anew.
        A store to which many processes send in steps marks the entity first, and removes it when it
        is asked again: `Removal.MARKED`. Who sends meanwhile takes the mark away. Whether the
        entity may go (it has no state, say) the caller knows, by this batch.
        """

    async def recoverable(
        self, *, after: str = "", limit: int = 1000, sought: Sought = Sought.ALL
    ) -> RecoverablePage:
        """Ids of instances that may need a wake-up; `after` is the `rest` of the page before.

        They come in an order of the store's own, each once unless he is restarted meanwhile.
        Unfinished ones that are Pending without a future start, blocked, have inbox messages, or
        scheduled activities without a result; finished ones with an unawaited activity whose lease
        is over. `limit` is about how many are looked at, so a page may have none though there are
        more to come. Of those that are not `sought` any may be left out, and none need be.
        """

    async def hold_lock(self, lock: NamedLock, now: datetime) -> bool:
        """Take the lock, or keep it for longer; False if it is another owner's still.

        It is to be had if nobody has it, or its owner's time is over by `now`. So it is if that
        time ends later than twice the time that is asked for: then a clock was off, and nobody is
        to wait for that. One small conditional write.
        """

    async def release_lock(self, name: str, owner: str) -> None:
        """Let go of a lock; of another owner's lock nothing is done."""

    async def locks(self, prefix: str) -> Sequence[NamedLock]:
        """The locks whose names begin so, in order of name, also those whose time is over."""

    async def put_record(self, record: NamedRecord) -> None:
        """Store the record, whatever was there before. One small write."""

    async def change_record(self, record: NamedRecord, *, after: str | None) -> bool:
        """Store the record in place of the one with the stamp `after`; None: where there is none.

        The same again is still True. False, with nothing done, if another one is there, or none.
        """

    async def remove_record(self, kind: str, key: str, *, after: str | None = None) -> bool:
        """Remove the record, if it is there; whether there is none now.

        With `after` only the one with this stamp is removed: False, with nothing done, if another
        one is there.
        """

    async def record(self, kind: str, key: str) -> NamedRecord | None:
        """The record, or None."""

    async def records(self, kind: str, *, after: str = "", limit: int = 100) -> RecordPage:
        """Records of a kind, in order of their keys, those greater than `after`.

        What cannot be read is left out. A page may be short.
        """

    async def made_at(self) -> datetime | None:
        """When the hub was made; None if a version made it that did not yet write that down."""


class WakeUp(msgspec.Struct, frozen=True, kw_only=True):
    """The hint that an instance has something to do. While it is held, no other of it is out.

    `deliveries` counts how often this hint was handed out, this time included: more than one means
    that an earlier holder vanished, perhaps with effects undone. `is_recovery` says the same of a
    hint that was lost with its holder, and was made anew by somebody who looked. `passed` is how
    often hosts without the function passed it on.
    """

    instance_id: str
    receipt: str = ""
    deliveries: int = 1
    is_recovery: bool = False
    passed: int = 0

    @property
    def is_suspicious(self) -> bool:
        """Whether an earlier holder may have left effects undone."""
        return self.deliveries > 1 or self.is_recovery


class WorkItem(msgspec.Struct, frozen=True, kw_only=True):
    """The hint that an activity is to be run, by whichever host takes its lease over first.

    `scheduled` is None if the activity's input is too large for a hint: then the history has it.
    `passed` is how often hosts without the function passed it on.
    """

    instance_id: str
    execution_id: str
    task_id: int
    scheduled: TaskScheduled | None = None
    receipt: str = ""
    deliveries: int = 1
    passed: int = 0


Hint: TypeAlias = WakeUp | WorkItem


class HubQueues(Protocol):
    """The hints of one hub."""

    async def stop_receiving(self) -> None:
        """Take nothing more for this host, whose receivers have gone; return when that is so.

        What is on its way to it is given back at once, and not counted as handed out. Idempotent.
        """

    async def close(self) -> None:
        """Let go of everything; a `receive` that waits ends with nothing. Idempotent."""

    async def send_wakeups(self, instance_ids: Sequence[str], *, is_recovery: bool = False) -> None:
        """Hint that these instances have something to do.

        A recovery hint that meets another hint of its instance makes one recovery hint with it.
        """

    async def pass_on(self, wakeup: WakeUp) -> None:
        """Let another host have this one: by a new hint, since nobody vanished with it.

        It is `passed` once more, and a recovery hint if it was suspicious.
        """

    async def send_work(self, items: Sequence[WorkItem]) -> None:
        """Hint that these activities are to be run."""

    async def receive_work(self, limit: int) -> Sequence[WorkItem]:
        """Wait for at least one work item and take up to `limit`, in no certain order."""

    async def receive_wakeups(self, limit: int) -> Sequence[WakeUp]:
        """Wait for at least one wake-up and take up to `limit`, the oldest first.

        Of one instance only one wake-up is out at a time; one that was sent meanwhile is handed out
        after the held one was finished or released.
        """

    async def extend(self, hints: Sequence[Hint]) -> None:
        """Hold these hints longer. For those that others may have by now, `is_held` turns false."""

    def is_held(self, hint: Hint) -> bool:
        """Whether nobody else can have been handed this hint yet. Never blocks.

        By this process's own clock, reckoned from before the request that got the hint or held it
        longer; so a process that was stopped for a while finds out by itself.
        """

    def hold_left_s(self, hint: Hint) -> float:
        """For how many seconds more `is_held` is true; inf where holds do not end by themselves.

        0 or less if it is not. Never blocks.
        """

    async def finish(self, hints: Sequence[Hint]) -> None:
        """The hints were seen to."""

    async def release(self, hints: Sequence[Hint]) -> None:
        """Give the hints back unseen: anyone may take them at once."""
