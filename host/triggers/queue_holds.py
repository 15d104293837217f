"""The messages that a listener has, from when it gets them until they have ended or go back.

Rules of this file: a message is held until it is deleted, given back or in the poison queue, and
its hold is extended again and again, however long that takes. Where that fails for the time of a
hold somebody else may have the message: whoever works on it is cancelled, and nothing is done to it
any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bindings.errors import FunchostError
from bindings.kinds.queues import QueueSource, ReceivedMessage
from bindings.kinds.services import Clock
from host.logs import HostLog

BEATS: Final = 3
"""How often a hold is extended in its time: two may fail."""
AGAIN_S: Final = 1.0
"""How soon a delete that failed is tried again."""

_log = HostLog(__name__)


@dataclass(slots=True)
class _Hold:
    message: ReceivedMessage
    until: float
    worker: asyncio.Task[None] | None = None
    """Who is cancelled if it is lost."""


class Holds:
    """Holds the messages of one listener."""

    def __init__(self, source: QueueSource, clock: Clock, name: str) -> None:
        """`name` is that of the function."""
        self._source = source
        self._clock = clock
        self._name = name
        self._held: dict[str, _Hold] = {}
        self._done: list[ReceivedMessage] = []
        self._deleting: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None

    def take(self, messages: Sequence[ReceivedMessage]) -> None:
        """Hold these from now on."""
        until = self._clock.monotonic() + self._source.hold_s
        for message in messages:
            self._held[message.receipt] = _Hold(message, until)
        if messages and (self._beating is None or self._beating.done()):
            self._beating = asyncio.create_task(self._beat())

    def begin(self, messages: Sequence[ReceivedMessage], worker: asyncio.Task[None] | None) -> bool:
        """Have the worker cancelled if one is lost; False if one is lost already. None: nobody."""
        holds = [self._held.get(each.receipt) for each in messages]
        for hold in holds:
            if hold is not None:
                hold.worker = worker
        return all(hold is not None for hold in holds)

    def is_held(self, message: ReceivedMessage) -> bool:
        """Whether it is not lost, and has not ended or gone back."""
        return message.receipt in self._held

    def finish(self, messages: Sequence[ReceivedMessage]) -> None:
        """They were seen to: delete them, with all others of the moment."""
        self.begin(messages, None)
        self._done += [each for each in messages if self.is_held(each)]
        if self._done and (self._deleting is None or self._deleting.done()):
            self._deleting = asyncio.create_task(self._delete())

    async def give_back(
        self, messages: Sequence[ReceivedMessage], *, delay_s: float = 0.0, is_tried: bool
    ) -> None:
        """Let others have them. What fails is no harm: then they come when their holds are over."""
        mine = [each for each in messages if self._held.pop(each.receipt, None) is not None]
        if not mine:
            return
        try:
            await self._source.release(mine, delay_s=delay_s, is_tried=is_tried)
        except FunchostError as error:
            _log.warning("Messages of '%s' come back later: %s", self._name, error)

    async def poison(self, message: ReceivedMessage, reason: Mapping[str, str]) -> bool:
        """Put it into the poison queue; False if that failed, and it comes back."""
        if self._held.get(message.receipt) is None:
            return False
        try:
            await self._source.poison(message, reason)
        except FunchostError as error:
            _log.warning("A message of '%s' does not get where it ends: %s", self._name, error)
            return False
        finally:
            self._held.pop(message.receipt, None)
        return True

    async def drained(self) -> None:
        """Wait until the queue knows of all that was seen to."""
        if self._deleting is not None:
            await asyncio.wait([self._deleting])

    def leave(self) -> None:
        """Do nothing more: what is still held is others' when its hold is over."""
        self._held.clear()
        for task in (self._deleting, self._beating):
            if task is not None:
                task.cancel()

    async def _delete(self) -> None:
        while self._done:
            some, self._done = self._done, []
            try:
                await self._source.delete(some)
            except FunchostError as error:
                _log.debug("Messages of '%s' are not deleted yet: %s", self._name, error)
                await self._clock.sleep(AGAIN_S)
                self._done += [each for each in some if self.is_held(each)]
            else:
                for message in some:
                    self._held.pop(message.receipt, None)

    async def _beat(self) -> None:
        while self._held:
            await self._clock.sleep(self._source.hold_s / BEATS)
            await self._extend([hold.message for hold in self._held.values()])

    async def _extend(self, messages: Sequence[ReceivedMessage]) -> None:
        asked_at = self._clock.monotonic()
        lost: set[str] = set()
        try:
            if messages:
                lost |= set(await self._source.extend(messages))
        except FunchostError as error:
            _log.debug("Messages of '%s' cannot be held for longer: %s", self._name, error)
        else:
            for message in messages:
                hold = self._held.get(message.receipt)
                if hold is not None:
                    hold.until = asked_at + self._source.hold_s
        now = self._clock.monotonic()
        for hold in list(self._held.values()):
            if hold.message.id in lost or hold.until <= now:
                self._lose(hold)

    def _lose(self, hold: _Hold) -> None:
        del self._held[hold.message.receipt]
        _log.warning(
            "The message %s of '%s' is lost to others: it was not held in time",
            hold.message.id,
            self._name,
        )
        if hold.worker is not None:
            hold.worker.cancel()
