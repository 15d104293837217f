"""One instance on a bench: the pure core without engine or store.

What is stored of the instance is plain data here. A `Bench` leads a `LiveInstance` through turns;
between any two of them the host can crash, lose effects and load again.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from bindings.client import RuntimeStatus
from bindings.errors import FailureDetails
from host.core import history
from host.core.converter import Converter
from host.core.executors import OrchestratorExecutor
from host.core.failures import failure_of
from host.core.history import HistoryEvent, InboxEvent
from host.core.incoming import ActivityResult
from host.core.instance_state import InstanceState
from host.core.live_instance import LiveInstance
from host.core.notices import NO_NOTICES
from host.core.records import (
    UNCHANGED,
    Commit,
    Effects,
    Envelope,
    Lease,
    Message,
    Notice,
    NoticeKind,
    Snapshot,
    Start,
    StoredBatch,
)
from host.core.replay.execution import MAX_ACTIONS_PER_TURN
from host.core.replay.in_process import InProcessExecutor
from host.core.rewinding import rewind
from host.storage.rules import revives
from tests.kit.history_builder import START, HistoryBuilder, a_failure, dumps, pending
from tests.kit.plain_catalog import Function, PlainCatalog

E = TypeVar("E")
_EVER = datetime.max.replace(tzinfo=UTC)


class Bench:
    """What is stored of one instance, and a host's hands on it."""

    def __init__(
        self,
        *orchestrators: Function,
        activities: Sequence[Function] = (),
        input_: object = None,
        converter: Converter | None = None,
        max_actions: int = MAX_ACTIONS_PER_TURN,
        executor: OrchestratorExecutor | None = None,
        wanted: frozenset[NoticeKind] = NO_NOTICES,
        **row: Any,
    ) -> None:
        self.wanted = wanted
        self.notices: dict[str, Notice] = {}
        self.catalog = PlainCatalog(orchestrators, activities)
        self.converter = converter or Converter()
        self.executor = executor or InProcessExecutor(self.catalog, self.converter, max_actions)
        self.now = START
        name = orchestrators[0].__name__ if orchestrators else "missing"
        self.row = pending(row.pop("name", name), input_, **row)
        self.batches: list[StoredBatch] = []
        self.inbox: dict[str, Message] = {}
        self.leases: dict[int, Lease] = {}
        self.unawaited: dict[tuple[str, int], Lease] = {}
        self.alarm = self.row.scheduled_start_at
        self.messages: dict[str, Envelope] = {}
        self.starts: dict[str, Start] = {}
        self.commits: list[Commit] = []
        self.executed: list[tuple[str, Any]] = []
        self._live: LiveInstance | None = None
        self._numbers = 0
        self._is_seen_to = True

    @classmethod
    def of(cls, builder: HistoryBuilder, *orchestrators: Function, **options: Any) -> Bench:
        """A bench on which this much is recorded."""
        bench = cls(*orchestrators, **options)
        snapshot = builder.snapshot()
        bench.row, bench.batches, bench.now = builder.row, list(snapshot.batches), builder.now
        return bench

    # ---- a host's hands ------------------------------------------------------------------

    @property
    def live(self) -> LiveInstance:
        """The instance in memory, loaded if need be."""
        if self._live is None:
            self._live = LiveInstance(self.snapshot(), self.executor, wanted=self.wanted)
        return self._live

    @property
    def state(self) -> InstanceState:
        """What is known of it without its code."""
        return self.live.state

    def snapshot(self) -> Snapshot:
        return Snapshot(
            instance=self.row,
            batches=tuple(self.batches),
            inbox=tuple(self.inbox.values()),
            leases=(*self.leases.values(), *self.unawaited.values()),
            wake_at=self.alarm,
        )

    def reload(self) -> LiveInstance:
        """The host is gone; another loads what is stored."""
        before = self._live
        if before is not None:
            before.close()
        self.lose_memory()
        if before is not None and self._is_seen_to:
            assert _standing(self.state) == _standing(before.state)
        return self.live

    def lose_memory(self) -> None:
        """Drop what is in memory of the instance, with no more ado."""
        self._live = None

    def turn(self, *results: ActivityResult, seconds: float = 0) -> Commit | Effects | None:
        """One turn with all that is in the inbox, stored and seen to."""
        outcome = self.turn_without_effects(*results, seconds=seconds)
        if outcome is not None:
            self.apply(outcome.effects if isinstance(outcome, Commit) else outcome)
        return outcome

    def turn_without_effects(
        self, *results: ActivityResult, seconds: float = 0
    ) -> Commit | Effects | None:
        """One turn whose batch is stored and nothing else: then the host crashes, say."""
        self.now += timedelta(seconds=seconds)
        outcome = self.live.turn(self.now, list(self.inbox.values()), results)
        self._is_seen_to = outcome is None
        if isinstance(outcome, Commit):
            assert outcome.row_execution_id == self.row.execution_id
            key = (outcome.execution_id, outcome.number)
            assert key not in {(each.execution_id, each.number) for each in self.batches}
            self.commits.append(outcome)
            self.batches.append(
                StoredBatch(execution_id=key[0], number=key[1], batch=outcome.batch)
            )
        return outcome

    def apply(self, effects: Effects) -> None:
        """Do what a store does with effects."""
        self._is_seen_to = True
        for message_id in effects.consumed:
            self.inbox.pop(message_id, None)
        may_win = not self.row.is_finished or revives(effects.row, self.row)
        if effects.row is not None and may_win:
            self.row = effects.row
        if effects.wake_at is not UNCHANGED:
            self.alarm = effects.wake_at
        self.batches = [x for x in self.batches if x.execution_id != effects.drop_execution]
        for left in effects.unawaited:
            key = (left.lease.execution_id, left.lease.task_id)
            self.unawaited.setdefault(key, left.lease)
        if self.state.was_terminated:
            self.unawaited.clear()
        self.leases.update((lease.task_id, lease) for lease in effects.leases)
        self.notices.update((notice.notice_id, notice) for notice in effects.notices)
        for start in effects.starts:
            self.starts.setdefault(start.instance.instance_id, start)
        for envelope in effects.messages:
            self.messages.setdefault(envelope.message.message_id, envelope)

    def rewind(self, reason: str = "") -> Commit:
        """Somebody rewinds the failed instance; the host has dropped it at its end."""
        self._is_seen_to = False  # what was known of it in memory is not what is stored now
        commit = rewind(self.snapshot(), self.now, reason)
        key = (commit.execution_id, commit.number)
        self.batches.append(StoredBatch(execution_id=key[0], number=key[1], batch=commit.batch))
        self.reload()
        self.apply(commit.effects)
        return commit

    def step(self, seconds: float = 1) -> bool:
        """One turn with the results of all activities that are to be run; False at rest."""
        return isinstance(self.turn(*self._run_activities(), seconds=seconds), Commit)

    def run(self, max_turns: int = 100) -> Bench:
        """Turns until there is nothing to do; activities answer at once."""
        for _ in range(max_turns):
            if not self.step() or self.state.is_finished:
                return self
        raise AssertionError(f"not at rest after {max_turns} turns")

    def _run_activities(self) -> list[ActivityResult]:
        return [self._execute(each.scheduled) for each in self.state.take_undispatched(self.now)]

    def _execute(self, scheduled: history.TaskScheduled) -> ActivityResult:
        function = self.catalog.functions[scheduled.name]
        value = None if scheduled.input is None else json.loads(scheduled.input)
        self.executed.append((scheduled.name, value))
        try:
            takes_input = bool(inspect.signature(function).parameters)
            result = function(value) if takes_input else function()
        except Exception as error:  # noqa: BLE001 - an activity's failure is data
            return history.TaskFailed(
                timestamp=self.now, task_id=scheduled.task_id, failure=failure_of(error)
            )
        payload = self.converter.to_payload(result, "The result")
        return history.TaskCompleted(timestamp=self.now, task_id=scheduled.task_id, result=payload)

    # ---- what comes from outside ---------------------------------------------------------

    def done(self, task_id: int, result: object = None) -> history.TaskCompleted:
        """An activity's result, to be handed to `turn` or `send`."""
        return history.TaskCompleted(timestamp=self.now, task_id=task_id, result=dumps(result))

    def failed(self, task_id: int, failure: FailureDetails | None = None) -> history.TaskFailed:
        return history.TaskFailed(
            timestamp=self.now, task_id=task_id, failure=failure or a_failure()
        )

    def send(
        self, event: InboxEvent, message_id: str = "", execution_id: str | None = None
    ) -> Bench:
        """Put a message into the inbox."""
        self._numbers += 1
        message_id = message_id or f"m{self._numbers}"
        message = Message(message_id=message_id, event=event, execution_id=execution_id)
        self.inbox.setdefault(message_id, message)
        return self

    def raise_event(self, name: str, data: object = None, message_id: str = "") -> Bench:
        event = history.EventRaised(timestamp=self.now, name=name, input=dumps(data))
        return self.send(event, message_id)

    def suspend(self, reason: str = "") -> Bench:
        return self.send(history.ExecutionSuspended(timestamp=self.now, reason=reason))

    def resume(self) -> Bench:
        return self.send(history.ExecutionResumed(timestamp=self.now))

    def set_status(self, value: object) -> Bench:
        event = history.CustomStatusSet(timestamp=self.now, status=dumps(value))
        return self.send(event)

    def terminate(self, reason: object = None, *, recursive: bool = True) -> Bench:
        return self.send(
            history.ExecutionTerminated(
                timestamp=self.now, reason=dumps(reason), recursive=recursive
            )
        )

    def child_done(self, task_id: int, result: object = None) -> Bench:
        event = history.SubOrchestrationInstanceCompleted(
            timestamp=self.now, task_id=task_id, result=dumps(result)
        )
        return self.send(event, execution_id=self.state.execution_id)

    # ---- what can be seen ----------------------------------------------------------------

    @property
    def status(self) -> RuntimeStatus:
        return self.row.status

    @property
    def output(self) -> Any:
        """The result of a finished instance."""
        assert self.row.status is RuntimeStatus.COMPLETED, (self.row.status, self.row.failure)
        return None if self.row.output is None else json.loads(self.row.output)

    @property
    def failure(self) -> FailureDetails:
        assert self.row.failure is not None, (self.row.status, self.row.output)
        return self.row.failure

    @property
    def events(self) -> list[HistoryEvent]:
        """All that is recorded of the current execution."""
        execution_id = self.batches[-1].execution_id
        return [
            event
            for stored in self.batches
            if stored.execution_id == execution_id
            for event in stored.batch.events
        ]

    def recorded(self, kind: type[E]) -> list[E]:
        """The recorded events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def kinds(self) -> list[str]:
        """The names of the recorded events."""
        return [type(event).__name__ for event in self.events]


def _standing(state: InstanceState) -> dict[str, object]:
    """What whoever loads an instance must know as well as whoever led it."""
    ledger = state.ledger
    return {
        "execution": (state.execution_id, ledger.next_number, ledger.reached),
        "ends": (ledger.is_finished, ledger.is_continued, ledger.was_terminated),
        "goes on": not ledger.is_finished and ledger.has_next,
        "suspended": (ledger.is_suspended, ledger.orders),
        "open": (ledger.open_activities, ledger.open_children, ledger.timers.due(_EVER)),
    }
