"""The dispatcher: takes wake-ups, opens a session for each, and sees to sessions that fail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from host.engine.damaged import end_if_terminated
from host.engine.parts import EngineParts
from host.engine.session import Session
from host.errors import DamagedDataError, StorageError
from host.storage.protocol import WakeUp

_logger = logging.getLogger("funchost.engine")

RECEIVE_AT_ONCE = 100
MAX_BACKOFF_S = 30.0


class Sessions:
    """The open sessions of this host, at most one an instance."""

    def __init__(self) -> None:
        self._open: dict[str, Session] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()
        self._room.set()
        self._is_draining = False

    def __len__(self) -> int:
        return len(self._open)

    def nudge(self, instance_ids: Iterable[str]) -> None:
        """Tell open sessions that there is something new for them."""
        for instance_id in instance_ids:
            session = self._open.get(instance_id)
            if session is not None:
                session.nudge()

    def wakeups(self) -> list[WakeUp]:
        """The wake-ups that are held."""
        return [session.wakeup for session in self._open.values()]

    def tick(self, now: float) -> None:
        """Look after sessions that wait; `now` is monotonic."""
        for session in list(self._open.values()):
            session.tick(now)

    async def receive_once(self, parts: EngineParts) -> None:
        """Take wake-ups while there is room for sessions."""
        room = parts.options.max_concurrent_orchestrators - len(self._tasks)
        if room <= 0:
            self._room.clear()
            await self._room.wait()
            return
        for wakeup in await parts.queues.receive_wakeups(min(room, RECEIVE_AT_ONCE)):
            task = asyncio.create_task(self._serve(parts, wakeup))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    async def drain(self, deadline: Callable[[], float]) -> bool:
        """Let all sessions end by themselves; those that did not by the deadline are cancelled.

        `deadline` gives the seconds that are left. True if none had to be cancelled.
        """
        self._is_draining = True
        for session in self._open.values():
            session.drain()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=max(0.0, deadline()))
        left = [task for task in self._tasks if not task.done()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return not left

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._room.set()

    async def _serve(self, parts: EngineParts, wakeup: WakeUp) -> None:
        # Two sessions of one instance would tell the store of each other's past as if it were new.
        while (earlier := self._open.get(wakeup.instance_id)) is not None:
            await earlier.over.wait()
        session = Session(parts, wakeup)
        parts.counters.redeliveries += wakeup.deliveries > 1
        self._open[wakeup.instance_id] = session
        if self._is_draining:
            session.drain()
        try:
            await self._lead(parts, session)
        except StorageError as error:
            # The queue did not take the wake-up back: it comes again by itself.
            _logger.warning("The wake-up of '%s' comes again: %s", wakeup.instance_id, error)
        finally:
            del self._open[wakeup.instance_id]
            session.over.set()

    async def _lead(self, parts: EngineParts, session: Session) -> None:
        wakeup = session.wakeup
        try:
            await session.lead()
        except DamagedDataError as error:
            if not await end_if_terminated(parts, wakeup.instance_id):
                await self._quarantine(parts, wakeup, str(error))
            await parts.queues.finish([wakeup])
        except StorageError as error:
            _logger.warning("The store failed '%s'; it goes on soon: %s", wakeup.instance_id, error)
            await self._back_off(parts, wakeup)
        except asyncio.CancelledError:
            await self._pass_on(parts, wakeup)
            raise
        except Exception as error:
            _logger.exception("A turn of '%s' failed.", wakeup.instance_id)
            if wakeup.deliveries < parts.options.max_deliveries:
                await self._back_off(parts, wakeup)
            else:
                reason = f"Its turns failed {wakeup.deliveries} times: {error!r}"
                await self._quarantine(parts, wakeup, reason)
                await parts.queues.finish([wakeup])
        else:
            await self._hand_over(parts, session)

    async def _hand_over(self, parts: EngineParts, session: Session) -> None:
        """The session is over; what it could not do any more, another host may do at once."""
        if session.leaves_work:
            await self._pass_on(parts, session.wakeup)
        else:
            await parts.queues.finish([session.wakeup])

    async def _pass_on(self, parts: EngineParts, wakeup: WakeUp) -> None:
        """Let another host go on: by a new hint, since nobody vanished with this one."""
        await parts.queues.send_wakeups([wakeup.instance_id])
        await parts.queues.finish([wakeup])

    async def _back_off(self, parts: EngineParts, wakeup: WakeUp) -> None:
        pause_s = min(MAX_BACKOFF_S, 0.05 * 2 ** min(wakeup.deliveries, 10))
        await parts.clock.sleep(pause_s)
        await parts.queues.release([wakeup])

    async def _quarantine(self, parts: EngineParts, wakeup: WakeUp, reason: str) -> None:
        """Run the instance's code no more until somebody redrives it."""
        try:
            row = await parts.store.get(wakeup.instance_id)
            if row is not None and not row.is_finished and not row.is_quarantined:
                await parts.quarantine.put(row, reason, parts.clock.now())
        except Exception:
            _logger.exception("'%s' could not be marked as quarantined.", wakeup.instance_id)
