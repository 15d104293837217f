"""Who waits in this process for an instance to start or finish."""

from __future__ import annotations

import asyncio

from host.core.records import Instance


class Waiters:
    """Futures by instance. Register first, then read the row: nothing can slip between."""

    def __init__(self) -> None:
        self._futures: dict[str, set[asyncio.Future[Instance | None]]] = {}
        self.is_closed = False
        """Whether the host stops, so that waiting is over."""

    def close(self) -> None:
        """Let all go that wait."""
        self.is_closed = True
        for future in [each for futures in self._futures.values() for each in futures]:
            if not future.done():
                future.set_result(None)

    def __len__(self) -> int:
        return len(self._futures)

    def register(self, instance_id: str) -> asyncio.Future[Instance | None]:
        """A future of the instance's next reported row; give it back with `unregister`."""
        future: asyncio.Future[Instance | None] = asyncio.get_running_loop().create_future()
        self._futures.setdefault(instance_id, set()).add(future)
        return future

    def unregister(self, instance_id: str, future: asyncio.Future[Instance | None]) -> None:
        """Wait no longer."""
        futures = self._futures.get(instance_id)
        if futures is not None:
            futures.discard(future)
            if not futures:
                del self._futures[instance_id]

    def report(self, row: Instance) -> None:
        """An instance's status changed."""
        for future in self._futures.pop(row.instance_id, ()):
            if not future.done():
                future.set_result(row)
