"""A thread that takes all jobs waiting at once and answers them together.

Rules of this file: the event loop and the thread meet in two places only. Jobs go over a queue;
the answers of one group come back by one `call_soon_threadsafe`, because waking the loop costs more
than most jobs. A job's answer is a value, or an exception for its caller. The thread never dies of
a job.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from host.errors import StorageUnavailableError

J = TypeVar("J")

MAX_GROUP = 512
"""So that the first of a long queue need not wait for the last."""

Handler = Callable[[Sequence[J]], Sequence[object]]
Job = tuple[J, "asyncio.Future[object]"]


class GroupThread(Generic[J]):
    """Runs `handle` on groups of jobs, in the order in which they were submitted."""

    def __init__(self, name: str, handle: Handler[J]) -> None:
        self._handle = handle
        self._jobs: SimpleQueue[Job[J] | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
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
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while (group := self._next_group()) is not None:
            answers = self._answer([job for job, _ in group])
            futures = [future for _, future in group]
            try:
                self._loop.call_soon_threadsafe(_deliver, futures, answers)
            except RuntimeError:
                return  # the loop was closed, and with it went everybody who waits

    def _answer(self, jobs: Sequence[J]) -> Sequence[object]:
        try:
            return self._handle(jobs)
        except Exception as error:  # noqa: BLE001 - whatever it is, the callers must hear of it
            return [error] * len(jobs)

    def _next_group(self) -> list[Job[J]] | None:
        first = self._jobs.get()
        if first is None:
            return None
        group = [first]
        while len(group) < MAX_GROUP:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            if job is None:
                self._jobs.put(None)  # it is the last: come back to it after this group
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
