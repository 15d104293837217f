"""The manager of a hub's entities: signals them, shows them. Values are JSON texts, in and out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

import msgspec

from bindings.entities import EntityQuery
from bindings.entity_calls import entity_id_of
from bindings.entity_ids import EntityId
from bindings.errors import InvalidArgumentError
from host.core import arguments, history
from host.core.arguments import MAX_PAGE_SIZE
from host.core.history import Payload
from host.core.ids import ENTITY_MARK
from host.core.projection import told_of
from host.core.records import Instance, Message, Snapshot
from host.engine.entity_cleaning import EntityCleaner
from host.engine.entity_locks import EntityLocks
from host.engine.inbox_room import InboxRoom
from host.engine.parts import EngineParts
from host.engine.together import together
from host.storage import paging
from host.storage.protocol import InstanceFilter


class Found(NamedTuple):
    """An entity: its row, and its state if that was asked for; a state that is None is `null`."""

    row: Instance
    state: Payload = None

    @property
    def entity_id(self) -> EntityId:
        """Which one it is."""
        return EntityId.parse(self.row.instance_id)

    @property
    def has_state(self) -> bool:
        """Whether it has any."""
        return self.row.entity is not None and self.row.entity.has_state

    @property
    def locked_by(self) -> str | None:
        """The instance that has locked it, if one has."""
        return None if self.row.entity is None else self.row.entity.locked_by


class FoundPage(NamedTuple):
    """Some entities. `token` continues the listing; None on the last page."""

    entities: tuple[Found, ...]
    token: str | None


class EntityManager:
    """Everything is durable when a method returns."""

    def __init__(self, parts: EngineParts, room: InboxRoom) -> None:
        self._parts = parts
        self._room = room
        self.locks = EntityLocks(parts)
        """Who has locked which."""
        self.cleaner = EntityCleaner(parts, self.locks)

    def knows(self, entity_id: EntityId) -> bool:
        """Whether this host has the function of the entity."""
        return self._parts.entities.has(entity_id.name)

    async def signal(
        self,
        entity_id: EntityId,
        operation: str,
        payload: Payload,
        signal_time: datetime | timedelta | None = None,
        *,
        message_id: str | None = None,
    ) -> None:
        """Have an entity do something, now or not before a time.

        With the same `message_id` it is the same signal again. Raises `InboxFullError` and
        `InvalidArgumentError`.
        """
        entity_id = entity_id_of(entity_id)
        now, instance_id = self._parts.clock.now(), str(entity_id)
        event = history.EntityOperationSignaled(
            timestamp=now,
            task_id=0,
            instance_id=instance_id,
            operation=arguments.text(operation, "An operation's name", may_be_empty=True),
            input=payload,
            scheduled_at=None
            if signal_time is None
            else arguments.moment_or_delay(signal_time, now, "The time of a signal"),
        )
        await self._room.check(instance_id, event)
        message = Message(message_id=message_id or uuid4().hex, event=event)
        await self._parts.hints.send_after(
            self._parts.store.send(instance_id, message), instance_id
        )

    async def find(self, entity_id: EntityId) -> Found | None:
        """The entity with its state; None if nobody ever asked anything of it."""
        entity_id = entity_id_of(entity_id)
        snapshot = await self._parts.store.load(str(entity_id))
        return None if snapshot is None else _found(snapshot)

    async def query(self, query: EntityQuery) -> FoundPage:
        """One page of entities, the newest first. Raises `InvalidArgumentError`."""
        arguments.instance_of(query, EntityQuery, "The query")
        size = arguments.whole(query.page_size, "The page size", 1, MAX_PAGE_SIZE)
        filter_, token = _filter_of(query), query.continuation_token
        if query.key is not None:
            return await self._only(query, filter_, EntityId(query.name or "", query.key))
        while True:
            page = await self._parts.store.query(
                filter_, limit=size, token=token, max_bytes=self._parts.options.max_page_bytes
            )
            wanted = [each for row in page.instances if _is_wanted(each := Found(row), query)]
            if query.include_state:
                shown = await together([self._with_state(each) for each in wanted])
                wanted = [each for each in shown if paging.matches(filter_, each.row)]
            token = page.token
            if wanted or token is None:
                return FoundPage(tuple(wanted), token)

    async def _only(
        self, query: EntityQuery, filter_: InstanceFilter, entity_id: EntityId
    ) -> FoundPage:
        found = await self.find(entity_id)
        is_it = found is not None and _is_wanted(found, query)
        if found is None or not (is_it and paging.matches(filter_, found.row)):
            return FoundPage((), None)
        return FoundPage((found,), None)

    async def _with_state(self, found: Found) -> Found:
        snapshot = await self._parts.store.load(found.row.instance_id)
        return found if snapshot is None else _found(snapshot)


def _found(snapshot: Snapshot) -> Found:
    """What the last batch says, of which the row may know later; it may have done nothing yet."""
    last = snapshot.batches[-1].batch.events[-1] if snapshot.batches else None
    if not isinstance(last, history.EntityCheckpoint):
        return Found(snapshot.instance)
    at = max(snapshot.instance.updated_at, last.timestamp)
    row = msgspec.structs.replace(snapshot.instance, updated_at=at, **told_of(last))
    return Found(row, last.state)


def _is_wanted(found: Found, query: EntityQuery) -> bool:
    if query.only_locked and found.locked_by is None:
        return False
    return found.has_state or query.include_without_state


def _filter_of(query: EntityQuery) -> InstanceFilter:
    prefix = arguments.text(query.key_prefix, "The prefix", may_be_empty=True)
    if query.name is None and (prefix or query.key is not None):
        raise InvalidArgumentError("A key, or a prefix of keys, needs the name of the entity.")
    name = None if query.name is None else EntityId(query.name, "").name
    return InstanceFilter(
        names=frozenset() if name is None else frozenset({f"{ENTITY_MARK}{name}"}),
        id_prefix=f"{EntityId(name, '')}{prefix}" if name is not None and prefix else None,
        updated_from=arguments.end_of_range(query.last_operation_from, "The earliest time"),
        updated_to=arguments.end_of_range(query.last_operation_to, "The latest time"),
        tags=arguments.tags(query.tags),
        entities=True,
    )
