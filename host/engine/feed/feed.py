"""The feed of a host: tells whoever listens what happens here, and never makes anybody wait.

Rules of this file: nothing is observed that nobody listens for. What is seen is put onto a list,
and told a moment later to all listeners at once: some events at a time, under load those of one
instance together, and no more than so many. Whatever is left out, a gap says so. The last events
are kept for those that come back, and for those that are slow: who is too far behind gets a gap.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from bindings.client import RuntimeStatus
from host.clock import Clock
from host.core.failures import summary
from host.core.records import ActivityKey, Instance
from host.engine.feed.events import FeedEvent, FeedKind, Seen, Wanted, one_of, put_together
from host.engine.observer import (
    ActivityBegan,
    ActivityCompleted,
    ActivityFailed,
    Event,
    InstanceEnded,
    InstanceQuarantined,
    InstanceStarted,
    Observer,
    Observers,
    See,
    TurnCommitted,
)

KEPT = 2000
"""So many events are kept for those that come back."""
LINGER_S = 30.0
"""So long is observed for those that left: they come back in a moment."""
CALM_S, BUSY_S = 0.25, 1.0
"""How long what happens is gathered before it is told, and how long under load."""
CALM = 50
"""More events at once than that are told by instance."""
MAX_TOLD = 200
"""So many events are told at once; those before them are left out."""
MAX_SEEN = 1000
"""So many events are gathered; then nothing is observed until these are told."""
MAX_NAMES = 5000
"""Of so many instances the name is known, for the events of their activities."""
MAX_REASON = 300

_SOURCE_LENGTH = 12


class Told(NamedTuple):
    """One event by its number; None for a gap: something was left out."""

    number: int
    event: FeedEvent | None


class Feed:
    """Observes a host while somebody listens."""

    def __init__(self, observers: Observers, clock: Clock, host_id: str) -> None:
        self._observers = observers
        self._clock = clock
        self._source = host_id[:_SOURCE_LENGTH]
        self._listeners: set[Listener] = set()
        self._since: dict[FeedKind, int] = {}
        """The kinds that are observed, and with which number that began."""
        self._observer: Observer | None = None
        self._left_at = 0.0
        self._seen: list[Seen] = []
        self._is_full = False
        self._more_turns: dict[str, int] = {}
        """Under load, by instance: how many turns there were besides the one that is gathered."""
        self._names: dict[str, str] = {}
        self._pause_s = CALM_S
        self._told_at = 0.0
        self._telling: asyncio.Task[None] | None = None
        self.kept: deque[Told] = deque(maxlen=KEPT)
        """The last events, whose numbers follow one another."""
        self.last = 0
        """The number of the newest event."""
        self._sees = self._ways_to_see()

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def listen(self, wanted: Wanted, after: str | None = None) -> Listener:
        """Listen from now on, or from behind the event with this id on; `leave` ends it."""
        kinds = wanted.kinds or frozenset(FeedKind)
        self._observe(kinds)
        listener = Listener(self, wanted, self._number_of(after, kinds))
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Tell this one nothing more."""
        self._listeners.discard(listener)
        self._left_at = self._clock.monotonic()

    def id_of(self, number: int) -> str:
        """The id of the event with this number: no other host, and no other start, has it."""
        return f"{self._source}.{number}"

    def close(self) -> None:
        """The host stops: tell nothing more."""
        self._forget()
        if self._telling is not None:
            self._telling.cancel()

    # ---- seeing --------------------------------------------------------------------------------

    def _observe(self, kinds: frozenset[FeedKind]) -> None:
        """Observe these from now on, too, with what is observed already."""
        new = kinds.difference(self._since)
        if not new:
            return
        if self._observer is None:
            self.kept.clear()
            self.last += 1  # what is kept from now on does not go on from what was
        else:
            self._observers.remove(self._observer)
        self._since |= dict.fromkeys(new, self.last)
        sees = dict(see for kind, see in self._sees.items() if kind in self._since)
        self._observer = Observer(name="feed", sees=sees)
        if not self._is_full:
            self._observers.add(self._observer)

    def _forget(self) -> None:
        if self._observer is not None:
            self._observers.remove(self._observer)
            self._observer = None
            self._since.clear()
            self._names.clear()
            self._seen.clear()
            self._more_turns.clear()
            self._is_full = False

    def _ways_to_see(self) -> Mapping[FeedKind, tuple[type[Event], See]]:
        return {
            FeedKind.TURN: (TurnCommitted, self._see_turn),
            FeedKind.STARTED: (
                InstanceStarted,
                lambda event: self._see_row(FeedKind.STARTED, event.row),
            ),
            FeedKind.ENDED: (InstanceEnded, self._see_end),
            FeedKind.QUARANTINED: (
                InstanceQuarantined,
                lambda event: self._see_row(FeedKind.QUARANTINED, event.row, _short(event.reason)),
            ),
            FeedKind.ACTIVITY_STARTED: (
                ActivityBegan,
                lambda event: self._see_activity(
                    FeedKind.ACTIVITY_STARTED, event.key, event.scheduled.name
                ),
            ),
            FeedKind.ACTIVITY_COMPLETED: (
                ActivityCompleted,
                lambda event: self._see_activity(
                    FeedKind.ACTIVITY_COMPLETED, event.key, event.scheduled.name, event.took_s
                ),
            ),
            FeedKind.ACTIVITY_FAILED: (
                ActivityFailed,
                lambda event: self._see_activity(
                    FeedKind.ACTIVITY_FAILED,
                    event.key,
                    event.scheduled.name,
                    event.took_s,
                    _short(str(event.error)),
                ),
            ),
        }

    def _see_turn(self, event: TurnCommitted) -> None:
        """Under load a turn that leaves the row as it is counts only, after the first one."""
        if len(self._seen) > CALM and event.commit.effects.row is None:
            id_ = event.commit.instance_id
            more = self._more_turns.get(id_, -1) + 1
            self._more_turns[id_] = more
            if more:
                return
        self._see_row(FeedKind.TURN, event.row)

    def _see_end(self, event: InstanceEnded) -> None:
        failure = event.row.failure
        reason = None if failure is None else _short(summary(failure))
        self._see_row(FeedKind.ENDED, event.row, reason)

    def _see_row(self, kind: FeedKind, row: Instance, reason: str | None = None) -> None:
        id_, name = row.instance_id, row.name
        self._names[id_] = name
        self._see((kind, id_, name, row.status, row.updated_at, None, None, None, reason))

    def _see_activity(
        self,
        kind: FeedKind,
        key: ActivityKey,
        activity: str,
        seconds: float | None = None,
        reason: str | None = None,
    ) -> None:
        id_, running = key.instance_id, RuntimeStatus.RUNNING
        name = self._names.get(id_)
        self._see((kind, id_, name, running, None, activity, key.task_id, seconds, reason))

    def _see(self, seen: Seen) -> None:
        self._seen.append(seen)
        if len(self._seen) == MAX_SEEN and self._observer is not None:
            self._is_full = True
            self._observers.remove(self._observer)
        if self._telling is None:
            self._telling = asyncio.get_running_loop().create_task(self._tell_soon())

    # ---- telling -------------------------------------------------------------------------------

    async def _tell_soon(self) -> None:
        try:
            waited_s = self._clock.monotonic() - self._told_at
            await self._clock.sleep(max(self._pause_s - waited_s, 0))
            self._tell()
        finally:
            self._telling = None

    def _tell(self) -> None:
        seen, self._seen = self._seen, []
        more, self._more_turns = self._more_turns, {}
        is_busy, now = len(seen) > CALM, self._clock.now()
        groups = put_together(seen) if is_busy else [[each] for each in seen]
        if len(groups) > MAX_TOLD:
            self._keep(None)
        for group in groups[-MAX_TOLD:]:
            self._keep(one_of(group, now, more.get(group[0][1], 0)))
        if self._is_full and self._observer is not None:
            self._keep(None)
            self._is_full = False
            self._observers.add(self._observer)
        self._pause_s = BUSY_S if is_busy else CALM_S
        self._told_at = self._clock.monotonic()
        if len(self._names) > MAX_NAMES:
            self._names = dict(islice(self._names.items(), len(self._names) // 2, None))
        for listener in self._listeners:
            listener.wake()
        if not self._listeners and self._told_at - self._left_at > LINGER_S:
            self._forget()

    def _keep(self, event: FeedEvent | None) -> None:
        self.last += 1
        self.kept.append(Told(self.last, event))

    def _number_of(self, after: str | None, kinds: Iterable[FeedKind]) -> int:
        """Behind which number to go on. Of an id that is not of this feed all may be missing.

        So it is of one that was before all these kinds were observed.
        """
        if after is None:
            return self.last
        source, _, number = after.partition(".")
        is_ours = source == self._source and number.isascii() and number.isdecimal()
        found = int(number) if is_ours and len(number) < 16 else -1
        is_known = max(self._since[kind] for kind in kinds) <= found <= self.last
        return found if is_known else -1


class Listener:
    """The events that one listener wants, in order, some at a time."""

    def __init__(self, feed: Feed, wanted: Wanted, after: int) -> None:
        self._feed = feed
        self._wanted = wanted
        self._news = asyncio.Event()
        self._news.set()
        self.at = after
        """The number up to which all is told."""

    def wake(self) -> None:
        """There may be something new."""
        self._news.set()

    async def next(self) -> Sequence[Told]:
        """Wait for the next events that are wanted, and take them all; a gap comes first."""
        while True:
            await self._news.wait()
            self._news.clear()
            if found := self._take():
                return found

    def close(self) -> None:
        """Listen no more."""
        self._feed.leave(self)

    def _take(self) -> list[Told]:
        kept, last = self._feed.kept, self._feed.last
        first = last - len(kept) + 1
        found: list[Told] = []
        if self.at < first - 1:
            self.at = first - 1
            found.append(Told(self.at, None))
        new = islice(kept, self.at - first + 1, None)
        found += [each for each in new if each.event is None or self._wanted.has(each.event)]
        self.at = last
        return found


def _short(text: str) -> str:
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"
