"""Deleting a finished instance, and with it the finished sub-orchestrations that it started.

Rules of this file: children go before their parent. Who dies in between leaves the parent, whose
history still names what is left, so that the next purge of it finds that.
"""

from __future__ import annotations

from contextlib import suppress

from bindings.errors import InstanceStateError
from host.core.history import SubOrchestrationInstanceCreated
from host.core.records import Instance
from host.engine.together import together
from host.errors import DamagedDataError
from host.storage.protocol import HubStore


async def purge_tree(store: HubStore, instance_id: str) -> int:
    """Delete it, and all that is finished of what its last execution started; how many those were.

    0 if there is no such instance. Raises `InstanceStateError` if it is active.
    """
    row = await _row(store, instance_id)
    if row is None or not row.is_finished:
        return int(await store.purge(instance_id))
    levels = [[row]]
    while below := await _below(store, levels[-1]):
        levels.append(below)
    deleted = 0
    for level in reversed(levels[1:]):
        deleted += sum(await together([_purge(store, child) for child in level]))
    return deleted + await store.purge(instance_id, row.execution_id)


async def _below(store: HubStore, level: list[Instance]) -> list[Instance]:
    found = await together([_children(store, parent) for parent in level])
    return [child for children in found for child in children]


async def _children(store: HubStore, parent: Instance) -> list[Instance]:
    """Its finished children, as far as its history names them."""
    try:
        snapshot = await store.load(parent.instance_id)
    except DamagedDataError:
        return []
    batches = () if snapshot is None else snapshot.batches
    executions = {stored.execution_id for stored in batches}
    named = {
        event.instance_id
        for stored in batches
        for event in stored.batch.events
        if isinstance(event, SubOrchestrationInstanceCreated)
    }
    rows = await together([_row(store, instance_id) for instance_id in sorted(named)])
    return [
        row
        for row in rows
        if row is not None
        and row.is_finished
        and row.parent is not None
        and row.parent.instance_id == parent.instance_id
        and row.parent.execution_id in executions
    ]


async def _row(store: HubStore, instance_id: str) -> Instance | None:
    try:
        return await store.get(instance_id)
    except DamagedDataError:
        return None


async def _purge(store: HubStore, child: Instance) -> int:
    with suppress(InstanceStateError):  # it goes on: somebody has rewound it
        return int(await store.purge(child.instance_id, child.execution_id))
    return 0
