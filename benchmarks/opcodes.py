"""How many Python opcodes does one five-activity sequence cost on the event loop's thread?

Times drift with the machine; this figure hardly does (by two thousandths): the hub's clock stands
still, and only how the storage threads group their work varies. So it shows what a change costs
that no clock would show. It leaves out what is written in C, the storage threads, and `asyncio`'s
own frames, so that the kind of loop does not matter.

`python -m benchmarks.opcodes 40` also names the forty functions that cost most.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Coroutine
from datetime import datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.functions import hello5
from benchmarks.hello5 import WARM_UP, many
from benchmarks.hub import open_hub, run
from host.clock import SystemClock

COUNT = 400
OUTSTANDING = 20
"""Few, since a look at each opcode takes its time: who waits for seconds asks the store again."""
ASYNCIO = str(Path(asyncio.__file__).parent)


class Opcodes:
    """Counts what runs in this thread while a coroutine does, by file and function."""

    def __init__(self) -> None:
        self.by_function: Counter[str] = Counter()

    async def count(self, measured: Coroutine[Any, Any, None]) -> None:
        sys.settrace(self._enter)
        try:
            await asyncio.create_task(measured)
        finally:
            sys.settrace(None)

    def _enter(self, frame: FrameType, _event: str, _argument: object) -> Any:
        code = frame.f_code
        if code.co_filename.startswith(ASYNCIO):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        name = f"{Path(code.co_filename).name}:{code.co_qualname}"

        def step(_frame: FrameType, event: str, _argument: object) -> Any:
            self.by_function[name] += event == "opcode"
            return step

        return step


class StoppedClock(SystemClock):
    """Else a slow machine would do more: what is done once a second is done more often on it."""

    def __init__(self) -> None:
        self._now = super().now()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:  # noqa: ARG002 - it ends with its task
        await asyncio.get_running_loop().create_future()


async def measure(shown: int = 0) -> dict[str, Any]:
    opcodes = Opcodes()
    async with open_hub(StoppedClock()) as client:
        await many(client, hello5, WARM_UP)
        await opcodes.count(many(client, hello5, COUNT, OUTSTANDING))
    for name, count in opcodes.by_function.most_common(shown):
        print(f"{count / COUNT:8.1f} {name}")
    return {"opcodes_each": round(opcodes.by_function.total() / COUNT)}


def main() -> None:
    shown = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    run("hello5, Python opcodes on the loop's thread", partial(measure, shown))


if __name__ == "__main__":
    main()
