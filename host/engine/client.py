"""The client of a hub inside a host: `bindings.DurableClient` on the engine's store and queues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from secrets import token_hex
from typing import Any, Protocol
from uuid import uuid4

import msgspec

from bindings.client import (
    DurableClient,
    OrchestrationQuery,
    OrchestrationState,
    Page,
    ReusePolicy,
    RuntimeStatus,
)
from bindings.errors import (
    FunctionNotFoundError,
    InstanceAlreadyExistsError,
    InstanceNotFoundError,
    InstanceStateError,
    InvalidArgumentError,
    TooManyWaitsError,
)
from bindings.http import HttpRequest, HttpResponse
from bindings.kinds.records import Role
from host.core import arguments, history, ids
from host.core.chain import current_history
from host.core.history import HistoryEvent, InboxEvent, Payload
from host.core.history_json import history_to_json
from host.core.records import Instance, Message, Snapshot
from host.engine.engine import Engine
from host.engine.inbox_room import InboxRoom
from host.engine.quarantine import released
from host.engine.responses import check_status_response, finished_response
from host.engine.states import state_of
from host.storage.protocol import InstanceFilter, InstancePage

MAX_PAGE_SIZE = 1000


class Links(Protocol):
    """Knows the host's URLs."""

    def management_urls(self, instance_id: str, request: HttpRequest | None) -> dict[str, str]:
        """The management URLs of an instance, by their names in Durable Functions' payload."""


class HubClient(DurableClient):
    """Everything is durable when a method returns."""

    def __init__(self, engine: Engine, links: Links) -> None:
        self._parts = engine.parts
        self._links = links
        self._room = InboxRoom(
            self._parts.store, self._parts.clock, self._parts.options.max_inbox_bytes
        )

    # ---- starting -----------------------------------------------------------------------------

    async def schedule_new_orchestration(
        self,
        orchestrator: Callable[..., Any] | str,
        *,
        input: Any = None,  # noqa: A002 - Durable Task's name for it
        instance_id: str | None = None,
        start_at: datetime | timedelta | None = None,
        version: str | None = None,
        tags: Mapping[str, str] | None = None,
        reuse: ReusePolicy = ReusePolicy.WHEN_FINISHED,
    ) -> str:
        name = self._parts.catalog.name_of(orchestrator, Role.ORCHESTRATOR)
        known = self._parts.catalog.orchestrator(name)
        read_as = known.input_type if known is not None else None
        payload = self._payload(input, f"The input of orchestrator '{name}'", read_as)
        return await self.start_with_payload(
            name, payload, instance_id, start_at=start_at, version=version, tags=tags, reuse=reuse
        )

    async def start_with_payload(
        self,
        name: str,
        payload: Payload,
        instance_id: str | None = None,
        *,
        start_at: datetime | timedelta | None = None,
        version: str | None = None,
        tags: Mapping[str, str] | None = None,
        reuse: ReusePolicy = ReusePolicy.WHEN_FINISHED,
    ) -> str:
        """Start an instance whose input is JSON text already. Raises what the other start does."""
        reuse = arguments.member(reuse, ReusePolicy, "The reuse policy")
        row = self._new_row(
            name, payload, instance_id=instance_id, version=version, tags=tags, start_at=start_at
        )
        if reuse is ReusePolicy.WHEN_FINISHED and self._parts.options.replaces_active:
            reuse = ReusePolicy.REPLACE
        await self._create(row, reuse)
        return row.instance_id

    async def restart_instance(
        self, instance_id: str, *, restart_with_new_instance_id: bool = True
    ) -> str:
        row = await self._row(instance_id)
        if restart_with_new_instance_id:
            return await self.start_with_payload(
                row.name, row.input, version=row.version, tags=row.tags
            )
        if not row.is_finished:
            raise InstanceAlreadyExistsError(instance_id, row.status)
        new = self._new_row(
            row.name,
            row.input,
            instance_id=row.instance_id,
            version=row.version,
            tags=row.tags,
        )
        # Only the run that was read: somebody may have started it again since then.
        await self._create(new, ReusePolicy.WHEN_FINISHED, replaces=row.execution_id)
        return instance_id

    # ---- looking ------------------------------------------------------------------------------

    async def get_instance(
        self, instance_id: str, *, fetch_payloads: bool = True
    ) -> OrchestrationState | None:
        row = await self.find_row(instance_id)
        return None if row is None else state_of(row, fetch_payloads=fetch_payloads)

    async def find_row(self, instance_id: str) -> Instance | None:
        """What is stored of the instance's status; its values stay JSON texts."""
        return await self._parts.store.get(arguments.text(instance_id, "An instance id"))

    async def get_instance_history(self, instance_id: str) -> list[dict[str, Any]]:
        return history_to_json(await self.history_events(instance_id))

    async def history_events(self, instance_id: str) -> tuple[HistoryEvent, ...]:
        """The current execution's events. Raises `InstanceNotFoundError`."""
        return current_history(await self._snapshot(instance_id))

    async def wait_for_instance_start(
        self, instance_id: str, *, timeout: timedelta | None = None
    ) -> OrchestrationState:
        row = await self._wait(
            instance_id, lambda row: row.status is not RuntimeStatus.PENDING, timeout
        )
        return state_of(row)

    async def wait_for_instance_completion(
        self, instance_id: str, *, timeout: timedelta | None = None
    ) -> OrchestrationState:
        return state_of(await self.wait_for_end(instance_id, timeout=timeout))

    async def wait_for_end(self, instance_id: str, *, timeout: timedelta | None = None) -> Instance:
        """Wait until the instance is finished, as clients do; its values stay JSON texts."""
        return await self._wait(instance_id, lambda row: row.is_finished, timeout)

    def check_room_for_wait(self) -> None:
        """Raise `TooManyWaitsError` if no caller more may wait: to know it before a start."""
        self._parts.waiters.check_room()

    async def query_instances(self, query: OrchestrationQuery | None = None) -> Page:
        page = await self.query_rows(query or OrchestrationQuery())
        return Page([state_of(row) for row in page.instances], page.token)

    async def query_rows(self, query: OrchestrationQuery) -> InstancePage:
        """One page of what is stored of instances; their values stay JSON texts."""
        filter_, token = _filter_of(query), query.continuation_token
        size = arguments.whole(query.page_size, "The page size", 1, MAX_PAGE_SIZE)
        page = await self._page(filter_, size, token)
        while not page.instances and page.token is not None:  # a store may look in steps
            page = await self._page(filter_, size, page.token)
        return page

    async def _page(self, filter_: InstanceFilter, size: int, token: str | None) -> InstancePage:
        return await self._parts.store.query(
            filter_, limit=size, token=token, max_bytes=self._parts.options.max_page_bytes
        )

    async def get_all_instances(
        self, query: OrchestrationQuery | None = None
    ) -> AsyncIterator[OrchestrationState]:
        filter_ = _filter_of(query or OrchestrationQuery())
        token = query.continuation_token if query else None
        while True:
            page = await self._page(filter_, MAX_PAGE_SIZE, token)
            for row in page.instances:
                yield state_of(row)
            token = page.token
            if token is None:
                return

    # ---- steering -----------------------------------------------------------------------------

    async def raise_event(self, instance_id: str, event_name: str, data: Any = None) -> None:
        payload = self._payload(data, f"The data of event '{event_name}'")
        await self.raise_event_with_payload(instance_id, event_name, payload)

    async def raise_event_with_payload(
        self, instance_id: str, event_name: str, payload: Payload
    ) -> None:
        """Send an event whose data is JSON text already. Raises what `raise_event` does."""
        name = arguments.short_text(event_name, "An event's name")
        await self._send(
            instance_id,
            history.EventRaised(timestamp=self._parts.clock.now(), name=name, input=payload),
        )

    async def terminate_instance(
        self, instance_id: str, reason: Any = None, *, recursive: bool = True
    ) -> None:
        await self._send(
            instance_id,
            history.ExecutionTerminated(
                timestamp=self._parts.clock.now(),
                reason=self._payload(reason, "The reason"),
                recursive=bool(recursive),
            ),
        )

    async def suspend_instance(self, instance_id: str, reason: str | None = "") -> None:
        why = arguments.reason(reason)
        event = history.ExecutionSuspended(timestamp=self._parts.clock.now(), reason=why)
        await self._send(instance_id, event)

    async def resume_instance(self, instance_id: str, reason: str | None = "") -> None:
        why = arguments.reason(reason)
        event = history.ExecutionResumed(timestamp=self._parts.clock.now(), reason=why)
        await self._send(instance_id, event)

    async def redrive_instance(self, instance_id: str) -> None:
        is_released = False
        while not is_released:  # another change of the row may come in between
            row = await self._row(instance_id)
            if not row.is_quarantined:
                # Somebody else may have redriven it, and died before he could hint at it.
                self._parts.hints.owe([] if row.is_finished else [instance_id], is_recovery=True)
                status = f"{row.status.value}, and it is not quarantined"
                raise InstanceStateError(instance_id, status, "redrive", finished=row.is_finished)
            new = released(row, self._parts.clock.now())
            is_released = await self._parts.store.change_row(row, new)
        await self._parts.hints.send([instance_id], is_recovery=True)

    async def check_active(self, instance_id: str) -> None:
        """Raise what an order to it would raise now: it is missing, or finished."""
        row = await self._row(instance_id)
        if row.is_finished:
            raise InstanceStateError(instance_id, row.status, "send to", finished=True)

    async def purge_instance(self, instance_id: str) -> int:
        if not await self._parts.store.purge(arguments.text(instance_id, "An instance id")):
            raise InstanceNotFoundError(instance_id)
        return 1

    async def purge_instances(self, query: OrchestrationQuery) -> int:
        filter_ = _filter_of(query)
        wanted = filter_.statuses
        filter_ = msgspec.structs.replace(
            filter_,
            statuses=frozenset(
                status
                for status in RuntimeStatus
                if status.is_finished and (not wanted or status in wanted)
            ),
        )
        if not filter_.statuses:
            return 0
        deleted, token = 0, None
        while True:
            page = await self._page(filter_, MAX_PAGE_SIZE, token)
            for row in page.instances:
                deleted += await self._parts.store.purge(row.instance_id, row.execution_id)
            token = page.token
            if token is None:
                return deleted

    # ---- HTTP helpers -------------------------------------------------------------------------

    def create_http_management_payload(
        self, instance_id: str, request: HttpRequest | None = None
    ) -> dict[str, str]:
        if request is not None:
            arguments.instance_of(request, HttpRequest, "The request")
        known = arguments.text(instance_id, "An instance id")
        return self._links.management_urls(known, request)

    def create_check_status_response(
        self, request: HttpRequest | None, instance_id: str
    ) -> HttpResponse:
        return check_status_response(self.create_http_management_payload(instance_id, request))

    async def wait_for_completion_or_create_check_status_response(
        self,
        request: HttpRequest | None,
        instance_id: str,
        timeout_in_milliseconds: int = 10_000,
        retry_interval_in_milliseconds: int = 1_000,
    ) -> HttpResponse:
        if retry_interval_in_milliseconds > timeout_in_milliseconds:
            raise InvalidArgumentError(
                f"The total timeout ({timeout_in_milliseconds} ms) must be longer than the retry "
                f"interval ({retry_interval_in_milliseconds} ms)."
            )
        try:
            state = await self.wait_for_instance_completion(
                instance_id, timeout=timedelta(milliseconds=timeout_in_milliseconds)
            )
        except (TimeoutError, TooManyWaitsError):
            return self.create_check_status_response(request, instance_id)
        return finished_response(state)

    # ---- inside -------------------------------------------------------------------------------

    def _payload(self, value: Any, what: str, read_as: Any = None) -> Payload:
        return self._parts.converter.to_payload(value, what, read_as)

    def _unknown(self, name: str) -> str:
        known = ", ".join(f"'{each}'" for each in self._parts.catalog.orchestrator_names())
        return (
            f"The function '{name}' doesn't exist, is disabled, is broken, or is not an "
            f"orchestrator function. Known orchestrator functions: {known or 'none'}."
        )

    def _new_row(
        self,
        name: str,
        payload: Payload,
        *,
        instance_id: str | None,
        version: str | None,
        tags: Mapping[str, str] | None,
        start_at: datetime | timedelta | None = None,
    ) -> Instance:
        """The row of a new instance. Raises what a start does."""
        function = self._parts.catalog.orchestrator(arguments.text(name, "A function's name"))
        if function is None:
            raise FunctionNotFoundError(self._unknown(name))
        if instance_id is not None:
            instance_id = ids.checked_instance_id(instance_id)
        now = self._parts.clock.now()
        random = token_hex(32)  # both ids from one call of the system's generator
        return Instance(
            instance_id=instance_id or random[:32],
            execution_id=random[32:],
            name=function.name,
            status=RuntimeStatus.PENDING,
            created_at=now,
            updated_at=now,
            input=payload,
            version=arguments.optional_text(version, "A version"),
            tags=arguments.tags(tags),
            scheduled_start_at=_start_time(start_at, now),
        )

    async def _create(
        self, row: Instance, reuse: ReusePolicy, *, replaces: str | None = None
    ) -> None:
        """Store a new instance, unless one is kept, and see to it that it is begun."""
        parts, instance_id = self._parts, row.instance_id
        storing = parts.store.create(row, reuse, replaces=replaces)
        try:
            if row.scheduled_start_at is None:
                is_new = await parts.hints.send_after(storing, instance_id)
            else:
                is_new = await storing
                parts.notice_alarm(row.scheduled_start_at)
        except InstanceAlreadyExistsError as refusal:
            self._hint_again(instance_id, refusal.status)
            raise
        if not is_new:
            kept = await parts.store.get(instance_id)
            self._hint_again(instance_id, kept.status if kept else None)

    def _hint_again(self, instance_id: str, status: str | None) -> None:
        """Hint at an instance that is Pending still: its first hint may have died with its host."""
        if status == RuntimeStatus.PENDING:
            self._parts.hints.owe([instance_id])

    async def _send(self, instance_id: str, event: InboxEvent) -> None:
        """Store a message, if the instance is there and active: that is for the store to say."""
        instance_id = arguments.text(instance_id, "An instance id")
        if not isinstance(event, history.ExecutionTerminated):  # the end is always let in
            await self._room.check(instance_id, event)
        message = Message(message_id=uuid4().hex, event=event)
        await self._parts.hints.send_after(
            self._parts.store.send(instance_id, message), instance_id
        )

    async def _row(self, instance_id: str) -> Instance:
        instance_id = arguments.text(instance_id, "An instance id")
        row = await self._parts.store.get(instance_id)
        if row is None:
            raise InstanceNotFoundError(instance_id)
        return row

    async def _snapshot(self, instance_id: str) -> Snapshot:
        instance_id = arguments.text(instance_id, "An instance id")
        snapshot = await self._parts.store.load(instance_id)
        if snapshot is None:
            raise InstanceNotFoundError(instance_id)
        return snapshot

    async def _wait(
        self, instance_id: str, is_there: Callable[[Instance], bool], timeout: timedelta | None
    ) -> Instance:
        instance_id = arguments.text(instance_id, "An instance id")
        async with asyncio.timeout(arguments.seconds(timeout, "The timeout")):
            read = partial(self._row, instance_id)
            with self._parts.waiters.waiting(instance_id, read) as wait:
                row = await read()
                while not is_there(row):
                    row = await wait.next()
                return row


def _start_time(start_at: datetime | timedelta | None, now: datetime) -> datetime | None:
    """When to start: aware, in UTC; None for at once."""
    if start_at is None:
        return None
    at = arguments.moment_or_delay(start_at, now, "The start time")
    return at if at > now else None


def _filter_of(query: OrchestrationQuery) -> InstanceFilter:
    """What the store is asked for. Raises `InvalidArgumentError`."""
    arguments.instance_of(query, OrchestrationQuery, "The query")
    return InstanceFilter(
        statuses=arguments.members(query.runtime_status, RuntimeStatus, "A status"),
        name=arguments.optional_text(query.name, "The name"),
        created_from=arguments.optional_moment(query.created_time_from, "The earliest time"),
        created_to=arguments.optional_moment(query.created_time_to, "The latest time"),
        id_prefix=arguments.optional_text(query.instance_id_prefix, "The prefix"),
        tags=arguments.tags(query.tags),
    )
