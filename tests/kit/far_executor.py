"""An executor whose orchestrators are run by a worker somewhere: bytes go there and back."""

from __future__ import annotations

import pickle
from collections.abc import Awaitable, Collection, Sequence
from itertools import count
from typing import Any, Protocol

from host.core.executors import AwaitedCode, TurnInput, TurnOutput
from host.core.history import Batch, ExecutionStarted
from tests.kit.worker import Begin, said


class Line(Protocol):
    """The way to a worker."""

    def ask(self, question: bytes) -> Awaitable[bytes]:
        """What the worker answers. Raises if it does not."""

    def tell(self, question: bytes) -> None:
        """The same for what needs no answer, and may get lost."""


class FarExecutor:
    """Runs the orchestrators of these names at the end of a line."""

    def __init__(self, line: Line, names: Collection[str], side: str = "") -> None:
        """`side` tells its codes from those of others who ask the same worker."""
        self._line = line
        self._names = names
        self._side = side
        self._keys = count()

    def knows(self, name: str, _version: str | None, /) -> bool:
        return name in self._names

    def begin(self, instance_id: str, started: ExecutionStarted) -> AwaitedCode | None:
        if started.name not in self._names:
            return None
        return FarCode(self._line, f"{self._side}{next(self._keys)}", (instance_id, started))


class FarCode(AwaitedCode):
    """The code of one execution, with the worker."""

    def __init__(self, line: Line, key: str, begin: Begin) -> None:
        self._line = line
        self._key = key
        self._begin: Begin | None = begin

    async def replay(self, past: Sequence[Batch]) -> TurnOutput:
        return await self._ask("replay", list(past))

    async def turn(self, new: TurnInput) -> TurnOutput:
        return await self._ask("turn", new)

    def close(self) -> None:
        if self._begin is None:
            self._line.tell(pickle.dumps(("close", self._key)))

    async def _ask(self, what: str, about: Any) -> TurnOutput:
        begin, self._begin = self._begin, None
        question = pickle.dumps((what, self._key, begin, about))
        answer: TurnOutput = said(await self._line.ask(question))
        return answer
