"""Who has locked an entity, who waits for it, and the unlocking by force."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple
from uuid import uuid4

import msgspec

from bindings.entity_ids import EntityId
from bindings.errors import EntityNotLockedError, InstanceNotFoundError
from bindings.waiting import WaitingFor, WaitKind
from host.core import arguments, history
from host.core.entities.holders import is_orphaned, unlocks_left_by
from host.core.entities.locks import SectionKey, key_of, requests_in
from host.core.history import EntityLock
from host.core.instance_state import InstanceState
from host.core.records import Message, Snapshot
from host.core.waiting import Why
from host.engine.parts import EngineParts
from host.logs import HostLog

_logger = HostLog("funchost.engine")


class LockState(NamedTuple):
    """What is stored of the lock of one entity."""

    lock: EntityLock | None
    waiters: tuple[EntityLock, ...]
    """Who asked for it and waits, in order, and since when."""


class Obstacle(NamedTuple):
    """What keeps a section waiting: this lock of this entity."""

    entity: str
    lock: EntityLock


class EntityLocks:
    """Everything is durable when a method returns."""

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts

    async def state(self, entity_id: EntityId) -> LockState | None:
        """Who has locked the entity, and who waits; None if nobody ever asked anything of it."""
        arguments.instance_of(entity_id, EntityId, "What names an entity")
        snapshot = await self._parts.store.load(str(entity_id))
        return None if snapshot is None else _state(snapshot)

    async def explained(self, why: Why, snapshot: Snapshot) -> Why:
        """The same with who is in the way of each lock that it waits for. Raises `StorageError`."""
        if all(each.kind is not WaitKind.ENTITY_LOCK for each in why.waiting_for):
            return why
        state = InstanceState(snapshot)
        explained = [await self._explained(each, state) for each in why.waiting_for]
        return msgspec.structs.replace(why, waiting_for=tuple(explained))

    async def _explained(self, waiting: WaitingFor, state: InstanceState) -> WaitingFor:
        section = state.ledger.sections.get(waiting.task_id or 0)
        if waiting.kind is not WaitKind.ENTITY_LOCK or section is None:
            return waiting
        asker = SectionKey(state.execution_id, section.request.task_id)
        obstacle = await self._in_the_way(section.request, asker)
        if obstacle is None:
            return waiting
        entity, lock = obstacle
        reason = f"'{lock.holder.instance_id}' has locked {entity} since {lock.since.isoformat()}"
        return replace(waiting, instance_id=entity, reason=reason)

    async def _in_the_way(
        self, request: history.EntityLockRequested, asker: SectionKey
    ) -> Obstacle | None:
        """Where a request waits for whose lock; None if it is on its way.

        It goes from entity to entity, so those before it are locked for its own section.
        """
        for entity in request.entities:
            snapshot = await self._parts.store.load(entity)
            lock, waiters = (None, ()) if snapshot is None else _state(snapshot)
            if lock is not None and any(key_of(each.holder) == asker for each in waiters):
                return Obstacle(entity, lock)
            if lock is None or key_of(lock.holder) != asker:
                return None
        return None

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
        lock = _state(snapshot).lock
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


def _state(snapshot: Snapshot) -> LockState:
    last = snapshot.batches[-1].batch.events[-1] if snapshot.batches else None
    lock = last.lock if isinstance(last, history.EntityCheckpoint) else None
    waiters = [
        EntityLock(holder=each.parent, since=each.timestamp)
        for each in requests_in(snapshot.inbox)
        if each.parent is not None
    ]
    return LockState(lock, tuple(waiters))
