"""An event loop on virtual time, which shuffles what may be shuffled.

Rules of this file: time stands still while anything is ready, and jumps to the next timer when
nothing is. Tasks that are ready at the same moment run in an order of the seed; plain callbacks
keep their places, because asyncio promises their order. Nothing waits for a socket, a thread or a
signal.
"""

from __future__ import annotations

import asyncio
import heapq
import warnings
from asyncio import Handle, TimerHandle
from asyncio.base_events import BaseEventLoop
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from random import Random
from typing import Any

from tests.simulation.processes import CURRENT, Process


class NothingToDoError(Exception):
    """Everything waits for something that will never come."""


class EndlessRunError(KeyboardInterrupt):
    """The run takes more steps than any honest one.

    Of the kind that no task keeps to itself: a host that spins gives the loop no other chance.
    """


class VirtualLoop(BaseEventLoop):
    """Runs one simulation. Not reusable."""

    _ready: deque[Handle]
    _scheduled: list[TimerHandle]

    def __init__(self, random: Random, max_steps: int) -> None:
        super().__init__()
        self._moment = 0.0
        self._random = random
        self._steps_left = max_steps
        self._serials: dict[asyncio.Task[Any], int] = {}
        self.problems: list[str] = []
        self.set_task_factory(self._make_task)
        self.set_exception_handler(self._note_problem)

    def time(self) -> float:
        """Seconds since the run began."""
        return self._moment

    async def pass_time(self, seconds: float) -> None:
        """Wait until so much virtual time has gone by; none of it is real."""
        await asyncio.sleep(seconds)

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """What would run in a thread is done by the time anybody looks."""
        done: asyncio.Future[Any] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is for whoever waits
            done.set_exception(error)
        return done

    def open_tasks(self) -> int:
        """How many tasks there are that have not ended."""
        return sum(not task.done() for task in self._serials)

    def thaw(self, process: Process) -> None:
        """Let a frozen process go on where it stood."""
        process.is_frozen = False
        self._ready.extend(process.held)
        process.held = []

    def end(self) -> None:
        """Let go of everything that still waits, without letting any of it do anything."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # some calls were never begun
            for task in self._serials:
                if not task.done():
                    _close(task)
            self._ready.clear()  # with their last references, what was never begun goes, too
            self._scheduled.clear()
            self.close()

    def _run_once(self) -> None:
        if not self._ready:
            self._jump()
        self._take_due()
        batch = self._arranged()
        self._steps_left -= len(batch)
        if self._steps_left < 0:
            raise EndlessRunError
        for handle in batch:
            if handle.cancelled():
                continue
            process = handle._context.get(CURRENT)  # type: ignore[attr-defined]
            if process is None:
                handle._run()
            elif process.is_frozen:
                process.held.append(handle)
            elif not process.is_dead:
                handle._run()

    def _jump(self) -> None:
        while self._scheduled and self._scheduled[0].cancelled():
            heapq.heappop(self._scheduled)
        if not self._scheduled:
            raise NothingToDoError
        self._moment = max(self._moment, self._scheduled[0].when())

    def _take_due(self) -> None:
        while self._scheduled and self._scheduled[0].when() <= self._moment:
            self._ready.append(heapq.heappop(self._scheduled))

    def _arranged(self) -> list[Handle]:
        batch = list(self._ready)
        self._ready.clear()
        if len(batch) > 1:
            serials = [self._serial(handle) for handle in batch]
            slots = [place for place, serial in enumerate(serials) if serial is not None]
            if len(slots) > 1:
                # Sorted first: sets of tasks have an order that no seed decides.
                tasks = sorted(slots, key=lambda place: serials[place] or 0)
                handles = [batch[place] for place in tasks]
                self._random.shuffle(handles)
                for place, handle in zip(slots, handles, strict=True):
                    batch[place] = handle
        return batch

    def _serial(self, handle: Handle) -> int | None:
        """The number of the task whose step this is; None for a plain callback."""
        owner = getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined]
        return self._serials.get(owner) if isinstance(owner, asyncio.Task) else None

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Any,
        context: Context | None = None,
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(coroutine, loop=loop, context=context)
        self._serials[task] = len(self._serials)
        return task

    def _note_problem(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.problems.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _process_events(self, event_list: list[Any]) -> None:
        raise NotImplementedError

    def _write_to_self(self) -> None:
        """Nobody waits in a selector."""


def _close(task: asyncio.Task[Any]) -> None:
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    coroutine = task.get_coro()
    if isinstance(coroutine, Coroutine):
        with suppress(BaseException):
            coroutine.close()
