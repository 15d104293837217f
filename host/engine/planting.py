"""Whole instances that come from elsewhere: stored, and hinted at so that they go on."""

from __future__ import annotations

from host.core.instance_state import InstanceState
from host.core.records import Snapshot
from host.engine.parts import EngineParts
from host.storage.protocol import Alarm


async def plant(parts: EngineParts, snapshot: Snapshot) -> None:
    """Store all of it. Raises `InstanceAlreadyExistsError`."""
    instance_id, wake_at = snapshot.instance.instance_id, snapshot.wake_at
    storing = parts.store.plant(snapshot, leaves_work=_leaves_work(snapshot))
    if wake_at is None:
        await storing
    elif wake_at > parts.clock.now():
        parts.alarms.notice(Alarm(instance_id=instance_id, due=wake_at))
        await storing
    else:
        await parts.hints.send_after(storing, instance_id)


def _leaves_work(snapshot: Snapshot) -> bool:
    """Whether there is something to do without a message."""
    state = InstanceState(snapshot)
    if state.is_finished or not snapshot.batches:
        return False
    return bool(state.ledger.open_activities) or state.is_continued or state.is_rewound
