"""Debounced starts: an instance that waits for its start, and starts that move it.

Who moves it and who begins it change the same row, each on the condition that it still is the one
that was seen. So either the move came first, and the new input counts; or the instance has begun,
and the start is told so. A host begins it by saying so in the row, before its first turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from bindings.client import ReusePolicy
from bindings.errors import InstanceAlreadyExistsError, InvalidArgumentError
from host.core.instance_state import InstanceState
from host.core.led import Led
from host.core.records import Debounce, Instance, Message
from host.engine.parts import EngineParts
from host.engine.starting import Begun, Existing, NewInstance, begun, create
from host.errors import Conflict, StorageError
from host.storage.protocol import Alarm

KEPT_STARTS: Final = 8
"""Of so many starts that moved an instance its row knows that they were made."""
_ATTEMPTS: Final = 50
"""How often a start looks again because others move, begin or remove the instance meanwhile."""


async def start_or_move(
    parts: EngineParts, new: NewInstance, row: Instance, reuse: ReusePolicy
) -> Begun:
    """Store the new instance, or move the one that waits for its start.

    Raises `InstanceAlreadyExistsError`, and `InvalidArgumentError` without an id.
    """
    if new.instance_id is None:
        raise InvalidArgumentError(
            "A debounced start needs an instance id: starts with the same id are one."
        )
    is_keyed = new.idempotency_key is not None
    for _ in range(_ATTEMPTS):
        stored = await parts.store.get(row.instance_id)
        if stored is not None and _was_made(stored, row):
            return Begun(row.instance_id, is_repeated=is_keyed)
        if stored is not None and _can_move(stored, row):
            if await _move(parts, stored, row):
                return Begun(row.instance_id, existing=Existing.MOVED)
            continue
        try:  # in place of nothing but what was seen: of what comes meanwhile nothing is lost
            policy = ReusePolicy.NEVER if stored is None else reuse
            return await begun(parts, row, await create(parts, row, policy), is_keyed=is_keyed)
        except InstanceAlreadyExistsError:
            if stored is not None and not await _has_changed(parts, stored):
                raise
    raise StorageError(f"Too many others start '{row.instance_id}' at the same time.")


def _was_made(stored: Instance, row: Instance) -> bool:
    """Whether this very start was made before."""
    return stored.debounce is not None and row.execution_id in stored.debounce.starts


def _can_move(stored: Instance, row: Instance) -> bool:
    """Whether the start moves the instance; that of another function has nothing to do with it."""
    return stored.is_movable and stored.name == row.name


async def _has_changed(parts: EngineParts, seen: Instance) -> bool:
    stored = await parts.store.get(seen.instance_id)
    return stored is None or stored.updated_at != seen.updated_at


async def _move(parts: EngineParts, stored: Instance, row: Instance) -> bool:
    """Have it begin when the new start says, with its input; False if it is another by now."""
    assert stored.debounce is not None  # noqa: S101 - the caller has seen it
    assert row.scheduled_start_at is not None  # noqa: S101 - as of all debounced starts
    starts = (*stored.debounce.starts, row.execution_id)[-KEPT_STARTS:]
    moved = msgspec.structs.replace(
        stored,
        input=row.input,
        version=row.version,
        scheduled_start_at=row.scheduled_start_at,
        updated_at=stored.next_update(parts.clock.now()),
        debounce=Debounce(starts=starts),
    )
    # Noticed before, since nobody may hear that it is stored.
    parts.alarms.notice(Alarm(instance_id=row.instance_id, due=row.scheduled_start_at))
    return await parts.store.change_row(stored, moved)


def begins(live: Led, inbox: Sequence[Message], parts: EngineParts) -> bool:
    """Whether the next turn of an instance that starts may move is its first one."""
    state, now = live.state, parts.clock.now()
    due = state.row.scheduled_start_at
    return (state.is_led and (due is None or due <= now)) or live.is_to_end(now, inbox)


async def begin(parts: EngineParts, state: InstanceState) -> None:
    """Say in the row that nothing moves the instance any more.

    Raises `Conflict` if it was moved since it was loaded.
    """
    begins_now = begun_row(state.row, parts)
    if not await parts.store.change_row(state.row, begins_now):
        raise Conflict(f"The start of '{state.instance_id}' was moved.")
    state.row = begins_now


def begun_row(row: Instance, parts: EngineParts) -> Instance:
    """The row of an instance that nothing moves any more."""
    assert row.debounce is not None  # noqa: S101 - the caller has seen it
    return msgspec.structs.replace(
        row,
        updated_at=row.next_update(parts.clock.now()),
        debounce=msgspec.structs.replace(row.debounce, is_over=True),
    )
