"""External events inside one execution: what came and is not waited for, who waits and got nothing.

Event names match without regard to case; of one name the oldest event meets the oldest wait. A name
that nothing is open for takes no room.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from itertools import islice
from operator import itemgetter

from host.core.history import EventRaised
from host.core.replay.waits import EventTask

MAX_SHOWN = 16
MAX_SHOWN_CHARACTERS = 1024
"""So much of the names that are waited for is shown: they are stored with each turn."""


class Mailbox:
    """Pairs events with waits, in either order of arrival."""

    def __init__(self) -> None:
        self._events: dict[str, deque[tuple[int, EventRaised]]] = {}
        self.waits: dict[str, OrderedDict[EventTask, None]] = {}
        """Who waits, by the names of the events, the oldest first."""
        self._arrivals = 0

    def add_event(self, event: EventRaised) -> EventTask | None:
        """Take in an event; the wait that ends it, or None if it has to wait itself."""
        name = event.name.casefold()
        waits = self.waits.get(name)
        if waits:
            wait = next(iter(waits))
            self.drop(wait)
            return wait
        self._arrivals += 1
        self._events.setdefault(name, deque()).append((self._arrivals, event))
        return None

    def add_wait(self, wait: EventTask) -> EventRaised | None:
        """Take in a wait; the event that ends it at once, or None if it has to wait."""
        name = wait.name.casefold()
        events = self._events.get(name)
        if events:
            event = events.popleft()[1]
            if not events:
                del self._events[name]
            return event
        self.waits.setdefault(name, OrderedDict())[wait] = None
        return None

    def drop(self, wait: EventTask) -> None:
        """Forget a wait that is over."""
        name = wait.name.casefold()
        waits = self.waits.get(name)
        if waits is not None:
            waits.pop(wait, None)
            if not waits:
                del self.waits[name]

    def awaited_names(self) -> tuple[str, ...]:
        """The first names that somebody waits for, as many as may be shown."""
        first = (next(iter(waits)).name for waits in islice(self.waits.values(), MAX_SHOWN))
        lengths, names = 0, []
        for name in first:
            lengths += len(name)
            if lengths > MAX_SHOWN_CHARACTERS:
                break
            names.append(name)
        return tuple(names)

    def unclaimed(self) -> tuple[EventRaised, ...]:
        """The events nobody waited for, in order of arrival."""
        pairs = (pair for events in self._events.values() for pair in events)
        return tuple(event for _, event in sorted(pairs, key=itemgetter(0)))
