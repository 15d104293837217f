"""A thread that takes all jobs waiting at once and answers them together.

Rules of this file: the event loop and the thread meet in two places only. Jobs go over a queue;
the answers of one group come back by one `call_soon_threadsafe`, because waking the loop costs more
than most jobs. A job's answer is a value, or an exception for its caller. The thread never dies of
a job. Between groups it may have a chore, which comes over the queue, too.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from host.errors import StorageUnavailableError
from host.logs import HostLog

J = TypeVar("J")

MAX_GROUP = 512
"""So that the first of a long queue need not wait for the last."""

Handler = Callable[[Sequence[J]], Sequence[object]]
Job = tuple[J, "asyncio.Future[object]"]
Chore = Callable[[], float]
"""Something to do from time to time; it gives the seconds until then."""

_PAUSE_AFTER_FAILURE_S = 60.0

_logger = HostLog("funchost.storage")


class GroupThread(Generic[J]):
    """Runs `handle` on groups of jobs, in the order in which they were submitted.

    `chore` is done at the beginning and then again and again.
    """

    def __init__(self, name: str, handle: Handler[J], chore: Chore | None = None) -> None:
        self._handle = handle
        self._jobs: SimpleQueue[Job[J] | Chore | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        if chore is not None:
            self._jobs.put(chore)
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: J) -> asyncio.Future[object]:
        """The future answer of the job."""
        if self._is_stopping:
            raise StorageUnavailableError("The store is closed.")
        future: asyncio.Future[object] = self._loop.create_future()
        self._jobs.put((job, future))
        return future

    async def stop(self) -> None:
        """Answer what was submitted, then end. Idempotent."""
        if not self._is_stopping:
            self._is_stopping = True
            if self._timer is not None:
                self._timer.cancel()
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while (found := self._next()) is not None:
            try:
                if isinstance(found, list):
                    answers = self._answer([job for job, _ in found])
                    futures = [future for _, future in found]
                    self._loop.call_soon_threadsafe(_deliver, futures, answers)
                else:
                    self._loop.call_soon_threadsafe(self._plan, found, self._do(found))
            except RuntimeError:
                return  # the loop was closed, and with it went everybody who waits

    def _plan(self, chore: Chore, pause_s: float) -> None:
        if not self._is_stopping:
            self._timer = self._loop.call_later(pause_s, self._jobs.put, chore)

    def _do(self, chore: Chore) -> float:
        try:
            return chore()
        except Exception:
            _logger.exception("The thread '%s' failed beside its work.", self._thread.name)
            return _PAUSE_AFTER_FAILURE_S

    def _answer(self, jobs: Sequence[J]) -> Sequence[object]:
        try:
            return self._handle(jobs)
        except Exception as error:  # noqa: BLE001 - whatever it is, the callers must hear of it
            return [error] * len(jobs)

    def _next(self) -> list[Job[J]] | Chore | None:
        """All jobs that wait, or the chore; None at the end."""
        first = self._jobs.get()
        if not isinstance(first, tuple):
            return first
        group = [first]
        while len(group) < MAX_GROUP:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            if not isinstance(job, tuple):
                self._jobs.put(job)  # it can wait: come back to it after this group
                break
            group.append(job)
        return group


def _deliver(futures: Sequence[asyncio.Future[object]], answers: Sequence[object]) -> None:
    for future, answer in zip(futures, answers, strict=True):
        if future.done():
            continue  # its caller was cancelled
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
