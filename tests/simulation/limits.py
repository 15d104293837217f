"""Limits in some worlds: what keeps to them, and what must never be seen of them.

Rules of this file: whether a world has limits is drawn apart from all else. In such a world no
clock is off and no host stands still: by these a host's slots may be over while it still runs, as
docs/how-to/limits.md says, and then nobody could tell a defect from that.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from random import Random
from types import MappingProxyType
from typing import Final

from bindings import OrchestrationContext
from bindings.client import RuntimeStatus
from host.core import history
from host.core.functions import LimitUse
from host.core.limits import Limit, Rate, Use
from host.core.records import Commit
from host.engine.limits.record import SLOTS
from host.engine.limits.stored import decode
from host.engine.options import EngineOptions
from host.storage.protocol import NamedRecord
from tests.simulation.faults import Fault
from tests.simulation.processes import CURRENT, Process
from tests.simulation.programs import Program

EVERY: Final = 9
WITH_ENTITIES: Final = 27
"""Of so many worlds one has limits and entities, which keep to one of them."""
FEW: Final = "few"
TURNS: Final = "turns"
OPERATIONS: Final = "operations"
"""The limit of entities."""
LIMITED: Final = ("echo", "once")
"""The activities that keep to the limit `few`."""
TURN: Final = "turn"
"""The orchestrator that keeps to the limit `turns`."""
STARTERS: Final = 3
TERMINATED: Final = 0.25
"""So many of all that take turns are terminated."""
LEASE_S: Final = 30.0
WITHOUT: Final = frozenset({Fault.SKEW, Fault.STEP_BACK, Fault.STEP_FORWARD, Fault.FREEZE})
PER_S: Final = 4.0
PER_KEY: Final = 0.2
"""In so many worlds each entity is counted by itself."""


def has_limits(seed: int) -> bool:
    """Whether a world has limits."""
    return seed % EVERY == 4 or has_limited_entities(seed)


def has_limited_entities(seed: int) -> bool:
    """Whether a world has entities that keep to a limit."""
    return seed % WITH_ENTITIES == 17


def limits_of(seed: int) -> Mapping[str, Limit]:
    """Those of a world."""
    random = Random(f"{seed}/limits")
    rate = random.choice((None, None, Rate(random.randint(2, 5), PER_S)))
    return {
        FEW: Limit(concurrency=random.randint(1, 4), rate=rate),
        TURNS: Limit(concurrency=random.randint(1, 2)),
        OPERATIONS: Limit(
            concurrency=random.randint(1, 2),
            rate=random.choice((None, None, Rate(random.randint(4, 12), PER_S))),
            per_key=random.random() < PER_KEY,
        ),
    }


def limiting(options: EngineOptions, seed: int) -> EngineOptions:
    """A host of the world."""
    if not has_limits(seed):
        return options
    return replace(options, limits=limits_of(seed), lease_s=LEASE_S)


def limit_use(name: str) -> LimitUse:
    """How a function keeps to one. All but orchestrators have keys, so that keys take turns."""
    return LimitUse(name=name, key_of=_KEYS[name])


def _key_of(payload: str | None) -> str:
    return str(json.loads(payload or "{}").get("s", ""))


_KEYS: Final[Mapping[str, Callable[[str | None], str]]] = MappingProxyType(
    {FEW: _key_of, TURNS: lambda _: "", OPERATIONS: str}
)


async def turn(context: OrchestrationContext, program: Program) -> str:
    """An orchestration that keeps its slot for a while."""
    for seconds in program["steps"]:
        label = f"{context.new_uuid()}"
        await context.call_activity("echo", {"label": label, "s": seconds})
    if program["left"]:
        context.continue_as_new(program | {"left": program["left"] - 1})
    return "done"


def make_turn(random: Random) -> Program:
    """What such an orchestration does."""
    steps = [random.choice((0.0, 0.5, 3)) for _ in range(random.randint(0, 2))]
    return {"steps": steps, "left": random.choice((0, 0, 1))}


class Crowd:
    """Who runs by a limit right now, and in which process. What a dead one had runs no more."""

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        self._limits = limits
        self._running: defaultdict[tuple[str, Process | None], int] = defaultdict(int)
        self.problems: list[str] = []

    @property
    def has_limits(self) -> bool:
        """Whether there are any limits."""
        return bool(self._limits)

    @contextmanager
    def one_more(self, label: str, name: str = FEW, key: str = "") -> Iterator[None]:
        """Something that keeps to a limit runs meanwhile; `key` is that of an entity."""
        limit = self._limits.get(name)
        if limit is None:
            yield
            return
        place, process = f"{name}/{key if limit.per_key else ''}", CURRENT.get()
        self._running[place, process] += 1
        running = {x: n for (at, x), n in self._running.items() if at == place and n}
        alive = {x: n for x, n in running.items() if not (x and x.is_dead)}
        if sum(alive.values()) > (limit.concurrency or 0):
            self.problems.append(f"{label} is one too many of {limit.concurrency}: {alive}")
        try:
            yield
        finally:
            self._running[place, process] -= 1


class SlotChecks:
    """Looks at what is stored of limits, each time that it changes."""

    def __init__(self, limits: Mapping[str, Limit], now: Callable[[], datetime]) -> None:
        self._limits = limits
        self._now = now
        self._stored: dict[str, Use] = {}
        self.problems: list[str] = []

    def changed(self, record: NamedRecord) -> None:
        """A record is stored."""
        if record.kind != SLOTS:
            return
        use, now = decode(record, record.key, ""), self._now().timestamp()
        self._stored[record.key] = use
        limit = self._limits[use.limit]
        if limit.concurrency is not None and _in_use(use, now) > limit.concurrency:
            self.problems.append(f"{_in_use(use, now)} of {limit.concurrency} in use: {use}")
        if limit.rate is not None:
            began = sum(n for end, n in use.began if end + limit.rate.per_s > now)
            if began > limit.rate.count:
                self.problems.append(f"{began} of {limit.rate.count} began: {use}")

    def removed(self, kind: str, key: str) -> None:
        """A record is gone."""
        if kind == SLOTS:
            self._stored.pop(key, None)

    def appended(self, commit: Commit) -> None:
        """A batch is stored: the first one of an orchestration with a limit needs a slot."""
        events = commit.batch.events
        begins = any(
            isinstance(x, history.ExecutionStarted) and x.name == TURN and not x.generation
            for x in events
        )
        is_ended = any(getattr(x, "status", None) is RuntimeStatus.TERMINATED for x in events)
        holders = self._stored[TURNS].holders if TURNS in self._stored else {}
        if begins and not is_ended and commit.instance_id not in holders:
            self.problems.append(f"{commit.instance_id} begins without a slot")

    def problems_of_rest(self, now: datetime) -> Iterator[str]:
        """What is left of limits when all has ended."""
        for use in self._stored.values():
            shares = [x for x in use.shares.values() if x.until > now.timestamp()]
            if use.holders or any(each.taken or each.waiting for each in shares):
                yield f"slots are left: {use}"


def _in_use(use: Use, now: float) -> int:
    shares = sum(share.taken for share in use.shares.values() if share.until > now)
    return shares + len(use.holders)
