"""Who waits in this process for an instance to start or finish."""

from __future__ import annotations

import asyncio
from typing import TypeAlias

from host.core.records import Instance

Reports: TypeAlias = asyncio.Queue[Instance | None]
"""The rows of an instance as they are reported; None when waiting is over."""


class Waiters:
    """Reports by instance. Register first, then read the row: nothing can slip between.

    Who waits gets every report until `unregister`, so the row has to be read only once.
    """

    def __init__(self) -> None:
        self._reports: dict[str, set[Reports]] = {}
        self.is_closed = False
        """Whether the host stops, so that waiting is over."""

    def close(self) -> None:
        """Let all go that wait."""
        self.is_closed = True
        for reports in [each for group in self._reports.values() for each in group]:
            reports.put_nowait(None)

    def __len__(self) -> int:
        return len(self._reports)

    def register(self, instance_id: str) -> Reports:
        """What is reported of the instance from now on; give it back with `unregister`."""
        reports: Reports = asyncio.Queue()
        self._reports.setdefault(instance_id, set()).add(reports)
        return reports

    def unregister(self, instance_id: str, reports: Reports) -> None:
        """Wait no longer."""
        group = self._reports[instance_id]
        group.discard(reports)
        if not group:
            del self._reports[instance_id]

    def report(self, row: Instance) -> None:
        """An instance's status changed."""
        for reports in self._reports.get(row.instance_id, ()):
            reports.put_nowait(row)
