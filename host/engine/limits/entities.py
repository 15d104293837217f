"""Entities that wait for a slot of a limit before they do operations.

A slot is for one batch, and where a limit has a rate, for one operation, so that none begins later
than it was counted. While an entity waits its session waits, too, so that the slot is used as soon
as it is there. But a session keeps a hint of the queue, and thousands of them would leave no room
for others. So only some of those that want one limit wait in sessions. Who comes later is *away*:
his session ends, and he is called by a hint when others have gone. Hints go to any host, and who
comes may need no slot any more. So it is looked again and again whether too few wait here. If his
host dies before that, whoever looks for lost hints finds his mail.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from bindings.entity_ids import EntityId
from host.clock import Clock
from host.core.entities.turns import MAX_OPERATIONS
from host.core.functions import LimitUse
from host.engine.limits.desk import Desk
from host.engine.limits.desks import Desks
from host.engine.limits.slots import Slot
from host.engine.limits.waiting import Waiter

MAX_IN_SESSIONS = 100
"""So many entities of one priority wait for one limit, or one key of it, in sessions. So who is
more urgent finds room, however many others wait."""
CALL_S = 1.0
"""How often it is looked whether too few wait in sessions."""
MAX_CALLED = 100
"""So many are called each time to try their luck though the host has room for no more that wait."""
AWAY_S = 900.0
"""Who was not heard of for so long is hinted: perhaps he waits on another host, or no more."""


def key_of(instance_id: str, use: LimitUse) -> str:
    """For which key of its limit an entity needs a slot."""
    return use.key_of(json.dumps(EntityId.parse(instance_id).key))


@dataclass(slots=True, eq=False, kw_only=True)
class Asking:
    """One entity that wants a slot. `answer` is whether it has one."""

    instance_id: str
    desk: Desk
    waiter: Waiter
    answer: asyncio.Future[bool]
    at_most: int = MAX_OPERATIONS
    """How many operations it may do with it."""
    slot: Slot | None = None
    granted_at: datetime | None = None
    is_waiting: bool = False
    """Whether it is in the line."""


class LimitedEntities:
    """The entities of this host that wait. Everything of it is for the event loop's thread."""

    def __init__(
        self,
        desks: Desks,
        clock: Clock,
        owe: Callable[[Sequence[str]], None],
        made_room: Callable[[], None],
        *,
        max_waiting: int,
    ) -> None:
        """`owe` hints that instances have something to do; `made_room` hears that one waits.

        At most `max_waiting` wait in sessions, for whatever limits and keys.
        """
        self._desks = desks
        self._clock = clock
        self._owe = owe
        self._made_room = made_room
        self._max_waiting = max_waiting
        self._called = 0
        """How many desks were looked at to call who is away: the next time others come first."""
        self.waiting = 0
        """How many wait in sessions."""
        self._in_sessions: Counter[tuple[str, str, int]] = Counter()
        """The same for each limit, or key of it, and priority."""
        self._at_work: set[str] = set()

    def is_at_work(self, instance_id: str) -> bool:
        """Whether the entity has a slot here."""
        return instance_id in self._at_work

    @contextmanager
    def asking(self, instance_id: str, use: LimitUse, since: datetime) -> Iterator[Asking]:
        """Want a slot, and have it as long as this lasts; since then the entity has had work.

        Who leaves without one is hinted later.
        """
        asking = self._ask(instance_id, use, since.timestamp())
        try:
            yield asking
        finally:
            asking.waiter.is_over = True
            self._leave_line(asking)
            self._at_work.discard(instance_id)
            if asking.slot is not None:
                asking.slot.give_back()
            else:
                self._go_away(asking)

    def _ask(self, instance_id: str, use: LimitUse, since: float) -> Asking:
        key = key_of(instance_id, use)
        desk = self._desks.desk(use.name, key)
        desk.line.come_back(instance_id)
        asking = Asking(
            instance_id=instance_id,
            desk=desk,
            waiter=Waiter(
                key=key,
                priority=use.priority,
                since=since,
                grant=lambda slot: self._granted(asking, slot),
            ),
            answer=asyncio.get_running_loop().create_future(),
        )
        place = _place(desk, use.priority)
        if self._in_sessions[place] >= MAX_IN_SESSIONS:
            asking.answer.set_result(False)
            return asking
        asking.is_waiting = True
        self._in_sessions[place] += 1
        self.waiting += 1
        looked = desk.ask(asking.waiter)
        if self.waiting > self._max_waiting:
            looked.add_done_callback(lambda _: _refuse(asking))
        self._made_room()
        return asking

    def _granted(self, asking: Asking, slot: Slot | None) -> None:
        """It has its slot, which may come when nobody wants it any more."""
        if slot is None:
            return
        if asking.waiter.is_over:
            slot.give_back()
            return
        limit = self._desks.limit(asking.desk.name)
        if limit is not None and limit.rate is not None:
            asking.at_most = 1
        asking.slot, asking.granted_at = slot, self._clock.now()
        self._at_work.add(asking.instance_id)
        self._leave_line(asking)
        asking.answer.set_result(True)

    def _leave_line(self, asking: Asking) -> None:
        """There is room for one more in a session; for two if there are few."""
        if not asking.is_waiting:
            return
        asking.is_waiting = False
        self.waiting -= 1
        priority = asking.waiter.priority
        place = _place(asking.desk, priority)
        left = self._in_sessions[place] - 1
        if left:
            self._in_sessions[place] = left
        else:
            del self._in_sessions[place]
        called = asking.desk.line.call(priority, 1 if left > MAX_IN_SESSIONS // 2 else 2)
        if called:
            self._owe(called)

    def _go_away(self, asking: Asking) -> None:
        # The desk may have closed since: then there is another one for the same.
        desk = self._desks.desk(asking.desk.name, asking.desk.key)
        waiter, now = asking.waiter, self._clock.monotonic()
        desk.line.go_away(asking.instance_id, waiter.priority, waiter.since, now)
        desk.nudge()

    def call_away(self) -> None:
        """Call some where too few wait in sessions, and all that were away for long."""
        before, desks = self._clock.monotonic() - AWAY_S, self._desks.open_now()
        first, left = self._called % max(1, len(desks)), self._max_waiting - self.waiting
        left = max(left, MAX_CALLED)
        for desk in desks[first:] + desks[:first]:
            called = [
                each
                for every in desk.line.away_priorities
                for each in self._call(desk, every, at_most=left)
            ]
            left = max(0, left - len(called))
            called += desk.line.call_old(before)
            self._called += bool(left)
            if called:
                self._owe(called)
                desk.nudge()

    def _call(self, desk: Desk, priority: int, *, at_most: int) -> list[str]:
        waiting = self._in_sessions[_place(desk, priority)]
        room = MAX_IN_SESSIONS - waiting if waiting <= MAX_IN_SESSIONS // 2 else 0
        return desk.line.call(priority, min(room, at_most))

    def take_away(self) -> list[str]:
        """The host ends: those that are away wait elsewhere. Gives who is to be woken."""
        desks = self._desks.open_now()
        return [each for desk in desks for each in desk.line.call_all()]


def _refuse(asking: Asking) -> None:
    """It has no slot at once, and there is no room for more that wait."""
    if not asking.answer.done():
        asking.answer.set_result(False)


def _place(desk: Desk, priority: int) -> tuple[str, str, int]:
    return desk.name, desk.key, priority
