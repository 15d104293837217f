"""A desk: where the tasks of this host get the slots of one limit, or of one key of it.

A desk is at work while anybody waits at it or has a slot of it. It changes the limit's record by
"what I have seen must still be there", so of two hosts that take the last slot one does. What it
gives back and takes at the same time it passes on without a write; what it only gives back it keeps
for a moment, since the next one often comes right then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from math import inf

from host.core import limits
from host.core.limits import Limit, Room, Share, Use
from host.engine.limits.ended import CHECK_S, EndedHolders
from host.engine.limits.parts import DeskParts
from host.engine.limits.record import SlotsRecord
from host.engine.limits.slots import Slot
from host.engine.limits.waiting import Waiter, WaitingLine
from host.engine.pauses import first_of
from host.errors import StorageError
from host.logs import HostLog

_logger = HostLog("funchost.engine")

LINGER_S = 0.1
"""How long a slot that nobody wants is kept before it is given back."""
FIRST_POLL_S = 0.1
LAST_POLL_S = 1.0
"""How often a desk looks whether other hosts have given slots back: ever less often."""
TURN_S = 1.0
SIT_OUT_S = 1.5
"""Where there are more hosts than slots, one goes on for a turn, and then lets others go on."""
REPORT_S = 10.0
"""How often others are told how many wait here, if nothing else is to be stored."""
RETRY_S = 1.0
MIN_PAUSE_S = 0.001
"""Times that differ by less than clocks tell make no desk look again and again."""
CONFLICT_S = 0.05
"""Hosts that wanted to change a record at once try again after about this long."""
PART = "limits"


class Desk:
    """Everything of it is for the event loop's thread."""

    def __init__(
        self,
        parts: DeskParts,
        name: str,
        key: str,
        *,
        rule: Callable[[], Limit | None],
        closed: Callable[[], None],
    ) -> None:
        """`rule` gives the limit as it is now; `closed` is called when nothing is to do here."""
        self._parts = parts
        self.name, self.key = name, key
        self._rule = rule
        self._closed = closed
        self.line = WaitingLine()
        self.held = 0
        """How many slots tasks of this host have; those of orchestrations do not count."""
        self._gone: dict[str, str] = {}
        """Orchestrations whose slots are to be given back, and which run of each."""
        self._record = SlotsRecord(parts.store, parts.clock, name, key, is_alone=parts.is_alone)
        self._unused_since: float | None = None
        self._turn_since: float | None = None
        self._sits_until = -inf
        self._poll_s = FIRST_POLL_S
        self._ended = EndedHolders(parts.store, parts.clock)
        self._asking: list[asyncio.Future[None]] = []
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_left = False
        self._rests = asyncio.Event()
        self._rests.set()

    # ---- asked by this host ---------------------------------------------------------------------

    def wait(self, waiter: Waiter) -> None:
        """Let this one wait, too."""
        self.line.add(waiter)
        self.look()

    def ask(self, waiter: Waiter) -> asyncio.Future[None]:
        """The same; done when it has its slot, or when it is known that it must wait."""
        asking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asking.append(asking)
        self.wait(waiter)
        return asking

    def end(self, instance_id: str, run_id: str) -> None:
        """The run of an orchestration that may have a slot has ended."""
        self._gone[instance_id] = run_id
        if instance_id not in self._record.use.holders:
            self._record.forget()  # another host may have let it in a moment ago
        self.look()

    def look(self) -> None:
        """Something has changed: see to it."""
        if self._is_left:
            return
        self._changed.set()
        self._rests.clear()
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name=f"limit {self.name}")

    def nudge(self) -> None:
        """The same of what is no reason to begin anew: nobody is at work here who knows of it."""
        if self._task is not None:
            self.look()

    @property
    def is_at_work(self) -> bool:
        """Whether it does more than wait for the clock, or for others."""
        return not self._rests.is_set()

    async def rest(self) -> None:
        """Wait until that is so."""
        await self._rests.wait()

    @property
    def use(self) -> Use:
        """Who uses the limit, as far as this host knows."""
        return self._record.use

    def over(self, use: Use) -> Use:
        """What another read found, with this host's own part as it is now."""
        parts, now = self._parts, self._parts.clock.now().timestamp()
        use = limits.alive(
            use, now, parts.host_id, longest_s=parts.lease_s, is_alone=parts.is_alone
        )
        return limits.with_share(use, parts.host_id, self._share(self.held, now))

    async def leave(self) -> None:
        """The host ends: what it has is free for others. Raises `StorageError`."""
        self._is_left = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._answer(self._asking)
        if self._parts.host_id in self._record.use.shares:
            await self._record.store(limits.with_share(self._record.use, self._parts.host_id, None))

    # ---- at work --------------------------------------------------------------------------------

    async def _work(self) -> None:
        try:
            while self._has_business():
                self._changed.clear()
                pause_s = await self._try_step()
                await asyncio.sleep(0)
                if not self._changed.is_set() and pause_s > 0 and self._has_business():
                    self._rests.set()
                    await self._pause(pause_s)
                    self._rests.clear()
        finally:
            self._rests.set()
            self._task = None
        self._closed()

    async def _pause(self, pause_s: float) -> None:
        if pause_s == inf:
            await self._changed.wait()
        else:
            await first_of(self._parts.clock.sleep(pause_s), self._changed.wait())

    def _has_business(self) -> bool:
        has_share = self._parts.host_id in self._record.use.shares
        is_wanted = self.held or self._gone or self._asking or has_share
        is_waited_for = self.line.first() is not None or bool(self.line.away_count)
        return bool(is_wanted) or is_waited_for or self._is_last()

    def _is_last(self) -> bool:
        """Whether the record is this host's to remove, when what began counts no more."""
        return bool(self._record.use.began) and not (
            self._record.use.shares or self._record.use.holders
        )

    async def _try_step(self) -> float:
        """One step; for how many seconds nothing is to do, if nothing happens."""
        asking, self._asking = self._asking, []
        try:
            pause_s = await self._step()
        except StorageError as error:
            self._record.forget()
            text = "Tasks wait for the limit '%s', which cannot be asked for: %s"
            self._parts.store_watch.failed(text, self.name, error, part=PART)
            return RETRY_S
        except Exception:
            self._record.forget()
            _logger.exception("The limit '%s' could not be asked for.", self.name)
            return RETRY_S
        finally:
            self._answer(asking)
        self._parts.store_watch.worked(PART)
        return pause_s

    def _answer(self, asking: Sequence[asyncio.Future[None]]) -> None:
        """Those who asked have their slots, or wait."""
        for each in asking:
            if not each.done():
                each.set_result(None)

    async def _step(self) -> float:
        limit = self._rule()
        if limit is None:  # no such limit any more
            for waiter in self.line.take(len(self.line)):
                self._grant(waiter)
            limit = Limit()
        await self._record.refresh()
        now = self._parts.clock.now().timestamp()
        use = self._cleaned(limit, now)
        self._let_in_holders(use)
        room = self._room(limit, use, now)
        granted = self.line.take(room.slots)
        try:
            is_done = await self._store_if_due(self._wanted(limit, use, granted, now), granted, now)
        except BaseException:
            self._take_back(granted)
            raise
        if not is_done:
            self._take_back(granted)
            self._record.forget()
            return CONFLICT_S * (0.5 + self._parts.draw())
        for waiter in granted:
            self._grant(waiter)
        if granted:
            self._poll_s = FIRST_POLL_S
        return await self._pause_s(limit, room, now)

    def _room(self, limit: Limit, use: Use, now: float) -> Room:
        first = self.line.first()
        if first is None:
            return Room(0)
        if self._must_sit_out(limit, use):
            return Room(0, now + max(0.0, self._sits_until - self._parts.clock.monotonic()))
        room = limits.room(limit, use, self._parts.host_id, held=self.held)
        if first.holder is None:
            return room
        return Room(min(room.slots, limits.room_for_holders(use)), room.again_at)

    def _must_sit_out(self, limit: Limit, use: Use) -> bool:
        """Whether it is others' turn: each host has had a slot for a while, and not all can."""
        me, now = self._parts.host_id, self._parts.clock.monotonic()
        count = limit.concurrency
        if count is None or not limits.others_wait(use, me) or len(use.shares) <= count:
            self._sits_until = -inf
            return False
        if self._turn_since is not None and now - self._turn_since >= TURN_S and not self.held:
            self._turn_since, self._sits_until = None, now + SIT_OUT_S
        return now < self._sits_until

    def _wanted(self, limit: Limit, use: Use, granted: Sequence[Waiter], now: float) -> Use:
        """What is to be stored when these have their slots."""
        come = {x.instance_id: x.holder for x in granted if x.holder is not None}
        unnamed = len(granted) - len(come)
        use = limits.with_holders(use, come=come, gone={})
        use = limits.with_begun(use, limit.rate, len(granted), now)
        share = None if self._parts.is_alone else self._share(self.held + unnamed, now)
        return limits.with_share(use, self._parts.host_id, share)

    def _share(self, taken: int, now: float) -> Share | None:
        waiting = self.line.waiting
        if not taken and not waiting:
            return None
        until = now + self._parts.lease_s
        return Share(until=until, taken=taken, waiting=waiting, oldest=self.line.oldest)

    # ---- what is stored -------------------------------------------------------------------------

    def _cleaned(self, limit: Limit, now: float) -> Use:
        parts = self._parts
        use = limits.alive(
            self._record.use, now, parts.host_id, longest_s=parts.lease_s, is_alone=parts.is_alone
        )
        use = limits.without_past(use, limit.rate, now)
        return limits.with_holders(use, come={}, gone=self._gone)

    async def _store_if_due(self, wanted: Use, granted: Sequence[Waiter], now: float) -> bool:
        """Store it, unless that can wait; whether what was seen is still there."""
        gone = dict(self._gone)
        if not self._is_due(wanted, granted, now):
            return True
        if not await self._record.store(wanted):
            return False
        self._unused_since = None
        for instance_id, run_id in gone.items():
            if self._gone.get(instance_id) == run_id:
                del self._gone[instance_id]
        return True

    def _is_due(self, wanted: Use, granted: Sequence[Waiter], now: float) -> bool:
        if wanted.holders != self._record.use.holders or self._is_to_be_removed(wanted):
            return True
        self._gone.clear()  # none of them has a slot
        if granted and wanted.began != self._record.use.began:
            return True
        return self._is_own_due(wanted, now)

    def _is_own_due(self, wanted: Use, now: float) -> bool:
        """Whether others are to know now what this host has and wants."""
        mine, was = self._mine_of(wanted), self._mine_of(self._record.use)
        monotonic = self._parts.clock.monotonic()
        is_less = mine.taken < was.taken or bool(was.until and not mine.until)
        if not is_less:
            self._unused_since = None
        elif self._unused_since is None:
            self._unused_since = monotonic
        since = self._unused_since
        has_lingered = since is not None and monotonic >= since + LINGER_S
        return any(
            (
                mine.taken > was.taken,
                mine.until and now >= was.until - self._parts.lease_s / 2,
                is_less and (has_lingered or limits.others_wait(wanted, self._parts.host_id)),
                mine.waiting and not was.waiting,
                mine.waiting != was.waiting and monotonic >= self._record.stored_at + REPORT_S,
            )
        )

    def _mine_of(self, use: Use) -> Share:
        return use.shares.get(self._parts.host_id) or Share(0.0)

    def _is_to_be_removed(self, wanted: Use) -> bool:
        """Whether only what is past is stored: a record that says nothing is to go."""
        has_share = self._parts.host_id in self._record.use.shares
        return wanted.is_empty and not has_share and self._record.is_there

    # ---- slots ----------------------------------------------------------------------------------

    def _grant(self, waiter: Waiter) -> None:
        if waiter.holder is not None:
            waiter.grant(None)
            return
        self.held += 1
        if self._turn_since is None:
            self._turn_since = self._parts.clock.monotonic()
        waiter.grant(Slot(self._give_back))

    def _give_back(self) -> None:
        self.held -= 1
        self.nudge()

    def _take_back(self, granted: Sequence[Waiter]) -> None:
        for waiter in granted:
            if not waiter.is_over:
                self.line.add(waiter)

    def _let_in_holders(self, use: Use) -> None:
        """Those that wait here and got their slot by another host."""
        if use.holders:
            for waiter in [x for x in self.line if x.instance_id in use.holders]:
                holder = use.holders[waiter.instance_id]
                if waiter.holder is not None and waiter.holder.run_id == holder.run_id:
                    waiter.is_over = True
                    waiter.grant(None)

    # ---- when to look again ---------------------------------------------------------------------

    async def _pause_s(self, limit: Limit, room: Room, now: float) -> float:
        pauses = [room.again_at - now, self._until_own_s(limit, now)]
        if self.line.first() is not None:
            ended = await self._ended.look(self._record.use.holders)
            self._gone |= ended
            if ended:
                return 0.0
            if not self._parts.is_alone and self._is_used_by_others():
                pauses.append(self._poll_s)
                self._poll_s = min(LAST_POLL_S, 2 * self._poll_s)
            if self._record.use.holders:
                pauses.append(CHECK_S)
        return max(MIN_PAUSE_S, min(pauses))

    def _until_own_s(self, limit: Limit, now: float) -> float:
        """When this host's own part of the record is to be stored anew."""
        monotonic, pauses = self._parts.clock.monotonic(), [inf]
        if self._unused_since is not None:
            pauses.append(self._unused_since + LINGER_S - monotonic)
        mine, waiting = self._mine_of(self._record.use), self.line.waiting
        if mine.until and (self.held or waiting):
            pauses.append(mine.until - self._parts.lease_s / 2 - now)
        if mine.waiting != waiting and not self._parts.is_alone:
            pauses.append(self._record.stored_at + REPORT_S - monotonic)
        if self._is_last() and not (self.held or waiting) and limit.rate is not None:
            pauses.append(max(end for end, _ in self._record.use.began) + limit.rate.per_s - now)
        return min(pauses)

    def _is_used_by_others(self) -> bool:
        others = self._record.use.shares.keys() - {self._parts.host_id}
        return bool(others or self._record.use.holders or self._record.use.began)
