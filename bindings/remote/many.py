"""Many starts in one request: the lines that are sent, and the outcomes in the items' order."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator

from bindings.client import one_by_one
from bindings.errors import FunchostError
from bindings.many import NewOrchestration, StartOutcome
from bindings.remote import wire


class Many:
    """Items that are sent. What cannot be sent has its outcome here, in its place."""

    def __init__(self, items: Iterable[NewOrchestration] | AsyncIterable[NewOrchestration]) -> None:
        self._items = items
        self._unanswered: deque[FunchostError | None] = deque()
        """What is wrong with each item that was taken; None for those that the host answers."""
        self._failure: Exception | None = None

    async def lines(self) -> AsyncIterator[bytes]:
        """A line for each item: an empty one, which no host answers, for what cannot be sent."""
        try:
            async for item in one_by_one(self._items):
                yield self._line(item)
        except Exception as error:  # noqa: BLE001 - it is the caller's, and not the host's
            self._failure = error

    def outcomes(self, answered: StartOutcome) -> Iterator[StartOutcome]:
        """What an answer lets be said: of those that stood before its item, and of that."""
        yield from self.rest()
        if self._unanswered:
            self._unanswered.popleft()
        yield answered

    def check(self) -> None:
        """Raise what the items themselves have raised."""
        if self._failure is not None:
            raise self._failure

    def rest(self) -> Iterator[StartOutcome]:
        """What can be said of the next items without an answer."""
        while self._unanswered and (error := self._unanswered[0]) is not None:
            self._unanswered.popleft()
            yield StartOutcome(error=error)

    def _line(self, item: NewOrchestration) -> bytes:
        try:
            line = wire.line_of(item)
        except FunchostError as error:
            self._unanswered.append(error)
            return b"\n"
        self._unanswered.append(None)
        return line
