"""The manager of a hub's instances: starts them, shows them, steers them, deletes them.

Values are JSON texts, in and out. Each door to it (HTTP, the authors' client) turns them into what
its own callers want. What is raised comes from `bindings.errors` or from the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from functools import partial
from uuid import uuid4

import msgspec

from bindings.client import (
    ImportedInstance,
    ListOrder,
    OrchestrationQuery,
    ReusePolicy,
    RuntimeStatus,
)
from bindings.errors import (
    InstanceAlreadyExistsError,
    InstanceNotFoundError,
    InstanceStateError,
)
from host.core import arguments, history, ids
from host.core.arguments import MAX_PAGE_SIZE
from host.core.chain import current_history
from host.core.history import HistoryEvent, InboxEvent, Payload
from host.core.records import Instance, Message
from host.core.waiting import Why, why, why_damaged
from host.engine import exporting
from host.engine.debouncing import start_or_move
from host.engine.entity_management import EntityManager
from host.engine.entity_obstacles import EntityObstacles
from host.engine.forking import WantedFork, fork_instance
from host.engine.importing import imported
from host.engine.inbox_room import InboxRoom
from host.engine.parts import EngineParts
from host.engine.purging import purge_tree
from host.engine.quarantine import released
from host.engine.rewinding import check_failed, rewind_instance
from host.engine.starting import Begun, NewInstance, begun, create, first_row
from host.engine.together import together
from host.errors import DamagedDataError
from host.storage.protocol import InstanceFilter, InstancePage

PURGED_PAGE = 250
"""How many rows a purge by filter reads at once: other reads wait meanwhile."""


class InstanceManager:
    """Everything is durable when a method returns."""

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts
        self._room = InboxRoom(parts.store, parts.clock, parts.options.max_inbox_bytes)
        self.entities = EntityManager(parts, self._room)
        self._obstacles = EntityObstacles(parts)

    # ---- starting -----------------------------------------------------------------------------

    async def start(self, new: NewInstance) -> str:
        """Start an instance and give its id. Raises as `begin` does."""
        return (await self.begin(new)).instance_id

    async def begin(self, new: NewInstance) -> Begun:
        """Start an instance, and say whether that was done before.

        What was started before with the same id and idempotency key is that start, whatever
        became of it. Raises `FunctionNotFoundError`, `InstanceAlreadyExistsError` and
        `InvalidArgumentError`.
        """
        reuse = arguments.member(new.reuse, ReusePolicy, "The reuse policy")
        row = first_row(self._parts, new)
        if reuse is ReusePolicy.WHEN_FINISHED and self._parts.options.replaces_active:
            reuse = ReusePolicy.REPLACE
        if new.debounce is not None:
            return await start_or_move(self._parts, new, row, reuse)
        created = await create(self._parts, row, reuse)
        return await begun(self._parts, row, created, is_keyed=new.idempotency_key is not None)

    def check_start(self, new: NewInstance) -> None:
        """Raise what a start of this would, as far as that is known without the store."""
        arguments.member(new.reuse, ReusePolicy, "The reuse policy")
        first_row(self._parts, new)

    async def restart(self, instance_id: str, *, with_new_id: bool) -> str:
        """Start the same function with the same input again, and give the instance's id.

        Raises `InstanceNotFoundError`, and what a start does; the old id is taken while active.
        """
        row = await self._row(instance_id)
        again = NewInstance(
            name=row.name,
            input=row.input,
            instance_id=None if with_new_id else row.instance_id,
            version=row.version,
            tags=row.tags,
        )
        if with_new_id:
            return await self.start(again)
        if not row.is_finished:
            raise InstanceAlreadyExistsError(instance_id, row.status)
        new = first_row(self._parts, again)
        # Only the run that was read: somebody may have started it again since then.
        await create(self._parts, new, ReusePolicy.WHEN_FINISHED, replaces=row.execution_id)
        return instance_id

    async def fork(self, instance_id: str, wanted: WantedFork) -> str:
        """Start a new instance with a copy of another's history up to an event; gives its id.

        Raises `InstanceNotFoundError`, `InstanceAlreadyExistsError` and `InvalidArgumentError`.
        """
        return await fork_instance(self._parts, instance_id, wanted)

    # ---- looking ------------------------------------------------------------------------------

    async def find(self, instance_id: str) -> Instance | None:
        """What is stored of the instance's status; None if there is none."""
        known = arguments.text(instance_id, "An instance id")
        return None if ids.is_entity(known) else await self._parts.store.get(known)

    async def history(self, instance_id: str) -> tuple[HistoryEvent, ...]:
        """The current execution's events. Raises `InstanceNotFoundError`."""
        instance_id = _known(instance_id)
        snapshot = await self._parts.store.load(instance_id)
        if snapshot is None:
            raise InstanceNotFoundError(instance_id)
        return current_history(snapshot)

    async def why(self, instance_id: str) -> Why:
        """What the instance waits for, from what is stored. Raises `InstanceNotFoundError`."""
        instance_id = _known(instance_id)
        try:
            snapshot = await self._parts.store.load(instance_id)
        except DamagedDataError as error:
            return why_damaged(await self._row(instance_id), str(error))
        if snapshot is None:
            raise InstanceNotFoundError(instance_id)
        found = why(snapshot, self._parts.clock.now(), self._parts.limits)
        return await self._obstacles.explained(found, snapshot)

    async def wait_for_start(
        self, instance_id: str, *, timeout: timedelta | None = None
    ) -> Instance:
        """Wait until the instance is no longer Pending. Raises `TimeoutError`."""
        return await self._wait(
            instance_id, lambda row: row.status is not RuntimeStatus.PENDING, timeout
        )

    async def wait_for_end(self, instance_id: str, *, timeout: timedelta | None = None) -> Instance:
        """Wait until the instance is finished. Raises `TimeoutError`."""
        return await self._wait(instance_id, lambda row: row.is_finished, timeout)

    def check_room_for_wait(self) -> None:
        """Raise `TooManyWaitsError` if no caller more may wait: to know it before a start."""
        self._parts.waiters.check_room()

    async def query(self, query: OrchestrationQuery) -> InstancePage:
        """One page of instances, newest first. Raises `InvalidArgumentError`."""
        filter_, token = _filter_of(query), query.continuation_token
        size = arguments.whole(query.page_size, "The page size", 1, MAX_PAGE_SIZE)
        page = await self._page(filter_, size, token)
        while not page.instances and page.token is not None:  # a store may look in steps
            page = await self._page(filter_, size, page.token)
        return page

    async def count(self, query: OrchestrationQuery) -> Mapping[RuntimeStatus, int]:
        """How many instances the query finds, by status. Raises `InvalidArgumentError`."""
        return await self._parts.store.count(_filter_of(query))

    def filter_of(self, query: OrchestrationQuery) -> InstanceFilter:
        """What the store is asked for. Raises `InvalidArgumentError`."""
        return _filter_of(query)

    async def query_all(self, query: OrchestrationQuery) -> AsyncIterator[Instance]:
        """All instances from the query's token on. Raises `InvalidArgumentError`."""
        async for page in self._pages(_filter_of(query), query.continuation_token):
            for row in page.instances:
                yield row

    # ---- steering -----------------------------------------------------------------------------
    #
    # An order is refused with `InstanceNotFoundError`, or `InstanceStateError` if the instance is
    # finished: the store says so as it stores the order.

    async def raise_event(self, instance_id: str, event_name: str, payload: Payload) -> None:
        """Send an external event. Raises `InboxFullError`, too."""
        name = arguments.short_text(event_name, "An event's name")
        await self._send(
            instance_id,
            history.EventRaised(timestamp=self._parts.clock.now(), name=name, input=payload),
        )

    async def terminate(self, instance_id: str, reason: Payload, *, recursive: bool = True) -> None:
        """Stop the instance and, if recursive, its sub-orchestrations."""
        await self._send(
            instance_id,
            history.ExecutionTerminated(
                timestamp=self._parts.clock.now(), reason=reason, recursive=bool(recursive)
            ),
        )

    async def suspend(
        self, instance_id: str, reason: str | None = "", *, recursive: bool = False
    ) -> None:
        """Hold the instance: events and results wait. Raises `InboxFullError`, too."""
        event = history.ExecutionSuspended(
            timestamp=self._parts.clock.now(),
            reason=arguments.reason(reason),
            recursive=bool(recursive),
        )
        await self._send(instance_id, event)

    async def resume(
        self, instance_id: str, reason: str | None = "", *, recursive: bool = False
    ) -> None:
        """Let a suspended instance go on. Raises `InboxFullError`, too."""
        event = history.ExecutionResumed(
            timestamp=self._parts.clock.now(),
            reason=arguments.reason(reason),
            recursive=bool(recursive),
        )
        await self._send(instance_id, event)

    async def set_custom_status(self, instance_id: str, status: Payload) -> None:
        """Show a custom status until the code sets one. Raises `InboxFullError`, too."""
        now = self._parts.clock.now()
        await self._send(instance_id, history.CustomStatusSet(timestamp=now, status=status))

    async def redrive(self, instance_id: str) -> None:
        """Try a quarantined instance, or entity, anew. Raises `InstanceStateError` if it is not."""
        is_released, known = False, arguments.text(instance_id, "An instance id")
        while not is_released:  # another change of the row may come in between
            row = await self._stored(known)
            if not row.is_quarantined:
                # Somebody else may have redriven it, and died before he could hint at it.
                self._parts.hints.owe([] if row.is_finished else [instance_id], is_recovery=True)
                status = f"{row.status.value}, and it is not quarantined"
                raise InstanceStateError(instance_id, status, "redrive", finished=row.is_finished)
            new = released(row, self._parts.clock.now())
            is_released = await self._parts.store.change_row(row, new)
        await self._parts.hints.send([instance_id], is_recovery=True)

    async def rewind(self, instance_id: str, reason: str | None = "") -> None:
        """Have a failed instance go on: what failed runs again, what completed is kept.

        Raises `InstanceStateError` if it has not failed.
        """
        known = _known(instance_id)
        await rewind_instance(self._parts, known, arguments.reason(reason))

    async def rewind_for(
        self, instance_id: str, reason: str, *, cause: str, run_id: str | None
    ) -> None:
        """The same once for a cause, which is an id of the caller's, and for this run only."""
        await rewind_instance(self._parts, instance_id, reason, cause=cause, run_id=run_id)

    async def order(
        self, instance_id: str, event: InboxEvent, *, message_id: str, run_id: str | None
    ) -> None:
        """Send an order under an id of the caller's: with the same id it is the same order again.

        `run_id`: the run that is meant, and no later one; `InstanceNotFoundError` if it is gone.
        """
        await self._send(instance_id, event, message_id=message_id, of=run_id)

    async def check_active(self, instance_id: str) -> None:
        """Raise what an order to it would raise now: it is missing, or finished."""
        row = await self._row(instance_id)
        if row.is_finished:
            raise InstanceStateError(instance_id, row.status, "send to", finished=True)

    async def check_failed(self, instance_id: str) -> None:
        """Raise what a rewind of it would raise now: it is missing, or has not failed."""
        check_failed(await self._row(instance_id))

    # ---- deleting -----------------------------------------------------------------------------

    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        """Delete a finished instance, and give how many were deleted.

        If it is recursive, those sub-orchestrations go first that are finished. One whose row or
        inbox cannot be read is deleted, too. Raises `InstanceNotFoundError`, or
        `InstanceStateError` while it is active.
        """
        known, store = _known(instance_id), self._parts.store
        deleted = await purge_tree(store, known) if recursive else int(await store.purge(known))
        if not deleted:
            raise InstanceNotFoundError(instance_id)
        return deleted

    async def purge_all(self, query: OrchestrationQuery, *, recursive: bool = False) -> int:
        """Delete the finished instances that the query finds, and give how many were deleted.

        If it is recursive, so are their finished sub-orchestrations, whether it finds those or not.
        """
        filter_ = _filter_of(query)
        wanted = filter_.statuses
        finished = frozenset(
            status
            for status in RuntimeStatus
            if status.is_finished and (not wanted or status in wanted)
        )
        if not finished:
            return 0
        deleted = 0
        found = self._pages(msgspec.structs.replace(filter_, statuses=finished), None, PURGED_PAGE)
        async for page in found:
            purges = [self._purge_found(row, recursive=recursive) for row in page.instances]
            deleted += sum(await together(purges))
        return deleted

    async def _purge_found(self, row: Instance, *, recursive: bool) -> int:
        """Delete what was found finished, unless it was started anew or goes on since then."""
        store, instance_id = self._parts.store, row.instance_id
        try:
            if recursive:
                return await purge_tree(store, instance_id, row.execution_id)
            return int(await store.purge(instance_id, row.execution_id))
        except InstanceStateError:
            return 0

    # ---- from hub to hub ----------------------------------------------------------------------

    async def export(self, instance_id: str, *, moves: bool = False) -> AsyncIterator[bytes]:
        """The instance and the children that it waits for, as lines of JSON.

        With `moves` each is terminated here in the turn that follows. Raises
        `InstanceNotFoundError`, and `InstanceStateError` for a child that is waited for here.
        """
        row = await self._row(instance_id)
        if moves:
            await exporting.check_can_move(self._parts, row)
        tree = exporting.export_tree(self._parts, row.instance_id, moves=moves)
        return exporting.ended(tree)

    def export_all(
        self, query: OrchestrationQuery, *, moves: bool = False, entities: bool | None = None
    ) -> AsyncIterator[bytes]:
        """What the query finds, as lines of JSON, some at a time. Raises `InvalidArgumentError`.

        With `moves` children go with the parents that wait for them, and not by themselves. With
        `entities` all of these come first; None is yes if the query restricts nothing.
        """
        filter_ = _filter_of(query)
        found = exporting.export_pages(
            self._parts, self._pages(filter_, query.continuation_token), moves=moves
        )
        is_all = filter_.by_creation() == InstanceFilter() and query.continuation_token is None
        if not (is_all if entities is None else entities):
            return exporting.ended(found)
        first = self._pages(InstanceFilter(entities=True), None)
        return exporting.ended(
            exporting.one_after_the_other(
                exporting.export_pages(self._parts, first, moves=False), found
            )
        )

    async def import_line(
        self, number: int, line: bytes, *, suspended: bool = False
    ) -> ImportedInstance:
        """Plant the instance that a line is of, suspended if that is asked."""
        return await imported(self._parts, number, line, is_held=suspended)

    # ---- inside -------------------------------------------------------------------------------

    async def _send(
        self,
        instance_id: str,
        event: InboxEvent,
        *,
        message_id: str | None = None,
        of: str | None = None,
    ) -> None:
        """Store a message, if the instance is there and active: that is for the store to say."""
        instance_id = _known(instance_id)
        if not isinstance(event, history.ExecutionTerminated):  # the end is always let in
            await self._room.check(instance_id, event)
        message = Message(message_id=message_id or uuid4().hex, event=event)
        await self._parts.hints.send_after(
            self._parts.store.send(instance_id, message, of=of), instance_id
        )

    async def _row(self, instance_id: str) -> Instance:
        return await self._stored(_known(instance_id))

    async def _stored(self, instance_id: str) -> Instance:
        row = await self._parts.store.get(instance_id)
        if row is None:
            raise InstanceNotFoundError(instance_id)
        return row

    async def _page(self, filter_: InstanceFilter, size: int, token: str | None) -> InstancePage:
        return await self._parts.store.query(
            filter_, limit=size, token=token, max_bytes=self._parts.options.max_page_bytes
        )

    async def _pages(
        self, filter_: InstanceFilter, token: str | None, size: int = MAX_PAGE_SIZE
    ) -> AsyncIterator[InstancePage]:
        while True:
            page = await self._page(filter_, size, token)
            yield page
            token = page.token
            if token is None:
                return

    async def _wait(
        self, instance_id: str, is_there: Callable[[Instance], bool], timeout: timedelta | None
    ) -> Instance:
        instance_id = _known(instance_id)
        async with asyncio.timeout(arguments.seconds(timeout, "The timeout")):
            read = partial(self._row, instance_id)
            wait = self._parts.waiters.begin(instance_id, is_there, read)
            try:
                row = await read()
                return row if is_there(row) else await wait.end()
            finally:
                self._parts.waiters.end(wait)


def _known(instance_id: str) -> str:
    """The id of an orchestration. An entity is none: it takes signals, and no orders."""
    if ids.is_entity(known := arguments.text(instance_id, "An instance id")):
        raise InstanceNotFoundError(known)
    return known


def _filter_of(query: OrchestrationQuery) -> InstanceFilter:
    """What the store is asked for. Raises `InvalidArgumentError`."""
    arguments.instance_of(query, OrchestrationQuery, "The query")
    return InstanceFilter(
        statuses=arguments.members(query.runtime_status, RuntimeStatus, "A status"),
        names=arguments.names(query.name, "The name"),
        created_from=arguments.end_of_range(query.created_time_from, "The earliest time"),
        created_to=arguments.end_of_range(query.created_time_to, "The latest time"),
        updated_from=arguments.end_of_range(query.last_updated_time_from, "The earliest time"),
        updated_to=arguments.end_of_range(query.last_updated_time_to, "The latest time"),
        id_prefix=arguments.optional_text(query.instance_id_prefix, "The prefix"),
        tags=arguments.tags(query.tags),
        text=arguments.optional_text(query.text or None, "The text"),
        is_quarantined=bool(query.is_quarantined),
        order=arguments.member(query.order, ListOrder, "The order"),
    )
