"""What could this machine do at best? The same eight durable rows per sequence, without an engine.

A coroutine per workflow, encoded rows, and one SQLite writer thread with group commit. Compare
`hello5` with this figure of the same run: absolute figures drift with the machine.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.functions import CITIES, say_hello
from benchmarks.hello5 import COUNT, OUTSTANDING
from benchmarks.hub import run

Row = tuple[str, int, bytes]
_encode = msgspec.msgpack.Encoder().encode


class _Writer:
    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._rows: queue.SimpleQueue[tuple[Row, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._loop = loop
        self._thread = threading.Thread(target=self._work, args=(path,))
        self._thread.start()

    def put(self, row: Row) -> asyncio.Future[None]:
        future: asyncio.Future[None] = self._loop.create_future()
        self._rows.put((row, future))
        return future

    def stop(self) -> None:
        self._rows.put(None)
        self._thread.join()

    def _work(self, path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE rows (id, number, data, PRIMARY KEY (id, number))")
        while (first := self._rows.get()) is not None:
            group = [first]
            while not self._rows.empty() and (following := self._rows.get()) is not None:
                group.append(following)
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO rows VALUES (?, ?, ?)", [row for row, _ in group])
            connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_finish, [future for _, future in group])
        connection.close()


def _finish(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        future.set_result(None)


async def _hello5(writer: _Writer, name: str) -> list[str]:
    await writer.put((name, 0, _encode(("ExecutionStarted", name))))
    results: list[str] = []
    for number, city in enumerate(CITIES, 1):
        await writer.put((name, number, _encode(("TaskScheduled", number, city))))
        results.append(await asyncio.create_task(say_hello(city)))
    await writer.put((name, 6, _encode(("ExecutionCompleted", results))))
    await writer.put((name, 7, _encode(("Row", name, results))))
    return results


async def measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        writer = _Writer(Path(folder) / "floor.db", asyncio.get_running_loop())
        left = iter(range(COUNT))

        async def work() -> None:
            for number in left:
                await _hello5(writer, f"{number:032x}")

        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(work() for _ in range(OUTSTANDING)))
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        writer.stop()
    return {"per_second": round(COUNT / wall), "cpu_ms_each": round(cpu / COUNT * 1000, 3)}


def main() -> None:
    run("floor: eight rows without an engine", measure)


if __name__ == "__main__":
    main()
