"""Bursts of hints to one instance: what answers a thousand times need not wake it so often.

One hint is as good as many that come before it is received. The first hints of a second go at once;
when there are more, each waits for what comes meanwhile, the longer the more there are.
"""

from __future__ import annotations

from collections import Counter

from host.clock import Clock

FREE = 5
"""So many hints a second to one instance go at once."""
WAIT_EACH_S = 0.005
"""How long the next one waits for each hint of that second."""


class Bursts:
    """Counts the hints of this second and of the last one, by instance."""

    def __init__(self, clock: Clock, max_wait_s: float) -> None:
        """No hint waits for longer than `max_wait_s`; 0: none waits at all."""
        self.are_gathered = max_wait_s > 0
        self._clock = clock
        self._max_wait_s = max_wait_s
        self._second = 0
        self._counts: Counter[str] = Counter()
        self._earlier: Counter[str] = Counter()

    def wait_s(self, instance_id: str) -> float:
        """How long one more hint to this instance is to wait for others; 0 to go at once."""
        second = int(self._clock.monotonic())
        if second != self._second:
            is_next = second == self._second + 1
            self._earlier = self._counts if is_next else Counter()
            self._second, self._counts = second, Counter()
        self._counts[instance_id] += 1
        count = max(self._counts[instance_id], self._earlier[instance_id])
        return 0.0 if count <= FREE else min(self._max_wait_s, WAIT_EACH_S * count)
