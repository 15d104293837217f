"""External events inside one execution: what came and is not waited for, who waits and got nothing.

Event names match without regard to case; of one name the oldest event meets the oldest wait.
"""

from __future__ import annotations

from collections import deque
from operator import itemgetter

from host.core.history import EventRaised
from host.core.waits import EventTask


class Mailbox:
    """Pairs events with waits, in either order of arrival."""

    def __init__(self) -> None:
        self._events: dict[str, deque[tuple[int, EventRaised]]] = {}
        self._waits: dict[str, deque[EventTask]] = {}
        self._arrivals = 0

    def add_event(self, event: EventRaised) -> EventTask | None:
        """Take in an event; the wait that it ends, or None if it has to wait itself."""
        name = event.name.casefold()
        waits = self._waits.get(name)
        while waits:
            wait = waits.popleft()
            if not wait.is_completed:
                return wait
        self._arrivals += 1
        self._events.setdefault(name, deque()).append((self._arrivals, event))
        return None

    def add_wait(self, wait: EventTask) -> EventRaised | None:
        """Take in a wait; the event that ends it at once, or None if it has to wait."""
        name = wait.name.casefold()
        events = self._events.get(name)
        if events:
            return events.popleft()[1]
        self._waits.setdefault(name, deque()).append(wait)
        return None

    def unclaimed(self) -> tuple[EventRaised, ...]:
        """The events nobody waited for, in order of arrival."""
        pairs = (pair for events in self._events.values() for pair in events)
        return tuple(event for _, event in sorted(pairs, key=itemgetter(0)))

    def waiting_for(self) -> tuple[str, ...]:
        """The names of the open waits."""
        return tuple(
            wait.name for waits in self._waits.values() for wait in waits if not wait.is_completed
        )
