"""Instances as lines of JSON, read one after the other; nothing is kept of those that are given.

A move takes each unfinished instance away from where it is: it is terminated in the very turn that
follows the one of which the line is. Nobody can take another turn between the two, so it runs at
one place only. The line can be had again as long as what is left at the source is not purged: the
history says what was there before, and the turn that ended it holds what waited in the inbox. An
instance moves with the children that it waits for, itself first: so what they still tell it at the
source is heard by nobody. A child is not moved away from a parent that waits for it.

Entities come before all others, so that an import has their states before anybody asks them. They
are copied, by a move, too: an entity has no end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec

from bindings import exports
from bindings.errors import InstanceStateError
from host.core import exported
from host.core.chain import has_ended
from host.core.codec import CodecError
from host.core.effects import Outbound
from host.core.instance_state import InstanceState
from host.core.moving import before_move, move, waiting, was_moved
from host.core.records import Instance, Snapshot
from host.engine.debouncing import begun_row
from host.engine.parts import EngineParts
from host.engine.together import together
from host.errors import Conflict, DamagedDataError, StorageError
from host.storage.protocol import InstancePage

ATTEMPTS = 20
"""How often an instance is looked at anew because others change it meanwhile."""
_AT_FIRST, _AT_ONCE = 4, 32
_BYTES_AT_ONCE = 4_000_000
"""About so much is held of what is given."""
_LONG_BATCHES = 200
"""So many batches take long to write."""


async def export_pages(
    parts: EngineParts, pages: AsyncIterator[InstancePage], *, moves: bool
) -> AsyncIterator[bytes]:
    """The lines of the instances on these pages; one that is gone by then has none."""
    at_once = _AT_FIRST
    async for page in pages:
        rows = page.instances
        while rows:
            wanted, rows = rows[:at_once], rows[at_once:]
            if moves:
                for row in wanted:
                    async for line in _moved_tree(parts, row):
                        yield line
                continue
            lines = await together([line_of(parts, each.instance_id) for each in wanted])
            at_once = max(1, min(_AT_ONCE, _BYTES_AT_ONCE // max(1, *map(len, lines))))
            if found := b"".join(lines):
                yield found


async def one_after_the_other(*exports: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines of one export after those of the other."""
    for export in exports:
        async for lines in export:
            yield lines


async def _moved_tree(parts: EngineParts, row: Instance) -> AsyncIterator[bytes]:
    if not await goes_with_parent(parts, row):
        async for line in export_tree(parts, row.instance_id, moves=True):
            yield line


async def ended(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines, of which the last says how many there are: each part is held until the next."""
    count, held = 0, b""
    async for some in lines:
        if held:
            yield held
        count, held = count + some.count(b"\n"), some
    if held:
        start = held.rfind(b"\n", 0, -1) + 1
        yield held[:start] + exports.ended(held[start:], count)


async def line_of(parts: EngineParts, instance_id: str) -> bytes:
    """The line of an instance, or of what is wrong with it; nothing if there is none."""
    try:
        snapshot = await parts.store.load(instance_id)
        return b"" if snapshot is None else await written(snapshot)
    except (DamagedDataError, CodecError) as error:
        return exported.unreadable_line(instance_id, str(error))


async def written(snapshot: Snapshot) -> bytes:
    """The line; a long one is written beside the event loop. Raises `CodecError`."""
    if len(snapshot.batches) > _LONG_BATCHES:
        return await asyncio.to_thread(exported.to_line, snapshot)
    return exported.to_line(snapshot)


async def export_tree(parts: EngineParts, instance_id: str, *, moves: bool) -> AsyncIterator[bytes]:
    """The lines of an instance and of the children that it waits for, itself first.

    Each has one: what was imported may say that its own parent is a child of it.
    """
    left, seen = [instance_id], set[str]()
    while left:
        next_id = left.pop()
        if next_id in seen:
            continue
        seen.add(next_id)
        try:
            found = await (_moved if moves else _stored)(parts, next_id)
            if found is not None:
                left.extend(_open_children(found.snapshot))
                yield found.line
        except (DamagedDataError, CodecError) as error:
            yield exported.unreadable_line(next_id, str(error))


async def check_can_move(parts: EngineParts, row: Instance) -> None:
    """Raise `InstanceStateError` for a child that goes with its parent."""
    if row.parent is not None and await goes_with_parent(parts, row):
        status = f"{row.status}, and goes with its parent '{row.parent.instance_id}'"
        raise InstanceStateError(row.instance_id, status, "move", finished=False)


async def goes_with_parent(parts: EngineParts, row: Instance) -> bool:
    """Whether the instance is a child of which its parent's move takes care."""
    if row.parent is None or (row.is_finished and not was_moved(row)):
        return False
    try:
        parent = await parts.store.get(row.parent.instance_id)
    except DamagedDataError:
        return True
    return parent is not None and (not parent.is_finished or was_moved(parent))


class _Found(NamedTuple):
    snapshot: Snapshot
    line: bytes


async def _stored(parts: EngineParts, instance_id: str) -> _Found | None:
    """All that is stored of an instance."""
    snapshot = await parts.store.load(instance_id)
    return None if snapshot is None else _Found(snapshot, await written(snapshot))


async def _moved(parts: EngineParts, instance_id: str) -> _Found | None:
    """All that was stored of an instance before it was moved away, now or earlier.

    The line is made before that: what has none stays where it is.
    """
    for _ in range(ATTEMPTS):
        snapshot = await parts.store.load(instance_id)
        if snapshot is None:
            return None
        if has_ended(snapshot):
            before = before_move(snapshot) or snapshot
            return _Found(before, await written(before))
        whole = msgspec.structs.replace(snapshot, inbox=tuple(waiting(snapshot)))
        line = await written(whole)
        if await _move(parts, snapshot):
            return _Found(whole, line)
    raise StorageError(f"'{instance_id}' changes whenever it is read.")


async def _move(parts: EngineParts, snapshot: Snapshot) -> bool:
    """End the instance; False if somebody has to look again first."""
    state = InstanceState(snapshot, parts.wanted)
    instance_id = state.instance_id
    if state.may_lack_effects:
        effects = state.redo()
        await parts.store.apply(effects)
        parts.send_notices(effects.notices)
        addressees = Outbound(effects.starts, effects.messages).addressees
        await parts.hints.send([instance_id, *addressees])
        return False
    if state.row.is_movable:  # another start may move it now, with an input that the line lacks
        begun = begun_row(state.row, parts)
        if not await parts.store.change_row(state.row, begun):
            return False
        snapshot = msgspec.structs.replace(snapshot, instance=begun)
    commit = move(snapshot, parts.clock.now(), parts.wanted)
    try:
        await parts.hints.send_after(parts.store.commit(commit), instance_id)
    except Conflict:
        return False
    parts.send_notices(commit.effects.notices)
    return True


def _open_children(snapshot: Snapshot) -> list[str]:
    state = InstanceState(snapshot)
    if state.is_finished:
        return []
    return [child.instance_id for child in state.ledger.open_children.values()]
