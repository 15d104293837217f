"""What the engine's pieces share: one record, made by `Engine`, so that none of them imports it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from host.core.converter import Converter
from host.core.functions import FunctionCatalog
from host.engine.activities import ActivityPool
from host.engine.cache import InstanceCache
from host.engine.clock import Clock
from host.engine.counters import Counters
from host.engine.options import EngineOptions
from host.engine.parked import ParkedActivities
from host.engine.quarantine import Quarantine
from host.engine.waiters import Waiters
from host.engine.watchdog import TurnWatch
from host.storage.protocol import HubQueues, HubStore


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineParts:
    """The pieces of one engine. `host_id` is unique to this start of the process."""

    host_id: str
    store: HubStore
    queues: HubQueues
    catalog: FunctionCatalog
    converter: Converter
    clock: Clock
    options: EngineOptions
    pool: ActivityPool
    cache: InstanceCache
    parked: ParkedActivities
    waiters: Waiters
    watch: TurnWatch
    counters: Counters
    quarantine: Quarantine
    was_interrupted: bool
    """Whether what recovery finds at the start was in the hands of a host that crashed."""
    wake: Callable[[Sequence[str]], Awaitable[None]]
    """Hint that these instances have something to do, here and on other hosts."""
    notice_alarm: Callable[[datetime], None]
