"""An executor that runs orchestrators in another process, over a pipe: what is no code of the host.

The worker has its code by the name of a catalog's factory. It is asked one thing at a time, blocks
whoever asks, and knows nothing of the host but what it is told. If it is lost, whoever asks is told
so, and nothing that is stored is lost with it.
"""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterable
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from host.core.converter import Converter
from host.core.executors import OrchestratorCode, TurnInput, TurnOutput
from host.core.failures import Caught
from host.core.history import Batch, ExecutionStarted
from host.core.incoming import Steps, do_all
from host.core.replay.in_process import InProcessExecutor

ROOT = Path(__file__).parents[2]


class WorkerLostError(Exception):
    """The worker is gone."""


class PipedExecutor:
    """A worker process, and what it is asked. `catalog` is `module:function`."""

    def __init__(self, catalog: str) -> None:
        command = [sys.executable, "-m", "tests.kit.piped_executor", catalog]
        self._worker = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def knows(self, name: str, version: str | None, /) -> bool:
        return bool(self.ask("knows", name, version))

    def begin(self, instance_id: str, started: ExecutionStarted) -> PipedCode | None:
        key = self.ask("begin", instance_id, started)
        return None if key is None else PipedCode(self, key)

    def ask(self, *question: Any) -> Any:
        """What the worker answers. Raises `WorkerLostError`."""
        pipes = self._worker.stdin, self._worker.stdout
        if self._worker.poll() is not None or not all(pipes):
            raise WorkerLostError
        try:
            _write(pipes[0], question)
            return pickle.load(pipes[1])  # type: ignore[arg-type]  # both are there
        except (BrokenPipeError, EOFError) as error:
            raise WorkerLostError from error

    def kill(self) -> None:
        """Lose the worker."""
        self._worker.kill()
        self._worker.communicate()


class PipedCode:
    """The code of one execution, in the worker."""

    error: Caught | None = None
    other_data: str | None = None

    def __init__(self, executor: PipedExecutor, key: int) -> None:
        self._executor = executor
        self._key = key

    def replay(self, past: Iterable[Batch]) -> Steps[TurnOutput]:
        yield from ()
        return self._answer("replay", list(past))

    def turn(self, new: TurnInput) -> TurnOutput:
        return self._answer("turn", new)

    def turn_in_steps(self, new: TurnInput) -> Steps[TurnOutput]:
        yield from ()
        return self._answer("turn", new)

    def close(self) -> None:
        self._executor.ask("close", self._key)

    def close_generator(self, generator: AsyncGenerator[Any, Any]) -> BaseException | None:
        raise AssertionError(f"No code runs here: {generator}")

    def _answer(self, *question: Any) -> TurnOutput:
        answer: TurnOutput = self._executor.ask(*question[:1], self._key, *question[1:])
        return answer


class _Worker:
    def __init__(self, catalog: str) -> None:
        module, _, name = catalog.partition(":")
        found = getattr(importlib.import_module(module), name)()
        self._executor = InProcessExecutor(found, Converter())
        self._codes: dict[int, OrchestratorCode] = {}
        self._keys = count()

    def knows(self, name: str, version: str | None) -> bool:
        return self._executor.knows(name, version)

    def begin(self, instance_id: str, started: ExecutionStarted) -> int | None:
        code = self._executor.begin(instance_id, started)
        if code is None:
            return None
        key = next(self._keys)
        self._codes[key] = code
        return key

    def replay(self, key: int, past: list[Batch]) -> TurnOutput:
        return do_all(self._codes[key].replay(past))

    def turn(self, key: int, new: TurnInput) -> TurnOutput:
        return self._codes[key].turn(new)

    def close(self, key: int) -> None:
        code = self._codes.pop(key, None)
        if code is not None:
            code.close()


def _write(pipe: BinaryIO | Any, value: Any) -> None:
    pickle.dump(value, pipe)
    pipe.flush()


def main() -> None:
    """Answer until nobody asks."""
    sys.tracebacklimit = 0  # failures without the paths and lines of the day
    worker = _Worker(sys.argv[1])
    while True:
        try:
            name, *arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        _write(sys.stdout.buffer, getattr(worker, name)(*arguments))


if __name__ == "__main__":
    main()
