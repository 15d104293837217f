"""What is read when somebody asks for the metrics: how things stand now, of this host and its hub.

What the hub does not tell in time is left out: whoever watches a host wants to hear of it just when
its store does not answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from host.clock import Clock
from host.engine.engine import Engine
from host.engine.hosts import HostRecord
from host.engine.limits.overview import LimitView, views_of
from host.errors import HostError
from host.logs import HostLog
from host.storage.local_queues import HintCounts
from host.storage.messages import QueueState

HUB_PATIENCE_S = 2.0
"""How long the hub has to answer."""
KEPT_S = 5.0
"""So long its answer is given again: many who ask cost as one."""

T = TypeVar("T")

_log = HostLog("funchost.metrics")

ReadQueues = Callable[[], Awaitable[Sequence[QueueState]]]


@runtime_checkable
class CountsHints(Protocol):
    """Queues of a hub that know how many hints they have."""

    async def count_hints(self) -> HintCounts:
        """About how many there are now. Raises `StorageError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReading:
    """What this host does now."""

    sessions: int
    activities_running: int
    activities_waiting: int
    cached: int
    cache_hits: int
    cache_misses: int
    store_failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HubReading:
    """What waits in the hub; None of what it did not tell."""

    hints: HintCounts | None = None
    queues: Sequence[QueueState] | None = None
    limits: Sequence[LimitView] | None = None
    hosts: Sequence[HostRecord] | None = None


class Readings:
    """Reads them, of one engine and of the queues in its hub."""

    def __init__(self, engine: Engine, clock: Clock, queues: ReadQueues | None) -> None:
        """`queues` gives the functions' queues in the hub's own store; None if it has none."""
        self._engine = engine
        self._clock = clock
        self._queues = queues
        self._kept: HubReading | None = None
        self._kept_at = 0.0
        self._reading: asyncio.Task[HubReading] | None = None

    @property
    def host_id(self) -> str:
        """The host, as it is named among the hosts of its hub."""
        return self._engine.parts.host_id

    def host(self) -> HostReading:
        """The host, now."""
        parts, load = self._engine.parts, self._engine.load()
        return HostReading(
            sessions=load.sessions,
            activities_running=parts.pool.running,
            activities_waiting=parts.pool.waiting,
            cached=len(parts.cache),
            cache_hits=parts.cache.hits,
            cache_misses=parts.cache.misses,
            store_failures=parts.store_watch.failures,
        )

    async def hub(self) -> HubReading:
        """The hub, as it was a moment ago at most. Never raises."""
        if self._kept is None or self._clock.monotonic() - self._kept_at > KEPT_S:
            if self._reading is None:
                self._reading = asyncio.create_task(self._read())
            return await asyncio.shield(self._reading)
        return self._kept

    async def _read(self) -> HubReading:
        try:
            hints, queues, limits, hosts = await asyncio.gather(
                self._in_time("hints", self._hints()),
                self._in_time("queues of functions", self._function_queues()),
                self._in_time("limits", views_of(self._engine.parts.limits.desks)),
                self._in_time("hosts", self._engine.hosts.all()),
            )
        finally:
            self._reading = None
        self._kept = HubReading(hints=hints, queues=queues, limits=limits, hosts=hosts)
        self._kept_at = self._clock.monotonic()
        return self._kept

    async def _hints(self) -> HintCounts | None:
        queues = self._engine.parts.queues
        return await queues.count_hints() if isinstance(queues, CountsHints) else None

    async def _function_queues(self) -> Sequence[QueueState] | None:
        return None if self._queues is None else await self._queues()

    async def _in_time(self, what: str, reading: Awaitable[T]) -> T | None:
        try:
            async with asyncio.timeout(HUB_PATIENCE_S):
                return await reading
        except (HostError, TimeoutError) as error:
            _log.debug("The %s of the hub are not known: %s", what, error)
            return None
