"""What stands between an engine and its hub in tests: real stores and queues, seen and disturbed.

`StoreSeam` passes every call on to a real store. It counts, fails on demand, and can be severed:
then nothing of its host reaches the store any more, as after a crash. The queues are `LocalQueues`
that hand out hints again, or twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import msgspec

from host.core.records import Commit, Effects
from host.errors import StorageError
from host.storage.local_queues import LocalQueues
from host.storage.protocol import HubStore, WakeUp, WorkItem
from tests.kit.manual_clock import ManualClock


class StoreSeam:
    """One host's way to the store. Pass `as_store` to what wants a `HubStore`."""

    def __init__(self, inner: HubStore) -> None:
        self.inner = inner
        self.calls: Counter[str] = Counter()
        self.commits: list[Commit] = []
        self.before: Callable[[str, tuple[Any, ...]], Awaitable[None]] | None = None
        """Called before each call is passed on, with the method's name and arguments."""
        self.tears_commits = False
        """Whether the host dies between appending a batch and applying its effects."""
        self._faults: dict[str, list[Exception]] = {}
        self.is_severed = False

    @property
    def was_interrupted(self) -> bool:
        """What the store says."""
        return self.inner.was_interrupted

    @property
    def as_store(self) -> HubStore:
        """The seam as the protocol that it speaks."""
        return cast("HubStore", self)

    def fail(self, method: str, error: Exception, *, times: int = 1) -> None:
        """Let the next calls of a method raise; nothing of them reaches the store."""
        self._faults.setdefault(method, []).extend([error] * times)

    def pending_faults(self, method: str) -> int:
        """How many calls are still to fail."""
        return len(self._faults.get(method, ()))

    def sever(self) -> None:
        """From now on nothing reaches the store, and nobody learns what did."""
        self.is_severed = True

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **named: Any) -> Any:
            await self._arrive(name, args)
            if name == "commit" and self.tears_commits:
                await self._tear(args[0])
            result = await getattr(self.inner, name)(*args, **named)
            self._break_if_severed()
            return result

        return call

    async def _arrive(self, name: str, args: tuple[Any, ...]) -> None:
        self._break_if_severed()
        self.calls[name] += 1
        if self.before is not None:
            await self.before(name, args)
        if self._faults.get(name):
            raise self._faults[name].pop(0)
        if name == "commit":
            self.commits.append(args[0])

    async def _tear(self, commit: Commit) -> None:
        nothing = Effects(instance_id=commit.instance_id)
        await self.inner.commit(msgspec.structs.replace(commit, effects=nothing))
        self.sever()
        self._break_if_severed()

    def _break_if_severed(self) -> None:
        if self.is_severed:
            raise StorageError("This host is dead.")


class AwaitedStore:
    """A store whose answers a clock waits for. Pass `as_store` to what wants a `HubStore`.

    SQLite answers from a thread of its own: without this, time passed while it was at work, and
    what its answer started was due later than the test means.
    """

    def __init__(self, inner: HubStore, clock: ManualClock) -> None:
        self._inner = inner
        self._clock = clock

    @property
    def was_interrupted(self) -> bool:
        """What the store says."""
        return self._inner.was_interrupted

    @property
    def as_store(self) -> HubStore:
        """The store as the protocol that it speaks."""
        return cast("HubStore", self)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **named: Any) -> Any:
            with self._clock.waiting_for_an_answer():
                return await getattr(self._inner, name)(*args, **named)

        return call


class RedeliveringQueues(LocalQueues):
    """Hints that outlive a host: what a dead host held is handed out again on demand."""

    def __init__(self) -> None:
        super().__init__()
        self._handed_out: list[WakeUp] = []

    async def receive_wakeups(self, limit: int) -> Sequence[WakeUp]:
        """Take wake-ups, and remember them."""
        wakeups = await super().receive_wakeups(limit)
        self._handed_out.extend(wakeups)
        return wakeups

    async def redeliver(self) -> None:
        """The visibility timeout of everything held is over."""
        handed_out, self._handed_out = self._handed_out, []
        await self.release(handed_out)


class RememberingWork(LocalQueues):
    """Remembers the work items that it handed out."""

    def __init__(self) -> None:
        super().__init__()
        self._handed_out: list[WorkItem] = []

    def held_work(self) -> list[WorkItem]:
        """Those that are held."""
        return [each for each in self._handed_out if self.is_held(each)]

    async def receive_work(self, limit: int) -> Sequence[WorkItem]:
        """Take work items, and remember them."""
        items = await super().receive_work(limit)
        self._handed_out.extend(items)
        return items


class EchoQueues(LocalQueues):
    """Queues of hosts that all get every hint: the worst that duplicated hints can be."""

    def __init__(self, group: list[LocalQueues]) -> None:
        super().__init__()
        self._group = group
        group.append(self)

    async def send_wakeups(self, instance_ids: Sequence[str], *, is_recovery: bool = False) -> None:
        """Hint all hosts of the group."""
        for queues in self._group:
            await LocalQueues.send_wakeups(queues, instance_ids, is_recovery=is_recovery)


class RefusingQueues(RedeliveringQueues):
    """Takes no wake-ups, or none of some, while `is_away` is set."""

    def __init__(self, refused: set[str]) -> None:
        super().__init__()
        self.refused = refused
        self.is_away = False
        self.refusals = 0

    async def send_wakeups(self, instance_ids: Sequence[str], *, is_recovery: bool = False) -> None:
        if self.is_away and self.refused.intersection(instance_ids):
            self.refusals += 1
            raise StorageError("the queue is away")
        await super().send_wakeups(instance_ids, is_recovery=is_recovery)


class RefusingWork(LocalQueues):
    """Takes no work items while `is_away` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = True
        self.refusals = 0

    async def send_work(self, items: Sequence[WorkItem]) -> None:
        if self.is_away:
            self.refusals += 1
            raise StorageError("the queue is away")
        await super().send_work(items)
