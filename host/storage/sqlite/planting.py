"""`HubStore.plant`, as a plan: a whole instance in one transaction."""

from __future__ import annotations

from host.core.records import Snapshot
from host.storage import rules
from host.storage.sqlite import sealed
from host.storage.sqlite.group import Group


class PlantWrite:
    """A whole instance that comes from elsewhere."""

    def __init__(self, snapshot: Snapshot, *, leaves_work: bool) -> None:
        row = snapshot.instance
        self._snapshot = snapshot
        self._leaves_work = leaves_work
        self._row = sealed.seal_instance(row)
        self._batches = [
            sealed.seal_batch(row.instance_id, x.execution_id, x.number, x.batch)
            for x in snapshot.batches
        ]
        self._inbox = [sealed.seal_message(row.instance_id, each) for each in snapshot.inbox]
        self._scheduled = [
            None if x.scheduled is None else sealed.seal_scheduled(row.instance_id, x.scheduled)
            for x in snapshot.leases
        ]
        self.instance_ids = (row.instance_id,)

    def plan(self, group: Group) -> None:
        """Store all of it, if the id is free."""
        snapshot = self._snapshot
        instance_id = snapshot.instance.instance_id
        rules.check_plant(group.head(instance_id), instance_id)
        head = group.add_instance(snapshot.instance, self._row)
        last = len(self._batches) - 1
        for place, (each, data) in enumerate(zip(snapshot.batches, self._batches, strict=True)):
            leaves_work = self._leaves_work and place == last
            head = group.add_batch(
                head, each.execution_id, each.number, data, leaves_work=leaves_work
            )
        for message, data in zip(snapshot.inbox, self._inbox, strict=True):
            head = group.add_message(head, message, data)
        for lease, scheduled in zip(snapshot.leases, self._scheduled, strict=True):
            head = group.put_lease(head, lease, scheduled)
        group.set_alarm(head, snapshot.wake_at)
