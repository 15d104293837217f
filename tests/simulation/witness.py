"""What is checked while a run goes on: every append, as it happens."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from bindings.client import RuntimeStatus
from host.core import history
from host.core.records import Commit, Effects, NoticeKind, StoredBatch
from host.core.rewound import is_rewind
from host.storage.protocol import NamedRecord
from tests.simulation.limits import SlotChecks
from tests.simulation.tables import Witness

LATEST = datetime.max.replace(tzinfo=UTC)


class Happening(NamedTuple):
    """What is to be told of an instance."""

    instance_id: str
    kind: NoticeKind
    at: datetime
    turn: tuple[str, int]
    """Two turns may be of one moment, where a clock was set back."""


class _Run:
    """What was recorded of one instance since it was created."""

    def __init__(self) -> None:
        self.turns: set[tuple[str, int]] = set()
        self.execution_id = ""
        self.next_number = 0
        self.reached: datetime | None = None
        self.consumed: set[str] = set()
        self.fired: set[int] = set()
        self.timers: dict[int, datetime] = {}
        self.recent: tuple[str, ...] = ()
        self.carryover: tuple[history.EventRaised, ...] = ()
        self.has_ended = False
        self.scheduled: dict[str, bool] = {}
        self.was_suspended = False
        self.was_rewound = False
        self.happened: set[Happening] = set()


class AppendChecks(Witness):
    """Sees every batch. `problems` are in words, `late_s` is how late each timer fired.

    Not of an instance that was suspended, or had failed and was rewound: its timers wait.
    """

    def __init__(self, now: Callable[[], datetime], slots: SlotChecks | None = None) -> None:
        """`slots` looks at limits."""
        self._now = now
        self.slots = slots
        self.problems: list[str] = []
        self.late_s: list[float] = []
        self.appends = 0
        self.taken: dict[str, list[str]] = defaultdict(list)
        """The orders to suspend or resume that each instance took in, by their reasons."""
        self.alarm_readers: set[str] = set()
        """The hosts that have read the alarms of all."""
        self.happened: set[Happening] = set()
        """All that is to be told of instances, whatever became of them since then."""
        self._runs: dict[str, _Run] = defaultdict(_Run)

    def appended(self, commit: Commit, latest: datetime) -> None:
        """Check a batch against all that came before it."""
        self.appends += 1
        if self.slots is not None:
            self.slots.appended(commit)
        run = self._runs[commit.instance_id]
        self._check_place(run, commit)
        self._check_consumed(run, commit)
        self._check_carried(run, commit)
        happened = set(_happenings(commit, was_rewound=run.was_rewound))
        run.happened |= happened
        self.happened |= happened
        events = commit.batch.events
        if is_rewind(commit.batch):
            run.fired, run.was_rewound = set(), True  # some of these are to fire again
        run.was_suspended |= any(isinstance(x, history.ExecutionSuspended) for x in events)
        for event in events:
            if isinstance(event, history.ExecutionSuspended | history.ExecutionResumed):
                taken = self.taken[commit.instance_id]
                if not (run.was_rewound and event.reason in taken):
                    taken.append(event.reason)
            self._check_event(run, commit, event, latest)

    def changed(self, record: NamedRecord) -> None:
        """Limits hold whatever hosts do at once."""
        if self.slots is not None:
            self.slots.changed(record)

    def record_removed(self, kind: str, key: str) -> None:
        """So they do by what is not there."""
        if self.slots is not None:
            self.slots.removed(kind, key)

    def scheduled(self) -> dict[str, bool]:
        """The labels of all activities that were recorded and nobody has called off since.

        True for those that may begin only once.
        """
        found: dict[str, bool] = {}
        for run in self._runs.values():
            found |= run.scheduled
        return found

    def remembered(self) -> set[Happening]:
        """What is to be told of the instances that are still there."""
        return {each for run in self._runs.values() for each in run.happened}

    def planted(self, instance_id: str, batches: Sequence[StoredBatch]) -> None:
        """What it has behind it was checked where it comes from."""
        kept = len(self.problems), len(self.late_s), self.appends
        taken = self.taken.pop(instance_id, [])
        for stored in batches:
            commit = Commit(
                instance_id=instance_id,
                execution_id=stored.execution_id,
                number=stored.number,
                batch=stored.batch,
                effects=Effects(instance_id=instance_id),
                row_execution_id=stored.execution_id,
            )
            self.appended(commit, LATEST)
        del self.problems[kept[0] :], self.late_s[kept[1] :]
        self.appends, self.taken[instance_id] = kept[2], taken
        self._runs[instance_id].happened = set()  # that was told where it was
        self._runs[instance_id].was_suspended = True  # a timer may be due before it comes

    def removed(self, instance_id: str) -> None:
        """What comes is of another run."""
        self._runs.pop(instance_id, None)

    def has_read_alarms(self, host: str) -> None:
        """One of a hub's hosts does that for all."""
        self.alarm_readers.add(host)

    def unheld(self, commit: Commit) -> None:
        """Who holds no hint of an instance has no right to lead it. To rewind it is not that."""
        if is_rewind(commit.batch):
            return
        self._find(commit, f"batch {commit.number} is of a host that held no hint of it")

    def _check_place(self, run: _Run, commit: Commit) -> None:
        turn = (commit.execution_id, commit.number)
        if turn in run.turns:
            self._find(commit, f"batch {commit.number} was written twice")
        run.turns.add(turn)
        if commit.execution_id != run.execution_id:
            if run.execution_id and not run.has_ended:
                self._find(commit, "the next execution began before the last one ended")
            run.execution_id, run.next_number, run.has_ended = commit.execution_id, 0, False
            run.timers, run.fired, run.reached = {}, set(), None
        elif run.has_ended and not is_rewind(commit.batch):
            self._find(commit, "a turn came after the end")
        if commit.number != run.next_number:
            self._find(commit, f"batch {commit.number} came instead of {run.next_number}")
        run.next_number = commit.number + 1

    def _check_consumed(self, run: _Run, commit: Commit) -> None:
        consumed = commit.batch.consumed
        if commit.number == 0 and run.recent:
            if consumed[: len(run.recent)] == run.recent:
                consumed = consumed[len(run.recent) :]
            elif not isinstance(commit.batch.events[-1], history.ExecutionCompleted):
                # What is terminated at its very start has nothing to recognise any more.
                self._find(commit, "the consumed messages are forgotten by the next execution")
        again = run.consumed.intersection(consumed)
        if again or len(set(consumed)) < len(consumed):
            self._find(commit, f"messages were consumed twice: {sorted(again) or consumed}")
        run.consumed.update(consumed)

    def _check_carried(self, run: _Run, commit: Commit) -> None:
        events = commit.batch.events
        if commit.number == 0 and run.carryover:
            raised = tuple(x for x in events if isinstance(x, history.EventRaised))
            is_cut = isinstance(events[-1], history.ExecutionCompleted)
            if raised[: len(run.carryover)] != run.carryover and not is_cut:
                self._find(commit, "events that were carried over are missing")
        if commit.number == 0:
            run.carryover, run.recent = (), ()
        last = events[-1]
        if isinstance(last, history.ContinueAsNew):
            run.carryover, run.recent = last.carryover, last.recent
        run.has_ended = isinstance(last, history.ContinueAsNew | history.ExecutionCompleted)

    def _note_lateness(self, run: _Run, event: history.TimerFired) -> None:
        if not (run.was_suspended or run.was_rewound):
            self.late_s.append((self._now() - event.fire_at).total_seconds())

    def _check_event(
        self, run: _Run, commit: Commit, event: history.HistoryEvent, latest: datetime
    ) -> None:
        match event:
            case history.OrchestratorStarted():
                if run.reached is not None and event.timestamp < run.reached:
                    self._find(commit, "the orchestration's time went back")
                run.reached = event.timestamp
            case history.TimerCreated():
                run.timers[event.task_id] = event.fire_at
            case history.TimerFired():
                self._note_lateness(run, event)
                if event.task_id in run.fired:
                    self._find(commit, f"timer {event.task_id} fired twice")
                run.fired.add(event.task_id)
                if run.timers.get(event.task_id) != event.fire_at:
                    self._find(commit, f"timer {event.task_id} is another than was created")
                if event.timestamp < event.fire_at or latest < event.fire_at:
                    self._find(commit, f"timer {event.task_id} fired early")
            case history.TaskScheduled():
                run.scheduled[json.loads(event.input or "{}")["label"]] = event.name == "once"
            case history.ExecutionCompleted() if event.status is RuntimeStatus.TERMINATED:
                run.scheduled = {}
            case _:
                pass

    def _find(self, commit: Commit, problem: str) -> None:
        self.problems.append(f"{commit.instance_id}: {problem}")


_ENDS = {
    RuntimeStatus.COMPLETED: NoticeKind.COMPLETED,
    RuntimeStatus.FAILED: NoticeKind.FAILED,
    RuntimeStatus.TERMINATED: NoticeKind.TERMINATED,
}


def _happenings(commit: Commit, *, was_rewound: bool) -> Iterator[Happening]:
    """Who was rewound does not start again, though its start may be taken in again.

    Who is terminated before it could start does not start.
    """
    turn = (commit.execution_id, commit.number)
    is_ended_first = any(isinstance(x, history.ExecutionTerminated) for x in commit.batch.events)
    for event in commit.batch.events:
        if isinstance(event, history.ExecutionCompleted):
            yield Happening(commit.instance_id, _ENDS[event.status], event.timestamp, turn)
        elif isinstance(event, history.ExecutionStarted):
            if event.generation or was_rewound or is_ended_first:
                continue
            at = commit.batch.events[0].timestamp
            yield Happening(commit.instance_id, NoticeKind.STARTED, at, turn)
