"""The authors' client of a hub inside a host: values in and out, over the instance manager."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec

from bindings.client import (
    SAME_INPUT,
    DurableClient,
    ImportedInstance,
    OrchestrationQuery,
    OrchestrationState,
    Page,
    ReusePolicy,
    RuntimeStatus,
    one_by_one,
)
from bindings.entities import EntityPage, EntityQuery, EntityState
from bindings.entity_calls import entity_id_of
from bindings.entity_cleaning import IDLE_ENTITY, CleanEntityStorageResult, cleaned
from bindings.entity_ids import EntityId
from bindings.entity_locks import EntityLockState, LockAsker
from bindings.errors import FunchostError
from bindings.http import RequestHead
from bindings.kinds.records import Role
from bindings.many import NewOrchestration, StartOutcome
from bindings.waiting import WaitingFor
from host.core import arguments
from host.core.history import EntityLock, Payload
from host.core.history_json import history_to_json
from host.core.records import UNCHANGED, Unchanged
from host.core.shown_names import shown_as
from host.engine import many
from host.engine.engine import Engine
from host.engine.entity_locks import Waiter
from host.engine.entity_management import Found
from host.engine.forking import WantedFork
from host.engine.starting import NewInstance
from host.engine.states import state_of


class Links(Protocol):
    """Knows the host's URLs."""

    def management_urls(self, instance_id: str, request: RequestHead | None) -> dict[str, str]:
        """The management URLs of an instance, by their names in Durable Functions' payload."""


def _holder(lock: EntityLock) -> LockAsker:
    return _asker(Waiter(lock.holder, lock.since))


def _asker(waiter: Waiter) -> LockAsker:
    asker, since, operation = waiter
    return LockAsker(
        instance_id=asker.instance_id,
        execution_id=asker.execution_id,
        since=since,
        operation=operation,
    )


@shown_as(DurableClient)
class HubClient(DurableClient):
    """Everything is durable when a method returns."""

    def __init__(self, engine: Engine, links: Links) -> None:
        self._instances = engine.instances
        self._entities = engine.instances.entities
        self._parts = engine.parts
        self._links = links

    # ---- starting -----------------------------------------------------------------------------

    async def schedule_new_orchestration(
        self,
        orchestrator: Callable[..., Any] | str,
        *more: object,
        input: Any = None,  # noqa: A002 - Durable Task's name for it
        instance_id: str | None = None,
        start_at: datetime | timedelta | None = None,
        version: str | None = None,
        tags: Mapping[str, str] | None = None,
        reuse: ReusePolicy = ReusePolicy.WHEN_FINISHED,
        debounce: timedelta | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        if more:
            raise TypeError(
                "schedule_new_orchestration takes all but the orchestrator by name: "
                "schedule_new_orchestration(orchestrator, input=..., instance_id=...)."
            )
        name, version = self._named(orchestrator, version)
        new = NewInstance(
            name=name,
            input=self._input(name, version, input),
            instance_id=instance_id,
            start_at=start_at,
            version=version,
            tags=tags,
            reuse=reuse,
            debounce=debounce,
            idempotency_key=idempotency_key,
        )
        return await self._instances.start(new)

    async def schedule_many(
        self,
        orchestrator: Callable[..., Any] | str,
        items: Iterable[NewOrchestration] | AsyncIterable[NewOrchestration],
        *,
        start_at: datetime | timedelta | None = None,
        version: str | None = None,
        tags: Mapping[str, str] | None = None,
        reuse: ReusePolicy = ReusePolicy.WHEN_FINISHED,
        debounce: timedelta | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncIterator[StartOutcome]:
        name, version = self._named(orchestrator, version)
        each = NewInstance(
            name=name,
            start_at=start_at,
            version=version,
            tags=tags,
            reuse=reuse,
            debounce=debounce,
            idempotency_key=idempotency_key,
        )
        self._instances.check_start(each)
        number = 0
        async for group in many.groups(items):
            wanted = [self._of(each, item, place) for place, item in enumerate(group, number + 1)]
            number += len(group)
            for outcome in await many.start_all(self._instances, wanted):
                if isinstance(outcome, FunchostError):
                    yield StartOutcome(error=outcome)
                else:
                    yield StartOutcome(instance_id=outcome.instance_id)

    def _of(self, new: NewInstance, item: NewOrchestration, number: int) -> many.Wanted:
        """The `number`-th of many, or what is wrong with it."""
        try:
            arguments.instance_of(item, NewOrchestration, "An item")
            new = msgspec.structs.replace(
                new,
                input=self._input(new.name, new.version, item.input),
                instance_id=item.instance_id,
                tags=arguments.tags(new.tags) | arguments.tags(item.tags),
            )
        except FunchostError as error:
            return error
        return many.numbered(new, number)

    async def restart_instance(
        self, instance_id: str, *, restart_with_new_instance_id: bool = True
    ) -> str:
        return await self._instances.restart(instance_id, with_new_id=restart_with_new_instance_id)

    # ---- looking ------------------------------------------------------------------------------

    async def get_instance(
        self, instance_id: str, *, fetch_payloads: bool = True
    ) -> OrchestrationState | None:
        row = await self._instances.find(instance_id)
        return None if row is None else state_of(row, fetch_payloads=fetch_payloads)

    async def get_instance_history(self, instance_id: str) -> list[dict[str, Any]]:
        return history_to_json(await self._instances.history(instance_id))

    async def why(self, instance_id: str) -> list[WaitingFor]:
        return list((await self._instances.why(instance_id)).waiting_for)

    async def wait_for_instance_start(
        self, instance_id: str, *, timeout: timedelta | None = None
    ) -> OrchestrationState:
        return state_of(await self._instances.wait_for_start(instance_id, timeout=timeout))

    async def wait_for_instance_completion(
        self, instance_id: str, *, timeout: timedelta | None = None
    ) -> OrchestrationState:
        return state_of(await self._instances.wait_for_end(instance_id, timeout=timeout))

    async def query_instances(self, query: OrchestrationQuery | None = None) -> Page:
        page = await self._instances.query(query or OrchestrationQuery())
        return Page([state_of(row) for row in page.instances], page.token)

    async def count_instances(
        self, query: OrchestrationQuery | None = None
    ) -> dict[RuntimeStatus, int]:
        return dict(await self._instances.count(query or OrchestrationQuery()))

    async def get_all_instances(
        self, query: OrchestrationQuery | None = None
    ) -> AsyncIterator[OrchestrationState]:
        async for row in self._instances.query_all(query or OrchestrationQuery()):
            yield state_of(row)

    # ---- steering -----------------------------------------------------------------------------

    async def raise_event(self, instance_id: str, event_name: str, data: Any = None) -> None:
        payload = self._payload(data, f"The data of event '{event_name}'")
        await self._instances.raise_event(instance_id, event_name, payload)

    async def signal_entity(
        self,
        entity_id: EntityId,
        operation: str,
        input_: Any = None,
        *,
        signal_time: datetime | timedelta | None = None,
    ) -> None:
        payload = self._payload(
            input_, f"The input of operation '{operation}' of entity '{entity_id}'"
        )
        await self._entities.signal(entity_id, operation, payload, signal_time)

    async def get_entity(self, entity_id: EntityId) -> EntityState | None:
        found = await self._entities.find(entity_id)
        return None if found is None else self._entity_state(found)

    async def query_entities(self, query: EntityQuery | None = None) -> EntityPage:
        page = await self._entities.query(query or EntityQuery())
        return EntityPage([self._entity_state(each) for each in page.entities], page.token)

    async def clean_entity_storage(
        self,
        *,
        idle_for: timedelta = IDLE_ENTITY,
        continuation_token: str | None = None,
        continue_until_complete: bool = True,
    ) -> CleanEntityStorageResult:
        async def page(token: str | None) -> CleanEntityStorageResult:
            found = await self._entities.cleaner.page(idle_for=idle_for, token=token)
            return CleanEntityStorageResult(
                empty_entities_removed=found.removed,
                entities_marked=found.marked,
                orphaned_locks_released=found.released,
                continuation_token=found.token,
                wait=found.wait,
            )

        if not continue_until_complete:
            return await page(continuation_token)
        return await cleaned(page, self._parts.clock.sleep, continuation_token)

    async def get_entity_lock(self, entity_id: EntityId) -> EntityLockState | None:
        entity_id = entity_id_of(entity_id)
        state = await self._entities.locks.state(entity_id)
        if state is None:
            return None
        return EntityLockState(
            entity_id=entity_id,
            holder=None if state.lock is None else _holder(state.lock),
            waiters=[_asker(each) for each in state.waiters],
            waiting_signals=state.signals,
        )

    async def unlock_entity(self, entity_id: EntityId, *, holder: str | None = None) -> LockAsker:
        return _holder(await self._entities.locks.unlock(entity_id, holder))

    def _entity_state(self, found: Found) -> EntityState:
        what = f"The state of entity '{found.entity_id}'"
        return EntityState(
            entity_id=found.entity_id,
            has_state=found.has_state,
            last_operation_time=found.row.updated_at,
            state=self._parts.converter.from_payload(found.state, None, what),
            waiting_reason=found.row.blocked_reason,
            locked_by=found.locked_by,
            tags=found.row.tags,
        )

    async def terminate_instance(
        self, instance_id: str, reason: Any = None, *, recursive: bool = True
    ) -> None:
        payload = self._payload(reason, "The reason")
        await self._instances.terminate(instance_id, payload, recursive=recursive)

    async def suspend_instance(
        self, instance_id: str, reason: str | None = "", *, recursive: bool = False
    ) -> None:
        await self._instances.suspend(instance_id, reason, recursive=recursive)

    async def resume_instance(
        self, instance_id: str, reason: str | None = "", *, recursive: bool = False
    ) -> None:
        await self._instances.resume(instance_id, reason, recursive=recursive)

    async def set_custom_status(self, instance_id: str, value: Any) -> None:
        payload = self._payload(value, "The custom status")
        await self._instances.set_custom_status(instance_id, payload)

    async def redrive_instance(self, instance_id: str) -> None:
        await self._instances.redrive(instance_id)

    async def rewind_instance(self, instance_id: str, reason: str | None = "") -> None:
        await self._instances.rewind(instance_id, reason)

    async def fork_instance(
        self,
        instance_id: str,
        *,
        after_event: int | None = None,
        new_instance_id: str | None = None,
        input: Any = SAME_INPUT,  # noqa: A002 - Durable Task's name for it
    ) -> str:
        given: Payload | Unchanged = UNCHANGED
        if input is not SAME_INPUT:
            given = self._payload(input, f"The input of the fork of '{instance_id}'")
        wanted = WantedFork(after_event=after_event, instance_id=new_instance_id, input=given)
        return await self._instances.fork(instance_id, wanted)

    async def export_instance(
        self, instance_id: str, *, move: bool = False
    ) -> AsyncIterator[bytes]:
        async for lines in await self._instances.export(instance_id, moves=bool(move)):
            for line in lines.splitlines(keepends=True):
                yield line

    async def export_instances(
        self,
        query: OrchestrationQuery | None = None,
        *,
        move: bool = False,
        entities: bool | None = None,
    ) -> AsyncIterator[bytes]:
        exported = self._instances.export_all(
            query or OrchestrationQuery(), moves=bool(move), entities=entities
        )
        async for lines in exported:
            for line in lines.splitlines(keepends=True):
                yield line

    async def import_instances(
        self, lines: AsyncIterable[bytes] | Iterable[bytes], *, suspended: bool = False
    ) -> AsyncIterator[ImportedInstance]:
        number = 0
        async for line in one_by_one(lines):
            number += 1
            if line.strip():
                yield await self._instances.import_line(number, line, suspended=bool(suspended))

    async def purge_instance(self, instance_id: str, *, recursive: bool = True) -> int:
        return await self._instances.purge(instance_id, recursive=recursive)

    async def purge_instances(self, query: OrchestrationQuery, *, recursive: bool = False) -> int:
        return await self._instances.purge_all(query, recursive=recursive)

    # ---- links --------------------------------------------------------------------------------

    def create_http_management_payload(
        self, instance_id: str, request: RequestHead | None = None
    ) -> dict[str, str]:
        if request is not None:
            arguments.instance_of(request, RequestHead, "The request", named="HttpRequest")
        known = arguments.text(instance_id, "An instance id")
        return self._links.management_urls(known, request)

    # ---- inside -------------------------------------------------------------------------------

    def _named(
        self, orchestrator: Callable[..., Any] | str, version: str | None
    ) -> tuple[str, str | None]:
        """The name of an orchestrator, and which version of it is meant."""
        name = self._parts.catalog.name_of(orchestrator, Role.ORCHESTRATOR)
        if version is not None:
            return name, arguments.short_text(version, "A version")
        if name is not orchestrator:
            return name, self._parts.catalog.version_of(orchestrator)
        return name, None

    def _input(self, name: str, version: str | None, value: Any) -> Payload:
        known = self._parts.catalog.orchestrator(name, version)
        read_as = known.input_type if known is not None else None
        return self._payload(value, f"The input of orchestrator '{name}'", read_as)

    def _payload(self, value: Any, what: str, read_as: Any = None) -> Payload:
        return self._parts.converter.to_payload(value, what, read_as)
