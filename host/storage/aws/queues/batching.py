"""Micro-batches: entries of many callers that come within a few milliseconds go out as one request.

Rules of this file: it knows SQS's batch answers (`Successful`, `Failed`), not what an entry is. An
entry waits under a key; another with that key before it is sent replaces it, and both callers get
the one answer. A failed entry is judged by its code, as a whole request is: what it says of the
sender's fault is not to be believed, since SQS says so of throttling, too. What the service failed
to do is tried again, as patiently as a request; what it surely refused is not. A request that is
refused for one of its entries takes no other along: each is sent by itself then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from host.logs import HostLog
from host.storage.aws.wire.errors import AwsError
from host.storage.aws.wire.problems import Kind, Problem, read_entry

_logger = HostLog("funchost.storage")

MAX_ENTRIES = 10
MAX_BYTES = 240_000
"""The messages of one request may have 256 KiB in all where SQS is as it was, 1 MiB elsewhere. Who
sends more is refused as a whole, and would be each time he tries again."""
LINGER_S = 0.005
# Beyond this many calls at once entries gather for longer, and so in fewer calls.
MAX_CALLS = 8

_REFUSED = frozenset({Kind.REFUSED, Kind.CONDITION_FAILED})
_NOT_ANSWERED = Problem(kind=Kind.FAILING, code="NoAnswer", message="It is not in the answer.")

Fields = Mapping[str, Any]


class Caller(Protocol):
    """The client, bound to one operation on one queue."""

    async def call(self, entries: Sequence[Fields]) -> Mapping[str, Any]:
        """Make the request and give its answer."""

    async def wait(self, seconds: float) -> None:
        """Let this much time pass."""

    def monotonic(self) -> float:
        """The monotonic clock, in seconds."""

    async def rest(self, problem: Problem, attempt: int, began: float) -> None:
        """Wait after attempt number `attempt` (from 1), the first of which began at `began`.

        Raises the problem as a `StorageError` if there is to be no other attempt.
        """


@dataclass(slots=True, kw_only=True)
class _Entry:
    """`outcome` becomes what the service says of what it did, or why it refused to."""

    fields: Fields
    size: int
    outcome: asyncio.Future[Fields | Problem]
    problem: Problem = _NOT_ANSWERED
    """What the last attempt met."""

    @property
    def is_answered(self) -> bool:
        return self.outcome.done()

    def answer(self, outcome: Fields | Problem) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)

    def fail(self, error: Exception) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)


class Batcher:
    """Gathers the entries of one operation."""

    def __init__(self, caller: Caller, *, max_calls: int = MAX_CALLS) -> None:
        """With `max_calls` of 1, entries are done in the order in which they were added."""
        self._caller = caller
        self._waiting: dict[str, _Entry] = {}
        self._slots = asyncio.Semaphore(max_calls)
        self._gathering: asyncio.Task[None] | None = None
        self._calls: set[asyncio.Task[None]] = set()

    async def add(self, key: str, fields: Fields, *, size: int = 0) -> bool:
        """Do this with the next batch; False if the service refused this entry.

        `size` is how many bytes of the request are this entry's, where those are limited. Raises
        `StorageError` if the service could not do it, however often it was asked.
        """
        return not isinstance(await self.ask(key, fields, size=size), Problem)

    async def ask(self, key: str, fields: Fields, *, size: int = 0) -> Fields | Problem:
        """The same; gives what the service says of it, or why it refused this entry."""
        entry = self._waiting.get(key)
        if entry is None:
            outcome = asyncio.get_running_loop().create_future()
            entry = self._waiting[key] = _Entry(fields=fields, size=size, outcome=outcome)
        entry.fields, entry.size = fields, size
        if self._gathering is None:
            self._gathering = asyncio.create_task(self._gather())
        return await asyncio.shield(entry.outcome)  # a caller that goes away takes nobody along

    async def drain(self) -> None:
        """Wait until all entries were sent and answered."""
        while self._gathering or self._calls:
            running = [task for task in (self._gathering, *self._calls) if task]
            await asyncio.wait(running)

    async def _gather(self) -> None:
        while self._waiting:
            if len(self._waiting) < MAX_ENTRIES:
                await self._caller.wait(LINGER_S)
            await self._slots.acquire()
            call = asyncio.create_task(self._send(self._take()))
            self._calls.add(call)
            call.add_done_callback(self._sent)
        self._gathering = None

    def _take(self) -> list[_Entry]:
        """The entries that waited longest, as many as fit into a request."""
        taken: list[_Entry] = []
        left = MAX_BYTES
        for key in list(islice(self._waiting, MAX_ENTRIES)):
            left -= self._waiting[key].size
            if taken and left < 0:
                break
            taken.append(self._waiting.pop(key))
        return taken

    def _sent(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        self._slots.release()

    async def _send(self, entries: list[_Entry]) -> None:
        left, attempt, began = entries, 1, self._caller.monotonic()
        try:
            while True:
                await self._send_once(left)
                left = [entry for entry in left if not entry.is_answered]
                if not left:
                    return
                await self._rest(left, attempt, began)
                attempt += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever waits must hear of it
            if len(left) > 1 and type(error) is AwsError:
                for entry in left:
                    await self._send([entry])
                return
            for entry in left:
                entry.fail(error)

    async def _rest(self, left: Sequence[_Entry], attempt: int, began: float) -> None:
        """Wait until these may be tried again: for as long as the worst of them needs."""
        problems = [entry.problem for entry in left]
        throttled = [each for each in problems if each.kind is Kind.THROTTLED]
        await self._caller.rest((throttled or problems)[0], attempt, began)

    async def _send_once(self, entries: Sequence[_Entry]) -> None:
        """Send them; those that are to be tried again have no answer then, but a problem."""
        numbered = {str(number): entry for number, entry in enumerate(entries)}
        for entry in entries:
            entry.problem = _NOT_ANSWERED
        answer = await self._caller.call(
            [{"Id": number, **entry.fields} for number, entry in numbered.items()]
        )
        for done in answer.get("Successful") or ():
            numbered[done["Id"]].answer(done)
        for failed in answer.get("Failed") or ():
            entry, problem = numbered[failed["Id"]], read_entry(failed)
            if problem.kind in _REFUSED:
                _logger.debug("SQS refused an entry: %s", problem)
                entry.answer(problem)
            entry.problem = problem
