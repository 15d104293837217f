"""Deleting a finished instance, and with it the finished sub-orchestrations that it started.

Rules of this file: children go before their parent. Who dies in between leaves the parent, whose
history still names what is left, so that the next purge of it finds that. Of what is found only ids
are held. Nothing is looked at twice: what was imported may say that its own parent is its child.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from bindings.errors import InstanceStateError
from host.core.history import SubOrchestrationInstanceCreated
from host.core.records import Instance
from host.engine.together import together
from host.errors import DamagedDataError
from host.storage.protocol import HubStore


async def purge_tree(store: HubStore, instance_id: str, execution_id: str | None = None) -> int:
    """Delete it, and all that is finished of what its last execution started; how many those were.

    With an `execution_id` only that one is meant. 0 if there is no such instance. Raises
    `InstanceStateError` if it is active.
    """
    row = await _row(store, instance_id)
    if row is None or not row.is_finished:
        return int(await store.purge(instance_id, execution_id))
    if execution_id not in {None, row.execution_id}:
        return 0
    levels, seen = [[_Found(instance_id, row.execution_id)]], {instance_id}
    while below := await _below(store, levels[-1], seen):
        levels.append(below)
    deleted = 0
    for level in reversed(levels[1:]):
        deleted += sum(await together([_purge(store, child) for child in level]))
    return deleted + await store.purge(instance_id, row.execution_id)


class _Found(NamedTuple):
    """A finished instance: started again it has another execution, and stays."""

    instance_id: str
    execution_id: str


async def _below(store: HubStore, level: list[_Found], seen: set[str]) -> list[_Found]:
    found = await together([_children(store, parent.instance_id) for parent in level])
    below = {child.instance_id: child for children in found for child in children}
    new = [child for child in below.values() if child.instance_id not in seen]
    seen.update(below)
    return new


async def _children(store: HubStore, parent_id: str) -> list[_Found]:
    """Its finished children, as far as its history names them."""
    try:
        snapshot = await store.load(parent_id)
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
    looks = [_finished_child(store, each, parent_id, executions) for each in sorted(named)]
    return [child for child in await together(looks) if child is not None]


async def _finished_child(
    store: HubStore, instance_id: str, parent_id: str, executions: set[str]
) -> _Found | None:
    """The instance, if it is finished and these executions started it."""
    row = await _row(store, instance_id)
    if row is None or row.parent is None or not row.is_finished:
        return None
    is_child = row.parent.instance_id == parent_id and row.parent.execution_id in executions
    return _Found(instance_id, row.execution_id) if is_child else None


async def _row(store: HubStore, instance_id: str) -> Instance | None:
    try:
        return await store.get(instance_id)
    except DamagedDataError:
        return None


async def _purge(store: HubStore, child: _Found) -> int:
    with suppress(InstanceStateError):  # it goes on: somebody has rewound it
        return int(await store.purge(child.instance_id, child.execution_id))
    return 0
