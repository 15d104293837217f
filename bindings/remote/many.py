"""Many starts in one request: the lines that are sent, and the outcomes in the items' order."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from bindings.client import one_by_one
from bindings.errors import FunchostError, HostUnavailableError, RemoteError
from bindings.many import NewOrchestration, StartOutcome
from bindings.remote import asking
from bindings.remote.answers import Answer, read
from bindings.remote.refusals import known_error


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
            line = asking.line_of(item)
        except FunchostError as error:
            self._unanswered.append(error)
            return b"\n"
        self._unanswered.append(None)
        return line


def outcome_of(line: bytes, origin: str) -> StartOutcome:
    """What became of one of many, as it was answered. Raises `RemoteError`."""
    answer = Answer(origin=origin, status=HTTPStatus.OK, headers={}, body=line)
    return read(answer, lambda body: _outcome(body, origin))


def _outcome(body: Mapping[str, Any], origin: str) -> StartOutcome:
    if "instanceId" in body:
        return StartOutcome(instance_id=str(body["instanceId"]))
    message, status = str(body["error"]), int(body["status"])
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        said = f"The host at {origin} is not available now. {message}"
        return StartOutcome(error=HostUnavailableError(said, status))
    error = known_error(body["type"], message, status)
    return StartOutcome(error=error or RemoteError(message, status))
