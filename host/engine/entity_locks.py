"""Who has locked an entity, who waits for it, and the unlocking by force."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple
from uuid import uuid4

import msgspec

from bindings.entity_calls import entity_id_of
from bindings.entity_ids import EntityId
from bindings.errors import EntityNotLockedError, InstanceNotFoundError
from bindings.waiting import WaitingFor, WaitKind
from host.core import history
from host.core.entities.holders import is_orphaned, unlocks_left_by
from host.core.entities.locks import SectionKey, key_of
from host.core.history import EntityLock, HistoryEvent, ParentInstance
from host.core.history_json import time_to_json
from host.core.instance_state import InstanceState
from host.core.limits import Use
from host.core.records import Message, Snapshot
from host.core.waiting import Why
from host.engine.limits.entities import key_of as key_of_limit
from host.engine.parts import EngineParts
from host.logs import HostLog
from host.storage.protocol import HubStore

_logger = HostLog("funchost.engine")


MAX_LOOKS = 20
"""At so many entities is looked to say why one instance waits: it may call thousands at once."""


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
        entity_id = entity_id_of(entity_id)
        snapshot = await self._parts.store.load(str(entity_id))
        return None if snapshot is None else _state(snapshot)

    async def explained(self, why: Why, snapshot: Snapshot) -> Why:
        """The same with who is in the way of what it wants of entities. Raises `StorageError`."""
        if all(each.kind not in _OF_ENTITIES for each in why.waiting_for):
            return why
        state, looks = InstanceState(snapshot), _Looks(self._parts.store)
        explained = [await self._explained(each, state, looks) for each in why.waiting_for]
        return msgspec.structs.replace(why, waiting_for=tuple(explained))

    async def _explained(
        self, waiting: WaitingFor, state: InstanceState, looks: _Looks
    ) -> WaitingFor:
        asker = SectionKey(state.execution_id, waiting.task_id or 0)
        obstacle = await _in_the_way(_wanted(waiting, state), asker, looks)
        if obstacle is not None:
            entity, lock = obstacle
            since = time_to_json(lock.since)
            reason = f"'{lock.holder.instance_id}' has locked {entity} since {since}"
            return replace(waiting, instance_id=entity, reason=reason)
        if waiting.kind is not WaitKind.ENTITY or waiting.instance_id is None:
            return waiting
        use = await self._limit_in_the_way(waiting.instance_id)
        if use is None or not (await looks.at(waiting.instance_id)).has_calls:
            return waiting
        reason = f"for the operation '{waiting.name}' of '{waiting.instance_id}'"
        if state.instance_id in use.holders:
            reason += " (it has a slot of this limit itself, until it ends)"
        return replace(waiting, kind=WaitKind.LIMIT, name=use.limit, reason=reason)

    async def _limit_in_the_way(self, entity: str) -> Use | None:
        """Who uses the limit of the entity, if any wait for it: this one is among them then.

        Of one that is at work on another host nobody can tell that it is.
        """
        if self._parts.limits.entities.is_at_work(entity):
            return None
        use = self._parts.entities.limit_of(EntityId.parse(entity).name)
        if use is None:
            return None
        of = await self._parts.limits.desks.use_of(use.name, key_of_limit(entity, use))
        return of if of.waiting else None

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


# ---- who is in the way -----------------------------------------------------------------------

_OF_ENTITIES: Final = frozenset({WaitKind.ENTITY, WaitKind.ENTITY_LOCK})


class _Looks:
    """Looks at the locks of entities, at each one once, and at no more than `MAX_LOOKS`."""

    def __init__(self, store: HubStore) -> None:
        self._store = store
        self._seen: dict[str, LockState] = {}

    async def at(self, entity: str) -> LockState:
        """Its lock; that of one at which is not looked is free."""
        if entity not in self._seen and len(self._seen) < MAX_LOOKS:
            snapshot = await self._store.load(entity)
            self._seen[entity] = _FREE if snapshot is None else _state(snapshot)
        return self._seen.get(entity, _FREE)


def _wanted(waiting: WaitingFor, state: InstanceState) -> Sequence[str]:
    """The entities that it wants to lock, or the one that it has called."""
    if waiting.kind is WaitKind.ENTITY and waiting.instance_id is not None:
        return [waiting.instance_id]
    section = state.ledger.sections.get(waiting.task_id or 0)
    if waiting.kind is WaitKind.ENTITY_LOCK and section is not None:
        return section.request.entities
    return []


async def _in_the_way(entities: Sequence[str], asker: SectionKey, looks: _Looks) -> Obstacle | None:
    """Where it waits for whose lock; None if it is on its way.

    A request goes from entity to entity, so those before it are locked for its own section.
    """
    for entity in entities:
        lock, waiters, *_ = await looks.at(entity)
        if lock is not None and any(key_of(each.asker) == asker for each in waiters):
            return Obstacle(entity, lock)
        if lock is None or key_of(lock.holder) != asker:
            return None
    return None


_FREE: Final = LockState(None, ())


def _state(snapshot: Snapshot) -> LockState:
    last = snapshot.batches[-1].batch.events[-1] if snapshot.batches else None
    lock = last.lock if isinstance(last, history.EntityCheckpoint) else None
    events = [each.event for each in snapshot.inbox]
    waiters = [found for event in events if (found := _waiter(event, lock)) is not None]
    signals = [x for x in events if lock and isinstance(x, history.EntityOperationSignaled)]
    has_calls = any(isinstance(each, history.EntityOperationCalled) for each in events)
    return LockState(lock, tuple(waiters), len(signals), has_calls)


def _waiter(event: HistoryEvent, lock: EntityLock | None) -> Waiter | None:
    """Who waits with this event: while nobody has the lock, calls are about to be done."""
    match event:
        case history.EntityLockRequested(parent=ParentInstance() as asker):
            return Waiter(asker, event.timestamp)
        case history.EntityOperationCalled(parent=ParentInstance() as asker) if lock is not None:
            is_of_holder = SectionKey(asker.execution_id, event.section) == key_of(lock.holder)
            return None if is_of_holder else Waiter(asker, event.timestamp, event.operation)
    return None
