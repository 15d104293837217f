"""Threads for blocking functions. Results of many calls reach the event loop in one wake-up.

The threads are daemons: a function that never returns must not keep the process from ending.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any, TypeAlias

from host.engine.own_context import begin_call
from host.forks import call_without_children

Outcome: TypeAlias = tuple[Any, BaseException | None]
Done: TypeAlias = Callable[[Any, BaseException | None], None]
_Job: TypeAlias = tuple[Callable[[Any], Any], Any, Done]


class WorkerThreads:
    """Up to `limit` threads, started when they are needed."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._loop: asyncio.AbstractEventLoop | None = None
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._finished: deque[tuple[Done, Any, BaseException | None]] = deque()
        self._is_flush_due = False
        self._pending = 0
        self._threads: list[threading.Thread] = []

    def submit(self, function: Callable[[Any], Any], argument: Any, done: Done) -> None:
        """Call `function(argument)` in a thread, then `done(result, error)` on the loop."""
        self._loop = asyncio.get_running_loop()
        self._pending += 1
        if self._pending > len(self._threads) < self._limit:
            self._start_thread()
        self._jobs.put((function, argument, done))

    def stop(self) -> None:
        """Let idle threads end; busy ones end after their call."""
        for _ in self._threads:
            self._jobs.put(None)
        self._threads = []

    def _start_thread(self) -> None:
        name = f"funchost-activity-{len(self._threads)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            function, argument, done = job
            result: Any = None
            error: BaseException | None = None
            try:
                result = copy_context().run(_call, function, argument)
            except BaseException as raised:  # noqa: BLE001 - an author's sys.exit() ends nothing
                error = raised
            self._finished.append((done, result, error))
            del job, function, argument, done, result, error  # an idle thread holds nothing
            if not self._is_flush_due:
                self._is_flush_due = True
                self._wake_loop()

    def _wake_loop(self) -> None:
        assert self._loop is not None  # noqa: S101 - set by submit
        try:
            self._loop.call_soon_threadsafe(self._flush)
        except RuntimeError:  # the loop is closed: nobody waits for the result any more
            return

    def _flush(self) -> None:
        # The flag falls first: a result appended from here on asks for a flush of its own.
        self._is_flush_due = False
        while self._finished:
            done, result, error = self._finished.popleft()
            self._pending -= 1
            done(result, error)


def _call(function: Callable[[Any], Any], argument: Any) -> Any:
    begin_call()
    return call_without_children(function, argument)
