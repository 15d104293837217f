"""Everything of one instance, from the items of its partition.

Rules of this file: DynamoDB reads item after item, and others write meanwhile. The order of the
keys keeps the history ahead of the row and the inbox. A hole in the history means that a batch was
written behind the reader and a later one before it; a row whose execution is not there, that it was
dropped in between for the next one. Who reads again has it all. A hole that stays is damage, but
for executions that nothing leads to any more: those are deleted in no certain order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from host.core import ids
from host.core.records import Snapshot, StoredBatch
from host.core.rewound import is_rewind
from host.errors import StorageError
from host.logs import HostLog
from host.storage import rules
from host.storage.aws.table.bodies import ChunksMissingError
from host.storage.aws.table.hub_table import READ_AGAIN, HubTable, everything_of
from host.storage.aws.table.inboxes import Inboxes
from host.storage.aws.table.items import (
    alarm_of,
    batch_of,
    chunks_missing,
    damaged,
    is_unawaited,
    lease_of,
    reading,
    row_of,
    run_of,
    status_of,
)
from host.storage.aws.table.keys import (
    BATCHES,
    CHUNKS,
    LEASES,
    MESSAGES,
    META,
    BatchKey,
    Item,
    sort_key_of,
)
from host.storage.aws.table.leftovers import Leftovers

_logger = HostLog("funchost.storage")

_LONG_ITEMS = 300
"""So many items take long to decode."""


class Snapshots:
    """Loads instances."""

    def __init__(self, hub: HubTable, inboxes: Inboxes, leftovers: Leftovers) -> None:
        self._hub = hub
        self._inboxes = inboxes
        self._leftovers = leftovers

    async def load(self, instance_id: str) -> Snapshot | None:
        """Everything of one instance; None if there is no row.

        Raises `DamagedDataError`, and `StorageError` if others change it all the time.
        """
        was_holed, torn = False, None
        damage: StorageError
        for attempts_left in reversed(range(READ_AGAIN)):
            seen_at = self._hub.now()
            items = await self._hub.table.query_all(everything_of(instance_id))
            row = next((item for item in items if sort_key_of(item) == META), None)
            await self._remove_left(instance_id, items)
            if row is None:
                self._hub.heads.forget(instance_id)
                return None
            try:
                with reading(instance_id, "its items"):
                    snapshot = await self._assemble(row, _by_kind(items))
            except ChunksMissingError as error:
                damage = chunks_missing(instance_id, error)
                continue
            if _is_torn(snapshot) and snapshot != torn:  # who looks twice sees the same, or all
                torn = snapshot
                damage = StorageError(f"'{instance_id}' changes whenever it is read.")
                continue
            gap = _gap(snapshot)
            is_harmless = gap is None and (was_holed or not attempts_left)
            if is_harmless or not _is_holed(snapshot):
                self._hub.keep_head(instance_id, row, seen_at, _reached(snapshot))
                return snapshot
            was_holed = True
            if gap is not None:
                what = f"its history has a gap before batch {gap}"
                damage = damaged(instance_id, what, can_be_ended=True)
        raise damage

    async def _remove_left(self, instance_id: str, items: Sequence[Item]) -> None:
        """What belongs to nobody goes, now that it was read; if not now, then another time."""
        try:
            await self._leftovers.remove(instance_id, items)
        except StorageError as error:
            _logger.debug("Something is left of an earlier '%s': %s", instance_id, error)

    async def _assemble(self, row: Item, items: Mapping[str, Sequence[Item]]) -> Snapshot:
        chunks = {sort_key_of(item): item for item in items[CHUNKS]}
        run = run_of(row)
        mine = [item for item in items[BATCHES] if run_of(item) == run]
        if len(mine) + len(chunks) > _LONG_ITEMS or chunks:
            batches = await asyncio.to_thread(_read_batches, mine, chunks)
        else:
            batches = _read_batches(mine, chunks)
        instance = row_of(row, chunks)
        leases = [item for item in items[LEASES] if run_of(item) == run]
        if status_of(row).is_finished:  # what else others still put there is for nobody
            left = tuple(lease_of(item, chunks) for item in leases if is_unawaited(item))
            return Snapshot(instance=instance, batches=batches, leases=left, wake_at=alarm_of(row))
        return Snapshot(
            instance=instance,
            batches=batches,
            inbox=tuple(self._inboxes.of_run(run, items[MESSAGES], chunks)),
            leases=tuple(lease_of(item, chunks) for item in leases),
            wake_at=alarm_of(row),
        )


def _by_kind(items: Sequence[Item]) -> Mapping[str, Sequence[Item]]:
    """The items of each kind, in order of their keys."""
    kinds: dict[str, list[Item]] = {kind: [] for kind in (LEASES, MESSAGES, META, BATCHES, CHUNKS)}
    for item in items:
        sort_key = sort_key_of(item)
        kinds[META if sort_key == META else sort_key[: len(CHUNKS)]].append(item)
    return kinds


def _read_batches(items: Sequence[Item], chunks: Mapping[str, Item]) -> tuple[StoredBatch, ...]:
    batches = [batch_of(item, chunks) for item in items]
    return tuple(sorted(batches, key=lambda each: (each.execution_id, each.number)))


def _is_holed(snapshot: Snapshot) -> bool:
    """Whether a batch is missing before another."""
    expected: dict[str, int] = {}
    for batch in snapshot.batches:
        first = rules.first_number(snapshot.instance.instance_id, batch.number)
        if batch.number != expected.get(batch.execution_id, first):
            return True
        expected[batch.execution_id] = batch.number + 1
    return False


def _is_torn(snapshot: Snapshot) -> bool:
    """Whether the row was read before it moved on, and its execution after it was dropped.

    Who believed this would begin the row's execution anew. Or the row was read after a rewind, and
    its execution before that: who believed it would take the end for the end.
    """
    row, executions = snapshot.instance, {batch.execution_id for batch in snapshot.batches}
    if row.rewinds and row.rewinds > _rewinds(snapshot):
        return True
    return bool(executions) and row.execution_id not in executions and not row.is_finished


def _rewinds(snapshot: Snapshot) -> int:
    """How often the history says that the row's execution was rewound."""
    own = (x.batch for x in snapshot.batches if x.execution_id == snapshot.instance.execution_id)
    return sum(map(is_rewind, own))


def _gap(snapshot: Snapshot) -> int | None:
    """The number before which one is missing, in an execution that the row leads to."""
    if ids.is_entity(snapshot.instance.instance_id):
        return None
    expected = dict.fromkeys(_chain(snapshot), 0)
    for batch in snapshot.batches:
        if batch.execution_id in expected:
            if batch.number != expected[batch.execution_id]:
                return batch.number
            expected[batch.execution_id] += 1
    return None


def _reached(snapshot: Snapshot) -> BatchKey:
    """The latest turn: of the row's execution, or of the last that followed by continue-as-new."""
    latest = {batch.execution_id: batch.number for batch in snapshot.batches}
    execution_id = _chain(snapshot)[-1]
    return BatchKey(execution_id, latest.get(execution_id, -1))


def _chain(snapshot: Snapshot) -> Sequence[str]:
    """The row's execution, and those that followed by continue-as-new."""
    stored = {batch.execution_id for batch in snapshot.batches}
    chain = [snapshot.instance.execution_id]
    while (following := ids.next_execution_id(chain[-1])) in stored:
        chain.append(following)
    return chain
