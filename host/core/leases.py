"""The leases of one execution's parked activities: who else runs what, and until when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from host.core import history
from host.core.history import Batch
from host.core.ledger import Ledger
from host.core.records import Lease


class Leases:
    """Leases by task. A lease ends with its task's result, or with its time."""

    def __init__(self) -> None:
        self._by_task: dict[int, Lease] = {}

    def __len__(self) -> int:
        return len(self._by_task)

    def add(self, leases: Iterable[Lease], ledger: Ledger) -> None:
        """Take in leases; those of other executions and of answered tasks are nobody's."""
        for lease in leases:
            is_current = lease.execution_id == ledger.execution_id
            if is_current and lease.task_id in ledger.open_activities:
                self._by_task[lease.task_id] = lease

    def claim(self, task_id: int, now: datetime) -> bool:
        """Whether the task may be run here: nobody has it, or only until now."""
        lease = self._by_task.get(task_id)
        if lease is not None and lease.expires_at > now:
            return False
        self._by_task.pop(task_id, None)
        return True

    def end_answered(self, batch: Batch) -> None:
        """The tasks that the batch answers need no lease."""
        for event in batch.events:
            if isinstance(event, history.TaskCompleted | history.TaskFailed):
                self._by_task.pop(event.task_id, None)

    def next_expiry(self) -> datetime | None:
        """When the first lease expires."""
        return min((lease.expires_at for lease in self._by_task.values()), default=None)

    def clear(self) -> None:
        """Forget all: another execution begins."""
        self._by_task.clear()
