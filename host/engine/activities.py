"""Runs activities: coroutines on the loop, plain functions in threads, so many at a time.

An activity ends in exactly one of three ways: with a result event handed to its `deliver`, with a
failure event handed likewise, or silently because it was cancelled or might not begin any more.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from functools import partial
from threading import Event
from typing import Any, TypeAlias

import msgspec

from host.clock import Clock
from host.core import history
from host.core.failures import Caught, caught
from host.core.functions import ActivityCall, ActivityFunction
from host.core.history import Payload
from host.core.incoming import ActivityResult
from host.core.records import ActivityKey
from host.engine.limits.slots import Slot
from host.engine.observer import (
    ActivityBegan,
    ActivityCancelled,
    ActivityCompleted,
    ActivityFailed,
    Observers,
)
from host.engine.own_context import begin_call
from host.engine.threads import WorkerThreads
from host.forks import call_without_children
from host.logs import HostLog
from host.running import RUNNING, Running, end_run

_logger = HostLog("funchost.engine")


class ActivityRun(msgspec.Struct, eq=False):
    """One activity that is queued or running here."""

    key: ActivityKey
    scheduled: history.TaskScheduled
    deliver: Callable[[ActivityRun, ActivityResult], None]
    may_begin: Callable[[], bool] = lambda: True
    """Asked right before it begins: by then its time may be over."""
    is_cancelled: bool = False
    began_at: float | None = None
    task: asyncio.Task[Payload | Caught] | None = None
    cancelled: Event | None = None
    """What tells the author's function that the run is cancelled, if that wants to know."""
    slot: Slot | None = None
    """By which it runs, if its function has a limit; given back when it has really ended."""


FIRST_GUESS_S = 0.1
WEIGHT_OF_NEWEST = 0.05
"""The mean duration of activities is a moving one, since what runs here changes."""

Runs: TypeAlias = dict[ActivityKey, ActivityRun]
Took: TypeAlias = defaultdict[str, list[float]]
"""Seconds, by the names of activities: an event for each costs five times what an `append` does."""


class ActivityPool:
    """The activities of this host."""

    def __init__(
        self,
        clock: Clock,
        limit: int,
        observers: Observers,
        trace_id_of: Callable[[ActivityKey], str] | None = None,
        took: Took | None = None,
    ) -> None:
        """`trace_id_of` gives the trace of an activity, for what it logs; "" for none.

        How long those took that completed is put down in `took`.
        """
        self._trace_id_of = trace_id_of
        self._took = took
        self._observers = observers
        self._clock = clock
        self._limit = limit
        self._threads = WorkerThreads(limit)
        self._runs: dict[str, Runs] = {}
        """Those of each instance that has any."""
        self._backlog: deque[tuple[ActivityRun, ActivityFunction]] = deque()
        self._active = 0
        self._mean_s = FIRST_GUESS_S
        self._has_room = asyncio.Event()
        self._has_room.set()

    def __len__(self) -> int:
        return sum(map(len, self._runs.values()))

    def is_running(self, key: ActivityKey) -> bool:
        """Whether this activity is queued or running here."""
        return key in self._runs.get(key.instance_id, ())

    def has_runs_of(self, instance_id: str) -> bool:
        """Whether any activity of this instance is queued or running here."""
        return instance_id in self._runs

    def wait_s(self, more: int = 0) -> float:
        """About how long an activity that came after `more` others would wait for its turn."""
        waiting = self._active + len(self._backlog) + more + 1 - self._limit
        return max(0, waiting) * self._mean_s / self._limit

    @property
    def running(self) -> int:
        """How many activities run."""
        return self._active

    @property
    def waiting(self) -> int:
        """How many wait here for room."""
        return len(self._backlog)

    @property
    def free(self) -> int:
        """How many activities could start at once."""
        return max(0, self._limit - self._active)

    async def room(self) -> int:
        """Wait until activities can start at once; how many."""
        while not self.free:
            self._has_room.clear()
            await self._has_room.wait()
        return self.free

    def start(self, run: ActivityRun, function: ActivityFunction) -> None:
        """Run the activity as soon as there is room.

        It is this function that is run: by then the app may be another one that does not have it.
        """
        self._runs.setdefault(run.key.instance_id, {})[run.key] = run
        if self._active < self._limit:
            self._begin(run, function)
        else:
            self._backlog.append((run, function))

    def cancel(self, instance_id: str) -> None:
        """Cancel all activities of an instance; none of them delivers anything any more.

        A plain function in a thread cannot be stopped: it runs to its end, unheard, unless it looks
        whether it is cancelled.
        """
        for run in list(self._runs.get(instance_id, {}).values()):
            self.cancel_run(run)

    def cancel_run(self, run: ActivityRun) -> None:
        """Cancel one activity."""
        run.is_cancelled = True
        if run.cancelled is not None:
            run.cancelled.set()
        self._forget(run)
        if run.task is not None:
            run.task.cancel()
        if run.slot is not None and run.began_at is None:
            run.slot.give_back()

    def cancel_all(self) -> None:
        """Cancel everything."""
        for instance_id in list(self._runs):
            self.cancel(instance_id)

    def stop(self) -> None:
        """Let the threads go."""
        self._threads.stop()

    def _begin(self, run: ActivityRun, function: ActivityFunction) -> None:
        if not run.may_begin():  # a store that is slow may have answered after its lease
            self.cancel_run(run)
            return
        self._active += 1
        run.began_at = self._clock.monotonic()
        if ActivityBegan in self._observers.wanted:
            self._observers.tell(ActivityBegan(key=run.key, scheduled=run.scheduled))
        if function.run is not None:
            run.task = asyncio.create_task(self._run_on_loop(function.run, run))
            run.task.add_done_callback(partial(self._end_on_loop, run))
        elif function.run_in_thread is not None:
            self._run_in_thread(run, function.run_in_thread)
        else:
            self._run_cancellable(run, function)

    def _run_cancellable(self, run: ActivityRun, function: ActivityFunction) -> None:
        assert function.of_call is not None  # noqa: S101 - one of the three is set
        run.cancelled = Event()
        function = function.of_call(
            ActivityCall(key=run.key, cancelled=run.cancelled, first_id=run.scheduled.first_id)
        )
        if function.run_in_thread is not None:
            self._run_in_thread(run, function.run_in_thread)
        elif function.run is not None:
            run.task = asyncio.create_task(self._run_on_loop(function.run, run))
            run.task.add_done_callback(partial(self._end_on_loop, run))

    async def _run_on_loop(
        self, function: Callable[[Payload], Awaitable[Payload | Caught]], run: ActivityRun
    ) -> Payload | Caught:
        begin_call()
        running = self._running(run)
        RUNNING.set(running)
        try:
            return await function(run.scheduled.input)
        except BaseException as error:  # noqa: BLE001 - an author's sys.exit() ends nothing
            return caught(error)
        finally:
            end_run(running)

    def _running(self, run: ActivityRun) -> Running:
        key, scheduled = run.key, run.scheduled
        trace_id = "" if self._trace_id_of is None else self._trace_id_of(key)
        return Running(
            scheduled.name, key.instance_id, key.execution_id, scheduled.attempt, trace_id
        )

    def _end_on_loop(self, run: ActivityRun, task: asyncio.Task[Payload | Caught]) -> None:
        # A task that was cancelled before its first step has run nothing and still held a place.
        self._end(run, caught(asyncio.CancelledError()) if task.cancelled() else task.result())

    def _run_in_thread(self, run: ActivityRun, function: Callable[[Payload], Payload]) -> None:
        def done(result: Any, error: BaseException | None) -> None:
            self._end(run, result if error is None else caught(error))

        self._threads.submit(_call, (function, run.scheduled.input, self._running(run)), done)

    def _end(self, run: ActivityRun, result: Payload | Caught) -> None:
        self._active -= 1
        if run.slot is not None:
            run.slot.give_back()
        self._forget(run)
        took_s = self._clock.monotonic() - (run.began_at or 0.0)
        self._mean_s += (took_s - self._mean_s) * WEIGHT_OF_NEWEST
        self._has_room.set()
        while self._backlog and self._active < self._limit:
            following, its_function = self._backlog.popleft()
            if not following.is_cancelled:
                self._begin(following, its_function)
        if run.is_cancelled:
            if ActivityCancelled in self._observers.wanted:
                self._observers.tell(
                    ActivityCancelled(key=run.key, scheduled=run.scheduled, took_s=took_s)
                )
        elif isinstance(result, Caught):
            run.deliver(run, self._failed(run, result, took_s))
        else:
            run.deliver(run, self._completed(run, result, took_s))

    def _forget(self, run: ActivityRun) -> None:
        key = run.key
        runs = self._runs.get(key.instance_id)
        if runs is None or runs.get(key) is not run:
            return
        del runs[key]
        if not runs:
            del self._runs[key.instance_id]

    def _completed(self, run: ActivityRun, result: Payload, took_s: float) -> history.TaskCompleted:
        if self._took is not None:
            self._took[run.scheduled.name].append(took_s)
        if ActivityCompleted in self._observers.wanted:
            self._observers.tell(
                ActivityCompleted(key=run.key, scheduled=run.scheduled, took_s=took_s)
            )
        return history.TaskCompleted(
            timestamp=self._clock.now(), task_id=run.key.task_id, result=result
        )

    def _failed(self, run: ActivityRun, error: Caught, took_s: float) -> history.TaskFailed:
        if ActivityFailed in self._observers.wanted:
            self._observers.tell(
                ActivityFailed(key=run.key, scheduled=run.scheduled, took_s=took_s, error=error)
            )
        return history.TaskFailed(
            timestamp=self._clock.now(), task_id=run.key.task_id, failure=error.details
        )


def _call(call: tuple[Callable[[Payload], Payload], Payload, Running]) -> Payload | Caught:
    """Call an activity in its thread; there its error is looked at, too: the loop cannot wait."""
    function, payload, running = call
    RUNNING.set(running)
    try:
        return call_without_children(function, payload)
    except BaseException as error:  # noqa: BLE001 - an author's sys.exit() ends nothing
        return caught(error)
    finally:
        end_run(running)
