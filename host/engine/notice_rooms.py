"""Rooms for notices that wait in memory, and what each room knows of those that have no room.

There is one for what is new and one for what was refused, so that neither takes the other's place.
A room with space reads on in the store where it was, to the end, and then once more from the first
that was left there: so each gets its turn, however many there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf

from host.storage.kept_notices import KeptNotice


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A notice that waits for its next post. It was taken, and only its record is left."""

    kept: KeptNotice
    stamp: str
    failures: int = 0
    refusals: int = 0
    """How often the receiver has refused it since it is in memory."""
    is_taken: bool = False


class Room:
    """Notices of one sort: those that wait, and where in the store to look for more."""

    def __init__(self, *, at_once: int, read_ahead: int, page: int) -> None:
        """At most `at_once` are on their way. There is space for `page` more up to `read_ahead`."""
        self._at_once = at_once
        self._read_ahead = read_ahead
        self._page = page
        self._due: list[tuple[float, str]] = []
        """A heap of when to post which."""
        self._left: str | None = None
        """From where to read again when all was read; None if nothing was left."""
        self.waiting: dict[str, Waiting] = {}
        self.on_their_way = 0
        self.after: str | None = None
        """After which key to read on; None while there is no need to."""

    @property
    def next_due(self) -> float:
        """When the next one may set out, if no other comes back before that."""
        if not self._due or self.on_their_way >= self._at_once:
            return inf
        return self._due[0][0]

    @property
    def has_more(self) -> bool:
        """Whether there may be more in the store than is here."""
        return self.after is not None or self._left is not None

    @property
    def reads_on(self) -> bool:
        """Whether there may be more, and space for it."""
        return self.has_more and len(self.waiting) + self._page <= self._read_ahead

    def next_one(self) -> str:
        """The key of what is due first, which is due no more."""
        return heappop(self._due)[1]

    def is_due(self, key: str, at: float) -> None:
        """Let it set out then."""
        heappush(self._due, (at, key))

    def leave(self, key: str) -> None:
        """Leave it in the store: it is read again when its turn comes. "" is for all."""
        before = key[:-1]
        self._left = before if self._left is None else min(self._left, before)

    def next_page(self) -> str | None:
        """After which key to read now."""
        if self.after is None:
            self.after, self._left = self._left, None
        return self.after
