"""The way from a host to the hub: every request takes its time, and may get lost on either leg.

Rules of this file: a request that has left its host lands, whatever becomes of the host meanwhile.
The host learns of it when the answer comes, if it still lives. Landing is one step: nothing of the
hub changes but in `action`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from random import Random
from typing import Any, Protocol, TypeVar

from bindings.errors import FunchostError
from host.errors import StorageError
from tests.simulation.faults import Fault, Faults
from tests.simulation.loop import VirtualLoop
from tests.simulation.processes import Process
from tests.simulation.trace import Trace

T = TypeVar("T")


class ThrottledError(StorageError):
    """Too many requests: nothing was done."""


class RefusedError(StorageError):
    """The request did not get there."""


class NoAnswerError(StorageError):
    """It was done, and the answer is lost."""


class LateError(StorageError):
    """Nobody waited for the answer; it will be done yet."""


READ_S, WRITE_S = 0.004, 0.008


class Caller(Protocol):
    """A host, as the network sees it."""

    process: Process

    def crash(self, why: str) -> None:
        """Die at once."""


class Network:
    """Carries requests."""

    def __init__(
        self,
        loop: VirtualLoop,
        seed: int,
        faults: Faults,
        trace: Trace,
        *,
        leg_s: float | None = None,
    ) -> None:
        """`leg_s` is how long each leg of a request takes; None for times that differ."""
        self._leg_s = leg_s
        self._loop = loop
        self._random = Random(f"{seed}/latency")
        self._faults = faults
        self._trace = trace
        self._outside = Context()
        self._throttled_until = 0.0
        self.requests = 0

    async def request(
        self,
        caller: Caller,
        what: str,
        of: str,
        action: Callable[[], T],
        *,
        writes: bool,
        may_be_late: bool = True,
    ) -> T:
        """Have `action` done at the hub. Raises `StorageError`, or what the action raises.

        `may_be_late`: a write may land after the caller has given it up.
        """
        self.requests += 1
        faults, who = self._faults, caller.process.name
        if faults.strikes(Fault.THROTTLING):
            self._throttled_until = self._loop.time() + faults.between(Fault.THROTTLING, 0.5, 5)
        if self._loop.time() < self._throttled_until and not faults.is_over:
            self._trace.step(who, what, of, "throttled")
            await self._loop.pass_time(0.01)
            raise ThrottledError("Throttled.")
        if faults.strikes(Fault.REFUSED):
            self._trace.step(who, what, of, "refused")
            await self._loop.pass_time(self._delay(0.01))
            raise RefusedError("Refused.")
        if faults.strikes(Fault.CRASH_BEFORE):
            caller.crash(f"before {what} {of}")
            if faults.between(Fault.CRASH_BEFORE, 0, 1) < 0.5:
                await self._loop.create_future()  # it never left; otherwise it lands, unanswered
        answer: asyncio.Future[T] = self._loop.create_future()
        is_lost = faults.strikes(Fault.LOST_ANSWER)
        delay = self._delay(WRITE_S if writes else READ_S)
        if faults.strikes(Fault.SLOW):
            delay += faults.between(Fault.SLOW, 0.1, 8)
        if writes and may_be_late and faults.strikes(Fault.LATE_WRITE):
            self._later(0.5, _fail, answer)
            is_lost, delay = True, delay + faults.between(Fault.LATE_WRITE, 0.6, 12)
        self._later(delay, self._land, caller, (what, of), action, answer, is_lost)
        return await answer

    def _land(
        self,
        caller: Caller,
        what: tuple[str, str],
        action: Callable[[], T],
        answer: asyncio.Future[T],
        is_lost: bool,
    ) -> None:
        result: T | None = None
        error: Exception | None = None
        try:
            result = action()
        except FunchostError as raised:
            error = raised
        outcome = "no" if result is False else ""
        if error is not None:
            outcome = str(getattr(error, "code", type(error).__name__))
        if is_lost:
            outcome += " (answer lost)"
            error = NoAnswerError("No answer.")
        self._trace.step(caller.process.name, *what, outcome)
        if self._faults.strikes(Fault.CRASH_AFTER):
            caller.crash(f"after {what[0]} {what[1]}")
        self._later(self._delay(READ_S), _answer, answer, result, error)

    def _delay(self, mean_s: float) -> float:
        return self._random.expovariate(1 / mean_s) if self._leg_s is None else self._leg_s

    def _later(self, delay_s: float, call: Callable[..., None], *args: Any) -> None:
        self._loop.call_later(delay_s, call, *args, context=self._outside)


def _fail(answer: asyncio.Future[Any]) -> None:
    if not answer.done():
        answer.set_exception(LateError("No answer in time."))
        answer.exception()  # nobody may be left to hear of it


def _answer(answer: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)
        answer.exception()
