"""Instances that may have ended their host: tried again a few times, then left alone.

A host that dies cannot say which of its instances killed it. So who takes up such an instance notes
the try in its row before any code of it runs; getting on takes the note back. The fewer tries are
left, the fewer suspects run at the same time, and who has his last try runs without others: so in
the end a crash counts against one. After `max_tries` the instance is quarantined: its code runs no
more, and the row says why. Hosts die of other things, too, so after a pause it has one more try,
alone; if that ends a host as well, the next pause is twice as long. `redrive` tries it at once.
What fails by itself, or cannot be read, waits for `redrive`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from host.clock import Clock
from host.core.notices import notice_of_row
from host.core.records import Instance, Notice, NoticeKind
from host.engine.observer import InstanceQuarantined, Observers
from host.engine.store_watch import StoreWatch
from host.errors import Conflict, StorageError
from host.storage.protocol import HubStore

ROOM = 4096
_SHARES = {3: ROOM // 64, 2: ROOM // 8, 1: ROOM, 0: 0}
_LEAST_SHARE = 1
"""How much of the room a suspect takes, by the tries that are left to it. Even who has most of them
left takes some: he must not run beside one who has his last try."""
MAX_PAUSE = timedelta(days=1)
ACQUITTED_AFTER_S = 10.0
"""Whose activities ran on for so long, among so few others, makes room for those who wait. As long
as nobody does he stays a suspect: some kill slowly."""


class Quarantine:
    """Counts tries, and keeps suspects apart. One for all sessions of a host."""

    def __init__(
        self,
        store: HubStore,
        clock: Clock,
        max_tries: int,
        *,
        observers: Observers,
        store_watch: StoreWatch,
        pause_s: float | None = None,
        made_room: Callable[[], None] = lambda: None,
        tell: Callable[[Sequence[Notice]], None] | None = None,
    ) -> None:
        """`made_room` is told when somebody begins to wait, and does nothing meanwhile.

        `tell` tells outside of the hub what is quarantined; None if nobody wants to know. `pause_s`
        is how long the first quarantine for vanished hosts lasts; None for ever.
        """
        self._store = store
        self._clock = clock
        self._max_tries = max_tries
        self._observers = observers
        self._store_watch = store_watch
        self._pause_s = pause_s
        self._free = ROOM
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._trials: set[asyncio.Task[None]] = set()
        self._made_room = made_room
        self._tell = tell

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting)

    def stop(self) -> None:
        """Nobody gets a turn any more, and the trials of what runs no more end."""
        for _, turn in self._waiting:
            turn.cancel()
        for trial in self._trials:
            trial.cancel()

    async def enter(self, row: Instance) -> int:
        """Wait until the instance may run beside the others that do; what it takes of the room."""
        tries_left = 1 if row.is_quarantined else self._max_tries - row.tries
        share = _SHARES.get(tries_left, _LEAST_SHARE)
        if share and (self._waiting or share > self._free):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((share, turn))
            self._made_room()
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.leave(share)
                else:
                    with suppress(ValueError):  # it may have been called up in this moment
                        self._waiting.remove((share, turn))
                    self.leave(0)  # who waits behind it may have room
                raise
        else:
            self._free -= share
        return share

    def leave(self, share: int) -> None:
        """The instance runs no more here."""
        self._free += share
        while self._waiting and self._waiting[0][0] <= self._free:
            wanted, turn = self._waiting.popleft()
            if not turn.done():
                self._free -= wanted
                turn.set_result(None)

    def leave_on_trial(self, instance_id: str, share: int) -> None:
        """Its activities run on: wait a while before others may have their turn."""
        trial = asyncio.create_task(self._try_on(instance_id, share))
        self._trials.add(trial)
        trial.add_done_callback(self._trials.discard)

    async def _try_on(self, instance_id: str, share: int) -> None:
        try:
            while True:
                await self._clock.sleep(ACQUITTED_AFTER_S)
                row = await self._store.get(instance_id)
                if row is None or not row.tries or row.is_finished or row.is_quarantined:
                    return  # it got on, or never will
                if self._waiting:
                    updated_at = row.next_update(self._clock.now())
                    acquitted = msgspec.structs.replace(row.acquitted(), updated_at=updated_at)
                    if await self._store.change_row(row, acquitted):
                        return
        except StorageError as error:
            self._store_watch.failed("'%s' keeps its count of tries: %s", instance_id, error)
        finally:
            self.leave(share)

    async def count(self, row: Instance, now: datetime) -> Instance:
        """Note one more try before it is made, or that there were enough; the row as stored.

        Raises `Conflict` if the row is not the stored one any more.
        """
        if row.is_quarantined:
            # Or by another host, while this one waited.
            return await self._retry(row, now) if is_pause_over(row, now) else row
        if row.tries >= self._max_tries:
            return await self._put_for_a_while(row, now)
        updated_at = row.next_update(now)
        return await self._change(
            row, msgspec.structs.replace(row, tries=row.tries + 1, updated_at=updated_at)
        )

    async def _retry(self, row: Instance, now: datetime) -> Instance:
        """Begin the try after a pause: it is the last one before the next pause."""
        retried = msgspec.structs.replace(
            row,
            tries=self._max_tries,
            is_quarantined=False,
            blocked_reason=None,
            retry_at=None,
            updated_at=row.next_update(now),
        )
        return await self._change(row, retried)

    async def _put_for_a_while(self, row: Instance, now: datetime) -> Instance:
        tries = row.tries + row.quarantines
        reason = f"A host ended {tries} times while it led this instance, which never got on. "
        if self._pause_s is None:
            reason += "Mend the function, then redrive the instance."
            return await self.put(row, reason, now)
        pause = min(MAX_PAUSE, timedelta(seconds=self._pause_s) * 2 ** min(row.quarantines, 30))
        retry_at = now + pause
        reason += (
            f"It is tried again at {retry_at:%Y-%m-%dT%H:%M:%SZ}. If its code ends the hosts, mend "
            "the function; redriving the instance tries it at once."
        )
        return await self.put(row, reason, now, retry_at=retry_at)

    async def put(
        self, row: Instance, reason: str, now: datetime, *, retry_at: datetime | None = None
    ) -> Instance:
        """Run the instance's code no more, or not before `retry_at`; the row as stored.

        Raises `Conflict` if the row is not the stored one any more.
        """
        put = msgspec.structs.replace(
            row,
            is_quarantined=True,
            blocked_reason=f"Quarantined: {reason}",
            retry_at=retry_at,
            quarantines=row.quarantines + (retry_at is not None),
            updated_at=row.next_update(now),
        )
        if self._tell is None:
            await self._change(row, put)
        else:
            notices = (notice_of_row(put, NoticeKind.QUARANTINED, reason, seen=row),)
            await self._change(row, put, notices=notices)
            self._tell(notices)
        if InstanceQuarantined in self._observers.wanted:
            self._observers.tell(InstanceQuarantined(row=put, reason=reason))
        return put

    async def _change(self, seen: Instance, new: Instance, **told: tuple[Notice, ...]) -> Instance:
        if not await self._store.change_row(seen, new, **told):
            raise Conflict(f"The row of '{seen.instance_id}' was changed, or it is gone.")
        return new


def released(row: Instance, now: datetime) -> Instance:
    """The row of a quarantined instance that is to be tried anew."""
    return msgspec.structs.replace(
        row.acquitted(),
        is_quarantined=False,
        blocked_reason=None,
        updated_at=row.next_update(now),
    )


def is_pause_over(row: Instance, now: datetime) -> bool:
    """Whether a quarantined instance may be tried again by itself."""
    return row.is_quarantined and row.retry_at is not None and row.retry_at <= now
