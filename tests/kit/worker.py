"""A worker that runs orchestrators for a host, asked in bytes; it knows what it is told, no more.

A question names a code by its key; the first one about it says what execution it is of. A worker
that has just been started does not know the keys of the one before: who asks it so is told that.
"""

from __future__ import annotations

import importlib
import pickle
import sys
from typing import Any, TypeAlias

from host.core.converter import Converter
from host.core.executors import OrchestratorCode, TurnInput, TurnOutput
from host.core.functions import FunctionCatalog
from host.core.history import Batch, ExecutionStarted
from host.core.incoming import do_all
from host.core.replay.in_process import InProcessExecutor

Begin: TypeAlias = tuple[str, ExecutionStarted]
HEAD_BYTES = 4


def framed(message: bytes) -> bytes:
    """A message as it goes over a pipe: its length first."""
    return len(message).to_bytes(HEAD_BYTES, "big") + message


class Worker:
    """One life of a worker."""

    def __init__(self, catalog: FunctionCatalog) -> None:
        self._executor = InProcessExecutor(catalog, Converter())
        self._codes: dict[str, OrchestratorCode] = {}

    def answer(self, question: bytes) -> bytes:
        """What it says; an error is said in words."""
        name, key, *arguments = pickle.loads(question)
        try:
            return pickle.dumps((True, getattr(self, name)(key, *arguments)))
        except Exception as error:  # noqa: BLE001 - it is for who asked
            return pickle.dumps((False, f"{type(error).__name__}: {error}"))

    def replay(self, key: str, begin: Begin | None, past: list[Batch]) -> TurnOutput:
        """Lead a code through what is recorded."""
        return do_all(self._code(key, begin).replay(past))

    def turn(self, key: str, begin: Begin | None, new: TurnInput) -> TurnOutput:
        """Let a code take a turn."""
        return self._code(key, begin).turn(new)

    def close(self, key: str) -> None:
        """Let go of a code."""
        code = self._codes.pop(key, None)
        if code is not None:
            code.close()

    def _code(self, key: str, begin: Begin | None) -> OrchestratorCode:
        if begin is not None:
            code = self._executor.begin(*begin)
            if code is None:
                raise LookupError(f"There is no '{begin[1].name}' here.")
            self._codes[key] = code
        return self._codes[key]


def said(answer: bytes) -> Any:
    """What an answer says. Raises `WorkerError` if it is an error."""
    is_well, value = pickle.loads(answer)
    if not is_well:
        raise WorkerError(value)
    return value


class WorkerError(Exception):
    """The worker could not answer."""


def main() -> None:
    """Answer what comes on standard input, until nothing does; argument: `module:function`."""
    module, _, name = sys.argv[1].partition(":")
    worker = Worker(getattr(importlib.import_module(module), name)())
    while head := sys.stdin.buffer.read(HEAD_BYTES):
        question = sys.stdin.buffer.read(int.from_bytes(head, "big"))
        sys.stdout.buffer.write(framed(worker.answer(question)))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
