"""The worker processes of a host: so many at any time, started anew when they end.

A call goes to the worker in which the fewest run. A worker whose process ends takes along what ran
in it. An activity that ran there beside others may not be to blame, and is run once more; that is
what a crash of a whole host does with all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from host.clock import Clock
from host.core.failures import in_words
from host.logs import HostLog
from host.workers.errors import NoWorkerError, WorkerLostError
from host.workers.frames import Answer, CallFunction, Loaded, RunActivity, Setup
from host.workers.link import WorkerLink

FIRST_PAUSE_S: Final = 0.5
MAX_PAUSE_S: Final = 30.0
"""How long is waited before a process that ended soon is started anew: twice as long each time."""
STEADY_S: Final = 10.0
"""A process that has lived for so long did not end because it cannot live. Nor did one that was
asked something: a function that ends its process must not keep those of others from theirs."""

_log = HostLog(__name__)


class WorkerPool:
    """Runs `count` worker processes. All of it is for the event loop's thread."""

    def __init__(self, count: int, setup: Callable[[], Setup], clock: Clock) -> None:
        """`setup` says what a worker that is started now is to load."""
        self._count = count
        self._setup = setup
        self._clock = clock
        self._ready: list[WorkerLink] = []
        self._all: set[WorkerLink] = set()
        self._trouble: str | None = None
        self._version = 0
        self._news: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Have the processes run meanwhile."""
        keepers = [asyncio.create_task(self._keep_one()) for _ in range(self._count)]
        try:
            yield
        finally:
            for each in keepers:
                each.cancel()
            await asyncio.wait(keepers)
            self._ready.clear()
            await asyncio.gather(*(each.stop() for each in self._all))

    def renew(self) -> None:
        """Let new processes load the app as it is now; what runs in the others goes on."""
        self._version += 1
        for each in list(self._ready):
            self._leave(each)

    def problems(self) -> list[str]:
        """Why functions wait, in words; empty if all is well."""
        if self._ready:
            return []
        return [self._trouble or "the worker processes still load the app"]

    async def ask(
        self,
        order: Callable[[int], RunActivity | CallFunction],
        name: str,
        *,
        end_after: Callable[[], float | None],
        may_repeat: bool = False,
        is_patient: bool = False,
    ) -> Answer:
        """What a worker answers, see `WorkerLink.ask`.

        Raises `WorkerLostError`, and `NoWorkerError` if the app does not load in any, unless that
        `is_patient`.
        """
        while True:
            worker = await self._least_busy(is_patient=is_patient)
            try:
                return await worker.ask(order, name, end_after)
            except WorkerLostError:
                if not may_repeat or worker.busy_with == 1:
                    raise
                may_repeat = False
                _log.warning("'%s' ran beside others in a worker process: it runs again", name)

    async def _least_busy(self, *, is_patient: bool) -> WorkerLink:
        while not (able := [each for each in self._ready if each.is_open]):
            if self._trouble is not None and not is_patient:
                raise NoWorkerError(self._trouble)
            await asyncio.shield(self._news)
        return min(able, key=lambda each: each.busy_with)

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.get_running_loop().create_future()
        news.set_result(None)

    # ---- the processes -----------------------------------------------------------------------

    async def _keep_one(self) -> None:
        """Have one process at any time."""
        pause_s = 0.0
        while True:
            began_at, version = self._clock.monotonic(), self._version
            worker = WorkerLink(self._clock, self._replace)
            self._all.add(worker)
            try:
                await worker.start(self._setup())
                worker.gone.add_done_callback(partial(self._forget, worker))
                loaded = await worker.loaded
            except (OSError, NoWorkerError, WorkerLostError) as error:
                self._tell_trouble(error)
            else:
                await self._serve(worker, loaded, version)
            lived_s = self._clock.monotonic() - began_at
            is_sound = lived_s >= STEADY_S or worker.was_asked or worker.left.done()
            pause_s = 0.0 if is_sound else min(max(2 * pause_s, FIRST_PAUSE_S), MAX_PAUSE_S)
            if pause_s:
                await self._clock.sleep(pause_s)

    async def _serve(self, worker: WorkerLink, loaded: Loaded, version: int) -> None:
        """Give it calls until it is to get no more, or is gone."""
        if version != self._version:  # the app has changed since it began to load
            worker.end()
            return
        _log.info(
            "The worker process %d has loaded the app (%d MB)",
            worker.pid,
            loaded.memory_bytes // 2**20,
        )
        self._trouble = None
        self._ready.append(worker)
        self._tell()
        ends: list[asyncio.Future[Any]] = [worker.left, worker.gone]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if worker in self._ready:
            self._ready.remove(worker)
            count = worker.busy_with
            _log.error(
                "The worker process %d ended (%s) while %s ran in it; a new one is started",
                worker.pid,
                worker.gone.result(),
                "1 function" if count == 1 else f"{count} functions",
            )

    def _leave(self, worker: WorkerLink) -> None:
        """Give it no more calls."""
        self._ready.remove(worker)
        worker.end()

    def _replace(self, worker: WorkerLink, name: str) -> None:
        """A function does not end though it is to: others go to another process from now on."""
        if worker in self._ready:
            _log.warning(
                "'%s' does not end though it is to: the worker process %d is replaced, and ended "
                "when nothing else runs in it",
                name,
                worker.pid,
            )
            self._leave(worker)

    def _tell_trouble(self, error: Exception) -> None:
        trouble = f"the app does not load in a worker process: {in_words(error)}"
        if trouble != self._trouble:
            _log.error("%s; it is tried again and again", trouble[0].upper() + trouble[1:])
        if not self._ready:
            self._trouble = trouble
            self._tell()

    def _forget(self, worker: WorkerLink, _: asyncio.Future[str]) -> None:
        self._all.discard(worker)
