"""Instances that wait in memory between sessions, so that going on costs no replay."""

from __future__ import annotations

from collections import OrderedDict

from host.core.led import Led
from host.engine.apart import close


class InstanceCache:
    """The least recently used instances go first when there are too many."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._instances: OrderedDict[str, Led] = OrderedDict()
        self.hits = self.misses = 0
        """How often who was looked for was there, and was not."""

    def __len__(self) -> int:
        return len(self._instances)

    def take(self, instance_id: str) -> Led | None:
        """Remove and give the instance: only one session at a time may have it."""
        found = self._instances.pop(instance_id, None)
        if found is None:
            self.misses += 1
        else:
            self.hits += 1
        return found

    def put(self, live: Led) -> None:
        """Keep an instance that waits."""
        self._instances[live.state.instance_id] = live
        while len(self._instances) > self._capacity:
            _, oldest = self._instances.popitem(last=False)
            close(oldest)

    def take_all(self) -> list[Led]:
        """Remove and give all."""
        taken = list(self._instances.values())
        self._instances.clear()
        return taken

    def clear(self) -> None:
        """Let go of all."""
        for live in self._instances.values():
            close(live)
        self._instances.clear()
