"""The dispatcher: takes wake-ups, opens a session for each, and sees to sessions that fail."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress

from host.core.failures import in_words
from host.engine.damaged import end_if_terminated, quarantine, set_aside
from host.engine.holds import pause_s
from host.engine.observer import WakeUpRedelivered
from host.engine.parts import EngineParts
from host.engine.pauses import first_of
from host.engine.session import Session
from host.errors import DamagedDataError, ExecutorError, StorageError
from host.logs import HostLog
from host.storage.protocol import Hint, WakeUp

_logger = HostLog("funchost.engine")

RECEIVE_AT_ONCE = 100
MAX_HELD = 10
"""How many times more wake-ups may be held than there may be sessions, if most wait their turn."""
FIRST_PAUSE_S = 0.05
MAX_PAUSE_S = 0.5
"""How long a host without the function holds a wake-up back, before it lets others have it."""
MAX_FAILURES = 10_000
"""Of so many instances it is known how often the store failed them: others went on elsewhere."""


class Sessions:
    """The open sessions of this host, at most one an instance."""

    def __init__(self) -> None:
        self._open: dict[str, Session] = {}
        self._tasks: dict[asyncio.Task[None], WakeUp] = {}
        self._room = asyncio.Event()
        self._room.set()
        self._draining = asyncio.Event()
        self._failures: Counter[str] = Counter()
        """How often in a row the store failed an instance."""

    def __len__(self) -> int:
        return len(self._open)

    def nudge(self, instance_ids: Iterable[str]) -> None:
        """Tell open sessions that there is something new for them."""
        for instance_id in instance_ids:
            session = self._open.get(instance_id)
            if session is not None:
                session.nudge()

    def is_open(self, instance_id: str) -> bool:
        """Whether the instance is led here just now."""
        return instance_id in self._open

    def lose(self, hint: Hint) -> None:
        """Have the session of a hint that is not held any more see that, if it is open still."""
        session = self._open.get(hint.instance_id)
        if session is not None and session.wakeup.receipt == hint.receipt:
            session.nudge()

    def let_go(self, wakeup: WakeUp) -> None:
        """Have the session of a wake-up end as soon as it may, and go on by a new wake-up."""
        session = self._open.get(wakeup.instance_id)
        if session is not None and session.wakeup.receipt == wakeup.receipt:
            session.let_go()

    def renew(self) -> list[asyncio.Future[None]]:
        """Have all load their instances anew; each gives what is done when it has no older code."""
        return [session.renew() for session in self._open.values()]

    def instance_ids(self) -> list[str]:
        """The instances that are led here just now."""
        return list(self._open)

    async def ended(self) -> None:
        """Wait until no wake-up is held."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def wakeups(self) -> list[WakeUp]:
        """The wake-ups that are held."""
        return list(self._tasks.values())

    def tick(self, now: float) -> None:
        """Look after sessions that wait; `now` is monotonic."""
        for session in list(self._open.values()):
            session.tick(now)

    def make_room(self) -> None:
        """There may be room for sessions again."""
        self._room.set()

    async def receive_once(self, parts: EngineParts) -> None:
        """Take wake-ups while there is room for sessions."""
        room = self._free(parts)
        if room <= 0:
            self._room.clear()
            await self._room.wait()
            return
        for wakeup in await parts.queues.receive_wakeups(min(room, RECEIVE_AT_ONCE)):
            task = asyncio.create_task(self._serve(parts, wakeup))
            self._tasks[task] = wakeup
            task.add_done_callback(self._ended)

    def _free(self, parts: EngineParts) -> int:
        """For how many sessions there is room; those that wait for their turn need little."""
        limit, held = parts.options.max_concurrent_orchestrators, len(self._tasks)
        waiting = parts.quarantine.waiting + parts.limits.entities.waiting
        return min(limit - (held - waiting), limit * MAX_HELD - held)

    async def drain(self, patience_s: float) -> None:
        """Let all sessions end as soon as they can; those that cannot in time are cancelled."""
        self._draining.set()
        for session in self._open.values():
            session.drain()
        await asyncio.sleep(0)  # a task that is cancelled before its first step gives nothing back
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience_s)
        left = [task for task in self._tasks if not task.done()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self._room.set()

    async def _serve(self, parts: EngineParts, wakeup: WakeUp) -> None:
        try:
            # Two sessions of one instance would tell the store of each other's past as if it was
            # new.
            while (earlier := self._open.get(wakeup.instance_id)) is not None:
                await earlier.over.wait()
            if self._draining.is_set():
                await self._pass_on(parts, wakeup)
            else:
                await self._lead(parts, wakeup)
        except asyncio.CancelledError:
            with suppress(StorageError):
                await self._pass_on(parts, wakeup)
            raise
        except StorageError as error:
            # The queue did not take the wake-up back: it comes again by itself.
            self._count_failure(wakeup.instance_id)
            text = "The wake-up of '%s' comes again: %s"
            parts.store_watch.failed(text, wakeup.instance_id, error)

    async def _lead(self, parts: EngineParts, wakeup: WakeUp) -> None:
        instance_id = wakeup.instance_id
        session = Session(parts, wakeup, is_excused=instance_id in self._failures)
        if wakeup.deliveries > 1 and WakeUpRedelivered in parts.observers.wanted:
            parts.observers.tell(WakeUpRedelivered(wakeup=wakeup))
        self._open[instance_id] = session
        try:
            await self._lead_or_set_aside(parts, session)
        except StorageError as error:
            text = "The store failed '%s'; it goes on soon: %s"
            parts.store_watch.failed(text, instance_id, error)
            await self._begin_anew(parts, wakeup)
        except ExecutorError as error:
            parts.lines.warn("'%s' is to be asked again soon: %s", instance_id, error)
            await self._begin_anew(parts, wakeup)
        except Exception as error:
            _logger.exception("A turn of '%s' failed.", instance_id)
            await self._try_again_or_quarantine(parts, wakeup, error)
        else:
            if session.has_lost_hold:
                self._count_failure(instance_id)  # it comes again, and nobody ended with it
            else:
                self._failures.pop(instance_id, None)
            await self._hand_over(parts, session)
            if parts.store_watch.is_failing and not session.has_lost_hold:
                parts.store_watch.worked()
        finally:
            del self._open[instance_id]
            session.over.set()

    async def _lead_or_set_aside(self, parts: EngineParts, session: Session) -> None:
        """Lead it, or see to it that nobody tries to if what is stored cannot be read."""
        try:
            await session.lead()
        except DamagedDataError as error:
            if not await end_if_terminated(parts, session.instance_id):
                await set_aside(parts, session.instance_id, str(error))

    async def _try_again_or_quarantine(
        self, parts: EngineParts, wakeup: WakeUp, error: Exception
    ) -> None:
        if wakeup.deliveries < parts.options.max_deliveries:
            await self._rest(parts, pause_s(wakeup.deliveries))
            if self._draining.is_set():
                await self._pass_on(parts, wakeup)
            else:
                await parts.queues.release([wakeup])
            return
        try:
            reason = f"Its turns failed {wakeup.deliveries} times: {in_words(error)}"
            await quarantine(parts, wakeup.instance_id, reason)
        except StorageError as failure:
            text = "'%s' could not be marked as quarantined: %s"
            parts.store_watch.failed(text, wakeup.instance_id, failure)
        except Exception:
            _logger.exception("'%s' could not be marked as quarantined.", wakeup.instance_id)
        await parts.queues.finish([wakeup])

    async def _hand_over(self, parts: EngineParts, session: Session) -> None:
        """The session is over; what it could not do any more, another host may do at once."""
        if session.is_for_others:
            passed = session.wakeup.passed
            await self._rest(parts, min(FIRST_PAUSE_S * 2**passed, MAX_PAUSE_S))
            await parts.queues.pass_on(session.wakeup)
        elif session.leaves_work:
            await self._pass_on(parts, session.wakeup)
        else:
            await parts.queues.finish([session.wakeup])

    async def _pass_on(self, parts: EngineParts, wakeup: WakeUp) -> None:
        """Let another host go on: by a new hint, since nobody vanished with this one."""
        is_recovery = wakeup.is_suspicious
        await parts.queues.send_wakeups([wakeup.instance_id], is_recovery=is_recovery)
        await parts.queues.finish([wakeup])

    async def _rest(self, parts: EngineParts, seconds: float) -> None:
        """Sleep, but no longer than the host goes on."""
        await first_of(parts.clock.sleep(seconds), self._draining.wait())

    async def _begin_anew(self, parts: EngineParts, wakeup: WakeUp) -> None:
        """Try again after a while: by a new hint, since nobody vanished with this one.

        It is a recovery hint: something may have been stored that no copy in memory knows of.
        """
        await self._rest(parts, pause_s(self._count_failure(wakeup.instance_id)))
        await parts.queues.send_wakeups([wakeup.instance_id], is_recovery=True)
        await parts.queues.finish([wakeup])

    def _count_failure(self, instance_id: str) -> int:
        """How often in a row it failed by now."""
        if len(self._failures) >= MAX_FAILURES:
            self._failures.clear()
        self._failures[instance_id] += 1
        return self._failures[instance_id]
