"""What a host counts while it works: an observer of its engine, and what others tell it.

Rules of this file: all is called on the event loop, in the midst of the work, so it counts and does
nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from bindings.client import RuntimeStatus
from host.clock import Clock
from host.core.failures import Caught, in_words, summary
from host.engine.observer import (
    ActivityCancelled,
    ActivityFailed,
    InstanceEnded,
    InstanceQuarantined,
    InstanceStarted,
    InstanceTakenOver,
    Observer,
    TurnRefused,
    WakeUpRedelivered,
)
from host.metrics.figures import LONG_S, Durations
from host.metrics.functions import MAX_FUNCTIONS, OTHER, AllFunctions, FunctionStats, Kind
from host.metrics.timed_store import StoreTimes

LOOK_S = 1.0
"""How often the lag of the event loop is measured."""
_FUNCTIONS_EACH = 10
"""Functions are looked at after so many looks at the loop."""


class HostMetrics:
    """The figures of one host since its start."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._functions = AllFunctions()
        self.activities_took: defaultdict[str, list[float]] = defaultdict(list)
        """How long activities took that completed since somebody looked: the engine adds to it."""
        self.starts: defaultdict[str, int] = defaultdict(int)
        """Orchestrations that began, by function."""
        self.ends: defaultdict[tuple[str, str], int] = defaultdict(int)
        """Those that ended, by function and status."""
        self.start_delay = Durations(LONG_S)
        """How long they waited for their first turn."""
        self.longest_delay_s = 0.0
        """The longest such wait of late."""
        self.cancelled = self.conflicts = self.redeliveries = 0
        self.quarantined = self.takeovers = 0
        self.store = StoreTimes()
        self._answers: list[tuple[str, int, float]] = []
        self.answered: Callable[[tuple[str, int, float]], None] = self._answers.append
        """A request was answered: by which operation, with which status, after how many seconds."""
        self._requests: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._requests_took: defaultdict[str, Durations] = defaultdict(Durations)
        self.loop_lag = Durations()
        self._delays: tuple[float, float] = (0.0, 0.0)
        self.observer = Observer(
            name="metrics",
            sees={
                ActivityFailed: self._activity_failed,
                ActivityCancelled: self._activity_cancelled,
                InstanceStarted: self._started,
                InstanceEnded: self._ended,
                InstanceTakenOver: self._taken_over,
                InstanceQuarantined: self._quarantined,
                TurnRefused: self._refused,
                WakeUpRedelivered: self._redelivered,
            },
        )

    @property
    def functions(self) -> AllFunctions:
        """What each function did."""
        self._gather_activities()
        return self._functions

    def function_stats(self) -> list[FunctionStats]:
        """What the functions did, by name."""
        now = self._clock.monotonic()
        found = [each.stats(now) for each in self.functions.all()]
        return sorted(found, key=lambda each: (each.name.lower(), each.kind))

    def ran(self, kind: Kind, name: str, took_s: float, error: BaseException | None) -> None:
        """A function ran that the engine tells nothing of."""
        runs = self._functions.of(kind, name)
        runs.took.add(took_s)
        if error is not None:
            runs.failed(in_words(error), self._clock.now())

    @property
    def requests(self) -> Mapping[tuple[str, int], int]:
        """Answers by operation and status."""
        self._gather_answers()
        return self._requests

    @property
    def requests_took(self) -> Mapping[str, Durations]:
        """How long answers took, by operation."""
        self._gather_answers()
        return self._requests_took

    async def measure(self) -> None:
        """Look at the event loop and the functions, again and again. Never returns."""
        looks = 0
        while True:
            began = self._clock.monotonic()
            await self._clock.sleep(LOOK_S)
            self.loop_lag.add(max(0.0, self._clock.monotonic() - began - LOOK_S))
            looks += 1
            self._sort_all()
            if looks % _FUNCTIONS_EACH == 0:
                self.functions.look(self._clock.monotonic())
            if looks % 60 == 0:  # so it is that of the last minute or two
                self._delays = (0.0, self._delays[0])
                self.longest_delay_s = max(self._delays)

    def _sort_all(self) -> None:
        """Put in order what was gathered, so that it does not grow."""
        for each in self.functions.all():
            each.took.sort_in()
        for operation in self.store.by_operation.values():
            operation.took.sort_in()
        for took in self.requests_took.values():
            took.sort_in()
        self.start_delay.sort_in()

    def _gather_activities(self) -> None:
        for name, took in self.activities_took.items():
            if took:
                self._functions.of("activity", name).took.add_all(took)
                took.clear()

    def _gather_answers(self) -> None:
        for operation, status, took_s in self._answers:
            self._requests[operation, status] += 1
            self._requests_took[operation].add(took_s)
        self._answers.clear()

    # ---- events of the engine ----------------------------------------------------------------

    def _activity_failed(self, event: ActivityFailed) -> None:
        runs = self._functions.of("activity", event.scheduled.name)
        runs.took.add(event.took_s)
        runs.failed(str(event.error), self._clock.now())

    def _activity_cancelled(self, _event: ActivityCancelled) -> None:
        self.cancelled += 1

    def _started(self, event: InstanceStarted) -> None:
        row = event.row
        self.starts[self._bounded(row.name)] += 1
        due = row.scheduled_start_at or row.created_at
        delay_s = max(0.0, (self._clock.now() - due).total_seconds())
        self.start_delay.add(delay_s)
        if delay_s > self.longest_delay_s:
            self._delays = (delay_s, self._delays[1])
            self.longest_delay_s = delay_s

    def _ended(self, event: InstanceEnded) -> None:
        row = event.row
        name = self._bounded(row.name)
        self.ends[name, row.status.value] += 1
        runs = self._functions.of("orchestrator", name)
        runs.took.add(max(0.0, (row.updated_at - row.created_at).total_seconds()))
        if row.status is RuntimeStatus.FAILED:
            runs.failed(_error_of(event), row.updated_at)

    def _taken_over(self, _event: InstanceTakenOver) -> None:
        self.takeovers += 1

    def _quarantined(self, _event: InstanceQuarantined) -> None:
        self.quarantined += 1

    def _refused(self, _event: TurnRefused) -> None:
        self.conflicts += 1

    def _redelivered(self, _event: WakeUpRedelivered) -> None:
        self.redeliveries += 1

    def _bounded(self, name: str) -> str:
        return name if name in self.starts or len(self.starts) < MAX_FUNCTIONS else OTHER


def _error_of(event: InstanceEnded) -> str:
    error: Caught | None = event.error
    if error is not None:
        return str(error)
    return "" if event.row.failure is None else summary(event.row.failure)
