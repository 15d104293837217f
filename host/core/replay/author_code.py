"""The author's coroutine or generator, led step by step from one durable task to the next."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from inspect import iscoroutine, isgenerator
from typing import Any, TypeAlias

from bindings.context import OrchestrationContext
from bindings.tasks import DurableTask
from host.core.replay.awaits import Position, foreign_await, foreign_call, position_of
from host.core.replay.misuse import explain

MAX_REFUSALS = 100


@dataclass(frozen=True, slots=True)
class Returned:
    """The code ended with a value."""

    value: Any


@dataclass(frozen=True, slots=True)
class Raised:
    """The code ended with an error."""

    error: BaseException


End: TypeAlias = Returned | Raised


class AuthorCode:
    """One run of an orchestrator function. Whatever it raises is caught: it ends, not the host."""

    def __init__(self, start: Callable[[OrchestrationContext], Any]) -> None:
        self._start = start
        self._code: Any = None
        self._awaiting: DurableTask[Any] | None = None
        self.is_closed = False
        """Whether the code was let go of before its end."""
        self._requests = 0

    def start(self, context: OrchestrationContext) -> End | None:
        """Call the function; its end if it is a plain one, None if there is code to lead on."""
        try:
            produced = self._start(context)
        except BaseException as error:  # noqa: BLE001 - see the class
            return _raised(error)
        if iscoroutine(produced) or isgenerator(produced):
            self._code = produced
            return None
        return Returned(produced)

    def advance(self) -> End | None:
        """Lead the code on until it waits for a task that is not complete (None), or ends."""
        while self._code is not None:
            awaited = self._awaiting
            if awaited is not None and not awaited.is_completed:
                return None
            try:
                self._awaiting = _step(self._code, awaited)
            except StopIteration as stop:
                self._code = None
                return Returned(stop.value)
            except BaseException as error:  # noqa: BLE001 - see the class
                self.close()
                return _raised(error)
        return None

    def close(self) -> None:
        """Let go of the code; its `finally` blocks run, and what they raise is moot."""
        self.is_closed = True
        code, self._code = self._code, None
        if code is not None:
            with suppress(BaseException):
                code.close()

    def is_refused(self) -> bool:
        """Whether closed code is to get an error for what it asks.

        Not for ever, since it may catch errors in a loop: an await that never ends stops even that.
        """
        self._requests += 1
        return self._requests <= MAX_REFUSALS

    def position(self) -> Position | None:
        """Where the code stands in its source; None if it has ended."""
        return position_of(self._code)


def _raised(error: BaseException) -> Raised:
    foreign = foreign_call(error)
    if foreign is None:
        explain(error)
        return Raised(error)
    foreign.__cause__ = error
    return Raised(foreign)


def _step(code: Any, awaited: DurableTask[Any] | None) -> DurableTask[Any]:
    """Lead the code from what it waited for to what it waits for next."""
    if awaited is None:
        produced = code.send(None)
    elif (error := awaited.get_exception()) is not None:
        produced = code.throw(error)
    else:
        produced = code.send(awaited.get_result())
    if not isinstance(produced, DurableTask):
        raise foreign_await(produced, code)
    return produced
