"""How many hosts a hub could use: what waits, how long it waited, what runs.

The formula is simple, so that whoever reads the figures can foresee it: `docs/how-to/scale.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from bindings.kinds.queues import POISON_SUFFIX
from host.clock import Clock
from host.metrics.readings import Readings
from host.storage.local_queues import NO_HINTS
from host.storage.messages import QueueState

PER_HOST: Final = 100
"""So much at once is one host's share, unless it is said otherwise."""
OLD_S: Final = 30.0
"""What waits longer than that wants one more host than there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What an autoscaler wants to know."""

    backlog: int
    """What waits: wake-ups, activities that any host may run, messages in queues of functions."""
    oldest_s: float
    """How long the oldest of that waited, or the instance that waited longest of late."""
    running: int
    """Instances that are led and activities that run, on all hosts as they said it last."""
    hosts: int
    wanted_hosts: int


def scale_of(
    *, backlog: int, oldest_s: float, running: int, hosts: int, per_host: int = PER_HOST
) -> Scale:
    """The signal by these figures."""
    wanted = max(1, ceil((backlog + running) / per_host))
    if backlog and oldest_s > OLD_S:
        wanted = max(wanted, hosts + 1)
    return Scale(
        backlog=backlog, oldest_s=oldest_s, running=running, hosts=hosts, wanted_hosts=wanted
    )


class ScaleSignal:
    """Makes the signal of one host's readings."""

    def __init__(
        self, readings: Readings, clock: Clock, longest_delay_s: Callable[[], float]
    ) -> None:
        """`longest_delay_s`: how long an orchestration waited for its first turn of late."""
        self._readings = readings
        self._clock = clock
        self._longest_delay_s = longest_delay_s

    async def now(self, per_host: int = PER_HOST) -> Scale:
        """The signal as it is now. What the hub does not tell counts as nothing. Never raises."""
        hub, host = await self._readings.hub(), self._readings.host()
        queues = [each for each in hub.queues or () if POISON_SUFFIX not in each.name]
        waiting = sum(each.messages - each.held - each.delayed for each in queues)
        hints = hub.hints or NO_HINTS
        others = [each for each in hub.hosts or () if each.host_id != self._readings.host_id]
        return scale_of(
            backlog=hints.wakeups_waiting + hints.work_waiting + host.activities_waiting + waiting,
            oldest_s=max(self._oldest_message_s(queues), self._longest_delay_s()),
            running=host.sessions
            + host.activities_running
            + sum(each.sessions + each.activities for each in others),
            hosts=1 + len(others),
            per_host=per_host,
        )

    def _oldest_message_s(self, queues: Sequence[QueueState]) -> float:
        now = self._clock.now()
        ages = ((now - x.oldest_at).total_seconds() for x in queues if x.oldest_at is not None)
        return max(0.0, *ages, 0.0)
