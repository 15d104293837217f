"""A line to a worker in another process, over its pipes. A worker that is gone is started anew."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from tests.kit.worker import HEAD_BYTES, framed

ROOT = Path(__file__).parents[2]


class PipedLine:
    """Asks one thing at a time. `catalog` is the worker's code, as `module:function`."""

    def __init__(self, catalog: str) -> None:
        self._catalog = catalog
        self._turn = asyncio.Lock()
        self._worker: Process | None = None
        self._telling: set[asyncio.Task[bytes]] = set()
        self._all = list[Process]()

    async def ask(self, question: bytes) -> bytes:
        """What the worker answers. Raises `OSError` or `EOFError` if it dies meanwhile."""
        async with self._turn:
            worker = self._worker or await self._start()
            assert worker.stdin is not None
            assert worker.stdout is not None
            try:
                worker.stdin.write(framed(question))
                await worker.stdin.drain()
                head = await worker.stdout.readexactly(HEAD_BYTES)
                return await worker.stdout.readexactly(int.from_bytes(head, "big"))
            except BaseException:
                self.kill()  # nobody knows to what its next answer would be one
                raise

    def tell(self, question: bytes) -> None:
        """The same for what needs no answer, and may get lost."""
        if self._worker is not None:
            task = asyncio.create_task(self.ask(question))
            self._telling.add(task)
            task.add_done_callback(self._told)

    @property
    def starts(self) -> int:
        """How many workers there were."""
        return len(self._all)

    async def close(self) -> None:
        """Lose the worker, and see all of them go."""
        self.kill()
        for worker in self._all:
            await worker.communicate()

    def kill(self) -> None:
        """Lose the worker."""
        worker, self._worker = self._worker, None
        if worker is not None and worker.returncode is None:
            worker.kill()

    async def _start(self) -> Process:
        command = (sys.executable, "-m", "tests.kit.worker", self._catalog)
        self._worker = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdin=PIPE, stdout=PIPE
        )
        self._all.append(self._worker)
        return self._worker

    def _told(self, task: asyncio.Task[bytes]) -> None:
        self._telling.discard(task)
        if not task.cancelled():
            task.exception()
