"""Who has locked an entity, who waits for it, and the unlocking by force."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

from bindings.entity_calls import entity_id_of
from bindings.entity_ids import EntityId
from bindings.errors import EntityNotLockedError, InstanceNotFoundError
from host.core import history
from host.core.entities.holders import is_orphaned, unlocks_left_by
from host.core.entities.locks import SectionKey, key_of
from host.core.history import EntityLock, HistoryEvent, ParentInstance
from host.core.records import Message, Snapshot
from host.engine.parts import EngineParts
from host.logs import HostLog

_logger = HostLog("funchost.engine")


class Waiter(NamedTuple):
    """An orchestration that waits for the lock of an entity, or for the section that has it."""

    asker: ParentInstance
    since: datetime
    operation: str | None = None
    """What it calls; None if it wants the lock."""


class LockState(NamedTuple):
    """What is stored of the lock of one entity."""

    lock: EntityLock | None
    waiters: tuple[Waiter, ...]
    """In order."""
    signals: int = 0
    """How many wait for the end of the section."""
    has_calls: bool = False
    """Whether calls are there that are to be done."""
    blocked: str | None = None
    """Why the entity does nothing at all, if that is so."""


class EntityLocks:
    """Everything is durable when a method returns."""

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts

    async def state(self, entity_id: EntityId) -> LockState | None:
        """Who has locked the entity, and who waits; None if nobody ever asked anything of it."""
        entity_id = entity_id_of(entity_id)
        snapshot = await self._parts.store.load(str(entity_id))
        return None if snapshot is None else lock_state(snapshot)

    async def unlock(self, entity_id: EntityId, holder: str | None = None) -> EntityLock:
        """Have the entity unlocked, though its section goes on; that section's lock is given.

        Its further calls of this entity raise `LockLostError`. With `holder` only if this instance
        has locked it. Raises `EntityNotLockedError`.
        """
        state, instance_id = await self.state(entity_id), str(entity_id)
        lock = None if state is None else state.lock
        if lock is None:
            raise EntityNotLockedError(f"'{entity_id}' is not locked.")
        has_it = lock.holder.instance_id
        if holder is not None and holder != has_it:
            raise EntityNotLockedError(f"'{entity_id}' is locked by '{has_it}', not '{holder}'.")
        await self._unlock(instance_id, lock)
        _logger.warning("'%s' is unlocked by force: '%s' had locked it.", entity_id, has_it)
        return lock

    async def release_if_orphaned(self, snapshot: Snapshot) -> bool:
        """Unlock the entity if nobody is in the section that has locked it; whether it was so."""
        lock = lock_state(snapshot).lock
        if lock is None:
            return False
        holder = await self._parts.store.load(lock.holder.instance_id)
        if not is_orphaned(lock, holder):
            return False
        await self._unlock(snapshot.instance.instance_id, lock)
        return True

    async def leave(self, run: Snapshot) -> None:
        """Unlock what a run has locked that was replaced and will never end."""
        for each in unlocks_left_by(run, self._parts.clock.now()):
            await self._send(each.instance_id, each.message)

    async def _unlock(self, instance_id: str, lock: EntityLock) -> None:
        order = history.EntityUnlockSent(
            timestamp=self._parts.clock.now(),
            task_id=0,
            section=lock.holder.task_id,
            instance_id=instance_id,
            parent=lock.holder,
        )
        await self._send(instance_id, Message(message_id=uuid4().hex, event=order))

    async def _send(self, instance_id: str, message: Message) -> None:
        with suppress(InstanceNotFoundError):  # an entity that was removed is not locked
            sending = self._parts.store.send(instance_id, message)
            await self._parts.hints.send_after(sending, instance_id)


def lock_state(snapshot: Snapshot) -> LockState:
    """What is stored of the lock of an entity."""
    last = snapshot.batches[-1].batch.events[-1] if snapshot.batches else None
    lock = last.lock if isinstance(last, history.EntityCheckpoint) else None
    events = [each.event for each in snapshot.inbox]
    waiters = [found for event in events if (found := _waiter(event, lock)) is not None]
    signals = [x for x in events if lock and isinstance(x, history.EntityOperationSignaled)]
    has_calls = any(isinstance(each, history.EntityOperationCalled) for each in events)
    reason = snapshot.instance.blocked_reason
    return LockState(lock, tuple(waiters), len(signals), has_calls, reason)


def _waiter(event: HistoryEvent, lock: EntityLock | None) -> Waiter | None:
    """Who waits with this event: while nobody has the lock, calls are about to be done."""
    match event:
        case history.EntityLockRequested(parent=ParentInstance() as asker):
            return Waiter(asker, event.timestamp)
        case history.EntityOperationCalled(parent=ParentInstance() as asker) if lock is not None:
            is_of_holder = SectionKey(asker.execution_id, event.section) == key_of(lock.holder)
            return None if is_of_holder else Waiter(asker, event.timestamp, event.operation)
    return None
