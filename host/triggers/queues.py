"""Runs functions for the messages of queues, wherever the queues are.

Rules of this file: it takes messages, and hands them to `queue_work`. It takes more while fewer
than a threshold are in work, so that the next ones are there when the last ones end. A queue that
is away is asked again and again; that is a problem of the function, and of nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from bindings.errors import FunchostError
from bindings.kinds.queue import Cardinality, queue_trigger_of
from bindings.kinds.queues import is_fifo
from bindings.kinds.records import TriggeredFunction
from bindings.kinds.services import ListenerServices
from host.core.failures import in_words
from host.logs import HostLog
from host.triggers.queue_holds import Holds
from host.triggers.queue_work import QueueWork, WorkRules

HOLD_S: Final = 30.0
"""How long a message is held at a time: so soon those of a host that died come back."""
FIRST_PAUSE_S: Final = 1.0
LAST_PAUSE_S: Final = 30.0
"""How soon a queue that is away is asked again: the first time, and at last."""
LEAVE_S: Final = 2.0
"""How long what is broken off at a stop may take to be given back."""

T = TypeVar("T")

_log = HostLog(__name__)


class QueueListener:
    """Runs one queue function. The `TriggerListener` of `queueTrigger`."""

    def __init__(self, function: TriggeredFunction, services: ListenerServices) -> None:
        """Raises `FunchostError` if the app settings say no such place."""
        self._function = function
        self._services = services
        self._clock = services.clock
        self._trigger = queue_trigger_of(function.trigger)
        self._options = self._trigger.options(services.resources.queue_options)
        self._source = services.resources.queue_source(
            self._trigger.queue, self._trigger.connection, hold_s=HOLD_S
        )
        self._holds = Holds(self._source, self._clock, function.name)
        self._work: QueueWork | None = None
        self._trouble: str | None = None
        self._failures = 0
        self._stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._leading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin; the queue is asked in the background."""
        self._services.show({"queue": self._trigger.queue})
        self._leading = asyncio.create_task(self._lead())

    async def stop(self) -> None:
        """Take nothing new, give back what was not begun, and wait for what runs."""
        if not self._stopped.done():
            self._stopped.set_result(None)
        if self._work is not None:
            self._work.begin_stop()
        try:
            await self._source.close()
            if self._leading is not None:
                await asyncio.wait([self._leading])
            if self._work is not None:
                await self._work.ended()
            await self._holds.drained()
        except asyncio.CancelledError:
            await self._break_off()
            raise
        finally:
            self._holds.leave()

    def problems(self) -> list[str]:
        """Why no messages come."""
        return [] if self._trouble is None else [self._trouble]

    async def _break_off(self) -> None:
        """The grace is over: give back what runs."""
        if self._leading is not None:
            self._leading.cancel()
        if self._work is not None:
            self._work.cancel()
            ended = asyncio.create_task(self._work.ended())
            await asyncio.wait([ended], timeout=LEAVE_S)
            ended.cancel()

    async def _lead(self) -> None:
        try:
            await self._listen()
        except Exception as error:  # noqa: BLE001 - a defect: it is shown, and others go on
            self._trouble = f"it has stopped: {in_words(error)}"
            _log.exception("The queue function '%s' gets no more messages", self._function.name)

    async def _listen(self) -> None:
        facts = None
        while facts is None:
            if self._stopped.done():
                return
            facts = await self._asked(self._source.facts())
        work = self._work = QueueWork(
            self._function,
            self._holds,
            self._clock,
            WorkRules(
                options=self._options,
                is_ordered=is_fifo(self._trigger.queue),
                is_batched=self._trigger.cardinality is Cardinality.MANY,
                poisons=facts.max_tries is None,
            ),
        )
        size = self._options.batch_size
        threshold = self._options.new_batch_threshold
        most = size // 2 if threshold is None else threshold
        while not self._stopped.done():
            await self._either(work.room(most))
            if self._stopped.done():
                return
            messages = await self._asked(self._source.receive(size))
            if messages:
                work.begin(messages)

    async def _asked(self, asked: Awaitable[T]) -> T | None:
        """What the queue answers; None, after a pause, if it does not."""
        try:
            answer = await asked
        except FunchostError as error:
            await self._note_failure(error)
            return None
        if self._failures:
            _log.info(
                "The queue of '%s' answers again after %d failures",
                self._function.name,
                self._failures,
            )
            self._failures, self._trouble = 0, None
        return answer

    async def _note_failure(self, error: FunchostError) -> None:
        self._failures += 1
        self._trouble = f"the queue '{self._trigger.queue}' does not answer: {error}"
        if self._failures == 1:
            _log.warning("'%s' gets no messages: %s", self._function.name, error)
        pause = min(FIRST_PAUSE_S * 2 ** min(self._failures - 1, 10), LAST_PAUSE_S)
        await self._either(self._clock.sleep(pause))

    async def _either(self, awaited: Awaitable[None]) -> None:
        """Wait for this, or the stop."""
        waiting = asyncio.ensure_future(awaited)
        try:
            await asyncio.wait([waiting, self._stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
