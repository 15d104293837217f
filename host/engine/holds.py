"""The holds of a host: what it was handed is held until it is seen to, or until that fails.

A hold is the right to lead an instance. It is looked at before every turn, effect and activity; who
went on without it would do what its next holder does, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from math import inf

from host.clock import Clock
from host.engine.store_watch import StoreWatch
from host.errors import StorageError
from host.storage.protocol import Hint, HubQueues

WAKE_UP_KEEPER = "wake-up keeper"
LOOK_S = 1.0
"""How often it is looked how much is left of the holds, at least."""
MAX_PAUSE_S = 5.0
MAX_EXTEND_PAUSE_S = 1.0


class HoldOverError(Exception):
    """The hint may be another host's by now: nothing more may be done by its right."""


class HoldKeeper:
    """Holds hints longer, each by itself: one that fails or takes long keeps no other waiting.

    What has least left goes first. One that fails is tried again at once, as long as it is held. No
    queue lets a hint be held for ever: who holds one for very long is told to let go of it.
    """

    def __init__(
        self,
        queues: HubQueues,
        clock: Clock,
        store_watch: StoreWatch,
        *,
        hold_s: float,
        max_hold_s: float,
        held: Callable[[], Sequence[Hint]],
        lost: Callable[[Hint], None],
        grown_old: Callable[[Hint], None],
    ) -> None:
        """`held` gives all hints that are to be held; `lost` is told of each that is not any more.

        It may have been finished or given back meanwhile. Of a hold, `hold_s` seconds are to be
        left at least. `grown_old` is told, again and again, of what was held for `max_hold_s`.
        """
        self._queues = queues
        self._clock = clock
        self._store_watch = store_watch
        self._hold_s = hold_s
        self._max_hold_s = max_hold_s
        self._held = held
        self._lost = lost
        self._grown_old = grown_old
        self._since: dict[str, float] = {}
        """Since when each is known to be held, by its receipt."""
        self._extending: dict[str, asyncio.Task[None]] = {}
        self._failing: dict[str, str] = {}

    @property
    def problem(self) -> str | None:
        """What keeps hints from being held longer right now."""
        return next(iter(self._failing.values()), None)

    async def keep(self) -> None:
        """Look at everything that is held, again and again."""
        try:
            while True:
                await self._clock.sleep(min(LOOK_S, self._hold_s / 4))
                held = self._held()
                self._extend_short(held)
                if self._max_hold_s < inf:
                    self._tell_of_old(held)
        finally:
            for task in self._extending.values():
                task.cancel()

    def _extend_short(self, held: Sequence[Hint]) -> None:
        """Hold longer what has little left, and is not on its way already."""
        left_s = [(self._queues.hold_left_s(hint), hint) for hint in held]
        short = [each for each in left_s if each[0] < self._hold_s]
        short.sort(key=lambda each: each[0])
        for _, hint in short:
            if hint.receipt not in self._extending:
                self._extending[hint.receipt] = asyncio.create_task(self._extend(hint))

    def _tell_of_old(self, held: Sequence[Hint]) -> None:
        now = self._clock.monotonic()
        self._since = {hint.receipt: self._since.get(hint.receipt, now) for hint in held}
        for hint in held:
            if now - self._since[hint.receipt] >= self._max_hold_s:
                self._grown_old(hint)

    async def _extend(self, hint: Hint) -> None:
        try:
            await self._try_to_extend(hint)
            if not self._queues.is_held(hint):
                self._lost(hint)
        finally:
            self._failing.pop(hint.receipt, None)
            del self._extending[hint.receipt]

    async def _try_to_extend(self, hint: Hint) -> None:
        failures = 0
        while self._queues.is_held(hint):
            try:
                await self._queues.extend([hint])
            except StorageError as error:
                text = "'%s' is not held longer yet: %s"
                self._store_watch.failed(text, hint.instance_id, error, part=WAKE_UP_KEEPER)
                self._failing[hint.receipt] = f"{type(error).__name__}: {error}"
                failures += 1
                await self._clock.sleep(min(MAX_EXTEND_PAUSE_S, pause_s(failures)))
            else:
                self._store_watch.worked(WAKE_UP_KEEPER)
                return


def pause_s(failures: int) -> float:
    """How long to rest after so many failures in a row of the store or the queues."""
    return min(MAX_PAUSE_S, 0.05 * 2.0 ** min(failures, 10))
