"""Runs a function for messages, and says what becomes of each.

Rules of this file: what succeeded is deleted, and what failed comes back, or ends in the poison
queue. What was not begun, or cut off by a stop, is given back as if nobody had tried it: a deploy
poisons nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from itertools import groupby
from typing import Final

from bindings.errors import InvalidArgumentError
from bindings.kinds.queue import message_of
from bindings.kinds.queues import QueueOptions, ReceivedMessage
from bindings.kinds.records import TriggeredFunction
from bindings.kinds.services import Clock
from bindings.queues import BatchFailure, QueueMessage, UnfitMessages
from host.core.failures import caught, in_words
from host.logs import HostLog
from host.triggers.queue_holds import Holds

MAX_REASON: Final = 1000
"""How much of an error's text goes with a message into the poison queue."""
NEVER_ENDED: Final = "no run of it came to an end: its host went away each time"

_log = HostLog(__name__)


class _Outcome(Enum):
    """What became of a try."""

    ENDED = auto()
    """The message has come to its end, good or bad."""
    FAILED = auto()
    """It is held, and to be tried again."""
    LEFT = auto()
    """It is not held any more, and comes again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRules:
    """How a function is run for messages."""

    options: QueueOptions
    is_ordered: bool
    """Whether the messages of a group are one after the other."""
    is_batched: bool
    """Whether one run gets all that was taken at once."""
    poisons: bool
    """Whether it is up to the host to put what fails into the poison queue."""


class QueueWork:
    """What a listener has in work."""

    def __init__(
        self, function: TriggeredFunction, holds: Holds, clock: Clock, rules: WorkRules
    ) -> None:
        self._function = function
        self._holds = holds
        self._clock = clock
        self._rules = rules
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed: asyncio.Future[None] | None = None
        self._stopping: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.running = 0
        """How many messages are in work."""

    def begin(self, messages: Sequence[ReceivedMessage]) -> None:
        """Work on these, each in its place of the order."""
        self._holds.take(messages)
        for lane in self._lanes(messages):
            self.running += len(lane)
            task = asyncio.create_task(self._work(lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def room(self, most: int) -> None:
        """Wait until so many messages are in work, or fewer."""
        while self.running > most:
            if self._changed is None or self._changed.done():
                self._changed = asyncio.get_running_loop().create_future()
            await self._changed

    def begin_stop(self) -> None:
        """Begin nothing more of what was taken."""
        if not self._is_stopping:
            self._stopping.set_result(None)

    async def ended(self) -> None:
        """Wait for the end of all."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    def cancel(self) -> None:
        """Break off all, and give it back."""
        self.begin_stop()
        for task in self._tasks:
            task.cancel()

    @property
    def _is_stopping(self) -> bool:
        return self._stopping.done()

    def _lanes(self, messages: Sequence[ReceivedMessage]) -> list[list[ReceivedMessage]]:
        """What is worked on side by side."""
        if self._rules.is_batched:
            return [list(messages)]
        if not self._rules.is_ordered:
            return [[message] for message in messages]
        in_groups = sorted(messages, key=_group_of)  # it keeps the order within a group
        return [list(lane) for _, lane in groupby(in_groups, _group_of)]

    async def _work(self, lane: list[ReceivedMessage]) -> None:
        waiting = list(lane)
        left = len(lane)
        try:
            if self._rules.is_batched:
                waiting.clear()
                await self._run_batch(lane)
            while waiting and not self._is_stopping:
                goes_on = await self._run_one(waiting.pop(0))
                left -= 1
                self._less(1)
                if not goes_on:
                    break
            await self._give_back(waiting)
        except Exception:  # noqa: BLE001 - a defect: they come back when their holds are over
            _log.exception("Messages of '%s' are left", self._function.name)
        finally:
            self._less(left)

    def _less(self, count: int) -> None:
        self.running -= count
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    async def _run_one(self, message: ReceivedMessage) -> bool:
        """Run it for one message; whether the next one of its group may follow.

        What fails in a group is tried again while it and those behind it are held: they would be
        given back with it each time, and a queue may count that as tries of theirs. A queue that
        itself puts away what fails must see each try.
        """
        outcome = await self._try(message)
        while outcome is _Outcome.FAILED and self._rules.is_ordered and self._rules.poisons:
            if not await self._pause():
                break
            message = replace(message, dequeue_count=message.dequeue_count + 1)
            outcome = await self._try(message)
        if outcome is _Outcome.FAILED:
            await self._try_later(message)
        return outcome is _Outcome.ENDED

    async def _pause(self) -> bool:
        """Wait as long as nobody is to get what has failed; False if a stop comes first."""
        pausing = asyncio.ensure_future(self._clock.sleep(self._rules.options.visibility_timeout_s))
        try:
            await asyncio.wait({pausing, self._stopping}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            return False
        finally:
            pausing.cancel()
        return not self._is_stopping

    async def _try(self, message: ReceivedMessage) -> _Outcome:
        if self._is_spent(message):
            return await self._end(message)
        try:
            value = message_of(message, self._rules.options.encoding)
        except InvalidArgumentError as error:
            return await self._failed(message, error)
        if not self._holds.begin([message], asyncio.current_task()):
            return _Outcome.LEFT
        try:
            result = await self._function.invoke(value)
        except asyncio.CancelledError:
            await self._give_back([message])
            return _Outcome.LEFT
        except Exception as error:  # noqa: BLE001 - an author's function may raise anything
            return await self._failed(message, error)
        return await self._came_through(message, result)

    async def _came_through(self, message: ReceivedMessage, result: object) -> _Outcome:
        if isinstance(result, BatchFailure):  # it says that the message failed, whichever it names
            return await self._failed(message, result)
        self._holds.finish([message])
        return _Outcome.ENDED

    async def _run_batch(self, batch: Sequence[ReceivedMessage]) -> None:
        values = await self._values(await self._fit(batch))
        while values:
            messages = [message for message, _ in values]
            if not self._holds.begin(messages, asyncio.current_task()):
                await self._give_back(messages)
                return
            try:
                result = await self._function.invoke([value for _, value in values])
            except asyncio.CancelledError:
                await self._give_back(messages)
                return
            except UnfitMessages as unfit:
                values = await self._without(values, unfit)
            except BatchFailure as failure:
                await self._partly(messages, failure)
                return
            except Exception as error:  # noqa: BLE001 - as above
                await self._all_failed(messages, error)
                return
            else:
                await self._partly(messages, result)
                return

    async def _values(
        self, messages: Sequence[ReceivedMessage]
    ) -> list[tuple[ReceivedMessage, QueueMessage]]:
        values = []
        for message in messages:
            try:
                values.append((message, message_of(message, self._rules.options.encoding)))
            except InvalidArgumentError as error:
                await self._all_failed([message], error)
        return values

    async def _without(
        self, values: list[tuple[ReceivedMessage, QueueMessage]], unfit: UnfitMessages
    ) -> list[tuple[ReceivedMessage, QueueMessage]]:
        """The batch without those that the function cannot read: these have failed."""
        failed = [message for message, _ in values if message.id in unfit.failed_ids]
        await self._all_failed(failed, unfit)
        return [pair for pair in values if pair[0].id not in unfit.failed_ids]

    async def _partly(self, messages: Sequence[ReceivedMessage], result: object) -> None:
        """End what the function came through with, and let the rest fail."""
        failed = set(result.failed_ids) if isinstance(result, BatchFailure) else set()
        strange = failed - {each.id for each in messages}
        if strange and isinstance(result, BatchFailure):
            _log.error(
                "'%s' names messages that are not of its batch, so all of it counts as failed: %s",
                self._function.name,
                ", ".join(sorted(strange))[:MAX_REASON],
            )
            failed = {each.id for each in messages}
        self._holds.finish([each for each in messages if each.id not in failed])
        if isinstance(result, BatchFailure):
            await self._all_failed([each for each in messages if each.id in failed], result)

    async def _all_failed(self, messages: Sequence[ReceivedMessage], error: Exception) -> None:
        for message in messages:
            if await self._failed(message, error) is _Outcome.FAILED:
                await self._try_later(message)

    async def _fit(self, messages: Sequence[ReceivedMessage]) -> list[ReceivedMessage]:
        """Those that may be tried; the others end here."""
        for message in messages:
            if self._is_spent(message):
                await self._end(message)
        return [each for each in messages if not self._is_spent(each)]

    def _is_spent(self, message: ReceivedMessage) -> bool:
        """Whether it took its hosts with it, again and again."""
        return self._rules.poisons and message.dequeue_count > self._rules.options.max_dequeue_count

    async def _end(self, message: ReceivedMessage) -> _Outcome:
        return await self._poison(message, NEVER_ENDED, tries=message.dequeue_count - 1)

    async def _failed(self, message: ReceivedMessage, error: Exception) -> _Outcome:
        """Tell of it, and put away what failed too often."""
        most = self._rules.options.max_dequeue_count
        said, failed = in_words(error), caught(error)
        _log.warning(
            "'%s' failed with the message %s (try %d%s): %s",
            self._function.name,
            message.id,
            message.dequeue_count,
            f" of {most}" if self._rules.poisons else "",
            failed,
            exc_info=None if isinstance(error, BatchFailure) else failed.exc_info,
        )
        if self._rules.poisons and message.dequeue_count >= most:
            return await self._poison(message, said, tries=message.dequeue_count)
        return _Outcome.FAILED

    async def _try_later(self, message: ReceivedMessage) -> None:
        delay_s = self._rules.options.visibility_timeout_s
        await self._holds.give_back([message], delay_s=delay_s, is_tried=True)

    async def _poison(self, message: ReceivedMessage, why: str, *, tries: int) -> _Outcome:
        reason = _reason(self._function.name, why, tries, self._clock.now())
        if not await self._holds.poison(message, reason):
            return _Outcome.LEFT
        _log.error(
            "The message %s of '%s' is in the poison queue after %d tries: %s",
            message.id,
            self._function.name,
            tries,
            why,
        )
        return _Outcome.ENDED

    async def _give_back(self, messages: Sequence[ReceivedMessage]) -> None:
        await self._holds.give_back(messages, is_tried=False)


def _group_of(message: ReceivedMessage) -> str:
    return message.group_id or ""


def _reason(function: str, why: str, tries: int, now: datetime) -> Mapping[str, str]:
    """What goes with a message into the poison queue, beside its body."""
    text = "".join(each if each.isprintable() else " " for each in why[:MAX_REASON])
    return {
        "funchost-error": text.encode(errors="replace").decode() or "unknown",
        "funchost-function": function,
        "funchost-failed-at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "funchost-tries": str(tries),
    }
