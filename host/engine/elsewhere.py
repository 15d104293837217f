"""Executors that are given to an engine: their errors are translated here, and nowhere else.

What an executor raises is its own trouble (a worker that died, a pipe that broke, a defect), never
that of the orchestrator that it was asked about. So all of it becomes `ExecutorError`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from host.core.executors import (
    AwaitedCode,
    OrchestratorCode,
    OrchestratorExecutor,
    TurnInput,
    TurnOutput,
)
from host.core.failures import in_words
from host.core.history import Batch, ExecutionStarted
from host.errors import ExecutorError
from host.logs import HostLog

_logger = HostLog("funchost.engine")


class GivenExecutor:
    """An executor as the engine uses it. Code that answers at once is passed on as it is."""

    def __init__(self, executor: OrchestratorExecutor) -> None:
        self._executor = executor

    def knows(self, name: str, version: str | None, /) -> bool:
        """Whether it has this orchestrator. Raises `ExecutorError`."""
        try:
            return self._executor.knows(name, version)
        except Exception as error:
            raise _translated(error) from error

    def begin(
        self, instance_id: str, started: ExecutionStarted
    ) -> OrchestratorCode | AwaitedCode | None:
        """The code of an execution. Raises `ExecutorError`."""
        try:
            code = self._executor.begin(instance_id, started)
        except Exception as error:
            raise _translated(error) from error
        return _GivenCode(code, instance_id) if isinstance(code, AwaitedCode) else code


class _GivenCode(AwaitedCode):
    def __init__(self, code: AwaitedCode, instance_id: str) -> None:
        self._code = code
        self._instance_id = instance_id

    async def replay(self, past: Sequence[Batch]) -> TurnOutput:
        return await _answer(self._code.replay(past))

    async def turn(self, new: TurnInput) -> TurnOutput:
        return await _answer(self._code.turn(new))

    def close(self) -> None:
        try:
            self._code.close()
        except Exception as error:  # noqa: BLE001 - it is over here, whatever becomes of it there
            text = "The executor of '%s' could not let go of its code: %s"
            _logger.warning(text, self._instance_id, in_words(error))


async def _answer(asked: Coroutine[Any, Any, TurnOutput]) -> TurnOutput:
    try:
        return await asked
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ExecutorError("The executor broke off the turn.") from error
    except Exception as error:
        raise _translated(error) from error


def _translated(error: Exception) -> ExecutorError:
    if isinstance(error, ExecutorError):
        return error
    return ExecutorError(f"The executor did not answer: {in_words(error)}")
