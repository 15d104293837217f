"""Workers that run orchestrators for a host: they take their time, die, come back, know nothing.

Rules of this file: a worker is outside of its host, which may stand still or die meanwhile. What it
is asked lands in one step, as at the hub. The bytes are those of `tests.kit.worker`.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from random import Random

from host.core.functions import FunctionCatalog
from tests.kit.worker import Worker
from tests.simulation.faults import Fault, Faults
from tests.simulation.loop import VirtualLoop
from tests.simulation.trace import Trace

ANSWER_S = 0.01
PATIENCE_S = 12.0
"""How long a host waits for an answer: some take longer."""
SLOW_S = (0.5, 30.0)
DOWN_S = (0.0, 6.0)


class LineBrokenError(Exception):
    """The worker is gone."""


class SimulatedLine:
    """One host's way to its worker, and the worker."""

    def __init__(
        self,
        name: str,
        catalog: FunctionCatalog,
        loop: VirtualLoop,
        random: Random,
        faults: Faults,
        trace: Trace,
    ) -> None:
        self._name = f"{name}'s worker"
        self._catalog = catalog
        self._loop = loop
        self._random = random
        self._faults = faults
        self._trace = trace
        self._worker = Worker(catalog)
        self._is_up_at = 0.0

    async def ask(self, question: bytes) -> bytes:
        """Its answer. Raises `LineBrokenError` if it is gone, or dies before it answers."""
        if self._faults.strikes(Fault.WORKER_LOST):
            self._die()
        if self._loop.time() < self._is_up_at and not self._faults.is_over:
            await self._loop.pass_time(ANSWER_S)
            raise LineBrokenError("There is no worker.")
        answer: asyncio.Future[bytes] = self._loop.create_future()
        self._loop.call_later(self._delay(), self._land, question, answer, context=Context())
        return await answer

    def tell(self, question: bytes) -> None:
        """The same for what needs no answer."""
        self._loop.call_later(self._delay(), self._worker.answer, question, context=Context())

    def _land(self, question: bytes, answer: asyncio.Future[bytes]) -> None:
        worker, said = self._worker, self._worker.answer(question)
        delay_s = self._delay()
        if self._faults.strikes(Fault.SLOW_ANSWER):
            delay_s += self._faults.between(Fault.SLOW_ANSWER, *SLOW_S)
        self._loop.call_later(delay_s, self._answer, worker, said, answer, context=Context())

    def _answer(self, worker: Worker, said: bytes, answer: asyncio.Future[bytes]) -> None:
        if answer.done():
            return
        if worker is self._worker:
            answer.set_result(said)
        else:
            answer.set_exception(LineBrokenError("It died before it answered."))

    def _die(self) -> None:
        self._trace.step(self._name, "dies", "")
        self._worker = Worker(self._catalog)
        self._is_up_at = self._loop.time() + self._faults.between(Fault.WORKER_LOST, *DOWN_S)

    def _delay(self) -> float:
        return self._random.expovariate(1 / ANSWER_S)
