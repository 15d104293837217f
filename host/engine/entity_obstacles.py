"""What is in the way of what an instance wants of entities: a lock, a limit, a missing function.

What the instance itself has stored says only which entities it waits for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import msgspec

from bindings.entity_ids import EntityId
from bindings.waiting import WaitingFor, WaitKind
from host.core.entities.locks import SectionKey, key_of
from host.core.history import EntityLock
from host.core.history_json import time_to_json
from host.core.instance_state import InstanceState
from host.core.limits import Use
from host.core.records import Snapshot
from host.core.waiting import Why
from host.engine.entity_locks import LockState, lock_state
from host.engine.limits.entities import key_of as key_of_limit
from host.engine.parts import EngineParts
from host.errors import DamagedDataError
from host.storage.protocol import HubStore

MAX_LOOKS = 20
"""At so many entities is looked to say why one instance waits: it may call thousands at once."""
_OF_ENTITIES: Final = frozenset({WaitKind.ENTITY, WaitKind.ENTITY_LOCK})
_FREE: Final = LockState(None, ())


class Obstacle(NamedTuple):
    """What keeps a section, or a call, waiting at this entity."""

    entity: str
    reason: str


class EntityObstacles:
    """Says why instances wait for entities."""

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts

    async def explained(self, why: Why, snapshot: Snapshot) -> Why:
        """The same with what is in the way of what it wants of entities. Raises `StorageError`."""
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
            return replace(waiting, instance_id=obstacle.entity, reason=obstacle.reason)
        if waiting.kind is not WaitKind.ENTITY or waiting.instance_id is None:
            return waiting
        looked_at = await looks.at(waiting.instance_id)
        if looked_at.blocked is not None:
            return replace(waiting, reason=_without_stop(looked_at.blocked))
        use = await self._limit_in_the_way(waiting.instance_id)
        if use is None or not looked_at.has_calls:
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


class _Looks:
    """Looks at entities, at each one once, and at no more than `MAX_LOOKS`."""

    def __init__(self, store: HubStore) -> None:
        self._store = store
        self._seen: dict[str, LockState] = {}

    async def at(self, entity: str) -> LockState:
        """How it is; one at which is not looked is free."""
        if entity not in self._seen and len(self._seen) < MAX_LOOKS:
            self._seen[entity] = await self._look(entity)
        return self._seen.get(entity, _FREE)

    async def _look(self, entity: str) -> LockState:
        try:
            snapshot = await self._store.load(entity)
        except DamagedDataError as error:
            return _FREE._replace(blocked=str(error))
        return _FREE if snapshot is None else lock_state(snapshot)


def _wanted(waiting: WaitingFor, state: InstanceState) -> Sequence[str]:
    """The entities that it wants to lock, or the one that it has called."""
    if waiting.kind is WaitKind.ENTITY and waiting.instance_id is not None:
        return [waiting.instance_id]
    section = state.ledger.sections.get(waiting.task_id or 0)
    if waiting.kind is WaitKind.ENTITY_LOCK and section is not None:
        return section.request.entities
    return []


async def _in_the_way(entities: Sequence[str], asker: SectionKey, looks: _Looks) -> Obstacle | None:
    """Where it waits, and for what; None if it is on its way.

    A request goes from entity to entity, so those before it are locked for its own section.
    """
    for entity in entities:
        look = await looks.at(entity)
        if any(key_of(each.asker) == asker for each in look.waiters):
            if look.lock is not None:
                return Obstacle(entity, _locked(entity, look.lock))
            if look.blocked is not None:
                return Obstacle(entity, f"of {entity}: {_without_stop(look.blocked)}")
        if look.lock is None or key_of(look.lock.holder) != asker:
            return None
    return None


def _locked(entity: str, lock: EntityLock) -> str:
    return f"'{lock.holder.instance_id}' has locked {entity} since {time_to_json(lock.since)}"


def _without_stop(reason: str) -> str:
    """The reason as the end of a sentence."""
    return reason.removesuffix(".")
