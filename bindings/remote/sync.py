"""`SyncRemoteClient`: the same as `RemoteClient`, for code without an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
)
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar

from bindings.client import (
    SAME_INPUT,
    ImportedInstance,
    OrchestrationQuery,
    OrchestrationState,
    Page,
    ReusePolicy,
    RuntimeStatus,
)
from bindings.entities import EntityPage, EntityQuery, EntityState
from bindings.entity_cleaning import IDLE_ENTITY, CleanEntityStorageResult
from bindings.entity_ids import EntityId
from bindings.entity_locks import EntityLockState, LockAsker
from bindings.many import NewOrchestration, StartOutcome
from bindings.remote.client import DEFAULT_RETRIES, DEFAULT_TIMEOUT, RemoteClient
from bindings.waiting import WaitingFor

T = TypeVar("T")


class SyncRemoteClient:
    """`RemoteClient` with plain methods: each returns when it is done, and raises the same errors.

    Use it as `with SyncRemoteClient(url, key) as client`, or call `close` at the end. Its requests
    are sent by a thread of its own, so it may be used within a running event loop (which then
    stands still meanwhile), in a notebook, and by several threads at once.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        hub: str | None = None,
        timeout: timedelta = DEFAULT_TIMEOUT,
        retries: int = DEFAULT_RETRIES,
    ) -> None:
        self._client = RemoteClient(url, key, hub=hub, timeout=timeout, retries=retries)
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        """The host's address."""
        return self._client.url

    def close(self) -> None:
        """Let go of the connections to the host, and of the thread."""
        with self._starting:
            loop, self._loop = self._loop, None
        if loop is not None:
            asyncio.run_coroutine_threadsafe(self._client.close(), loop).result()
            loop.call_soon_threadsafe(loop.stop)

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def schedule_new_orchestration(
        self,
        orchestrator: Callable[..., Any] | str,
        *,
        input: Any = None,  # noqa: A002 - Durable Task's name for it
        instance_id: str | None = None,
        start_at: datetime | timedelta | None = None,
        version: str | None = None,
        tags: Mapping[str, str] | None = None,
        reuse: ReusePolicy = ReusePolicy.WHEN_FINISHED,
        debounce: timedelta | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        """See `DurableClient.schedule_new_orchestration`."""
        return self._do(
            self._client.schedule_new_orchestration(
                orchestrator,
                input=input,
                instance_id=instance_id,
                start_at=start_at,
                version=version,
                tags=tags,
                reuse=reuse,
                debounce=debounce,
                idempotency_key=idempotency_key,
            )
        )

    def schedule_many(
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
    ) -> Iterator[StartOutcome]:
        """See `RemoteClient.schedule_many`. The items are taken by the thread that sends them."""
        outcomes = self._client.schedule_many(
            orchestrator,
            items,
            start_at=start_at,
            version=version,
            tags=tags,
            reuse=reuse,
            debounce=debounce,
            idempotency_key=idempotency_key,
        )
        return self._each(outcomes)

    def restart_instance(
        self, instance_id: str, *, restart_with_new_instance_id: bool = True
    ) -> str:
        """See `DurableClient.restart_instance`."""
        return self._do(
            self._client.restart_instance(
                instance_id, restart_with_new_instance_id=restart_with_new_instance_id
            )
        )

    def signal_entity(
        self,
        entity_id: EntityId,
        operation: str,
        input_: Any = None,
        *,
        signal_time: datetime | timedelta | None = None,
    ) -> None:
        """See `DurableClient.signal_entity`."""
        self._do(self._client.signal_entity(entity_id, operation, input_, signal_time=signal_time))

    def get_entity(self, entity_id: EntityId) -> EntityState | None:
        """See `DurableClient.get_entity`."""
        return self._do(self._client.get_entity(entity_id))

    def query_entities(self, query: EntityQuery | None = None) -> EntityPage:
        """See `DurableClient.query_entities`."""
        return self._do(self._client.query_entities(query))

    def clean_entity_storage(
        self,
        *,
        idle_for: timedelta = IDLE_ENTITY,
        continuation_token: str | None = None,
        continue_until_complete: bool = True,
    ) -> CleanEntityStorageResult:
        """See `DurableClient.clean_entity_storage`."""
        return self._do(
            self._client.clean_entity_storage(
                idle_for=idle_for,
                continuation_token=continuation_token,
                continue_until_complete=continue_until_complete,
            )
        )

    def get_entity_lock(self, entity_id: EntityId) -> EntityLockState | None:
        """See `DurableClient.get_entity_lock`."""
        return self._do(self._client.get_entity_lock(entity_id))

    def unlock_entity(self, entity_id: EntityId, *, holder: str | None = None) -> LockAsker:
        """See `DurableClient.unlock_entity`."""
        return self._do(self._client.unlock_entity(entity_id, holder=holder))

    def get_instance(
        self, instance_id: str, *, fetch_payloads: bool = True
    ) -> OrchestrationState | None:
        """See `DurableClient.get_instance`."""
        return self._do(self._client.get_instance(instance_id, fetch_payloads=fetch_payloads))

    def get_instance_history(self, instance_id: str) -> list[dict[str, Any]]:
        """See `DurableClient.get_instance_history`."""
        return self._do(self._client.get_instance_history(instance_id))

    def why(self, instance_id: str) -> list[WaitingFor]:
        """See `DurableClient.why`."""
        return self._do(self._client.why(instance_id))

    def wait_for_instance_start(
        self, instance_id: str, *, timeout: timedelta | None = None
    ) -> OrchestrationState:
        """See `DurableClient.wait_for_instance_start`."""
        return self._do(self._client.wait_for_instance_start(instance_id, timeout=timeout))

    def wait_for_instance_completion(
        self, instance_id: str, *, timeout: timedelta | None = None
    ) -> OrchestrationState:
        """See `DurableClient.wait_for_instance_completion`."""
        return self._do(self._client.wait_for_instance_completion(instance_id, timeout=timeout))

    def query_instances(
        self, query: OrchestrationQuery | None = None, *, fetch_payloads: bool = True
    ) -> Page:
        """See `RemoteClient.query_instances`."""
        return self._do(self._client.query_instances(query, fetch_payloads=fetch_payloads))

    def count_instances(self, query: OrchestrationQuery | None = None) -> dict[RuntimeStatus, int]:
        """See `DurableClient.count_instances`."""
        return self._do(self._client.count_instances(query))

    def get_all_instances(
        self, query: OrchestrationQuery | None = None, *, fetch_payloads: bool = True
    ) -> Iterator[OrchestrationState]:
        """See `RemoteClient.get_all_instances`."""
        wanted = replace(query or OrchestrationQuery(), page_size=1000)
        while True:
            page = self.query_instances(wanted, fetch_payloads=fetch_payloads)
            yield from page.items
            if page.continuation_token is None:
                return
            wanted = replace(wanted, continuation_token=page.continuation_token)

    def raise_event(self, instance_id: str, event_name: str, data: Any = None) -> None:
        """See `DurableClient.raise_event`."""
        self._do(self._client.raise_event(instance_id, event_name, data))

    def terminate_instance(
        self, instance_id: str, reason: Any = None, *, recursive: bool = True
    ) -> None:
        """See `DurableClient.terminate_instance`."""
        self._do(self._client.terminate_instance(instance_id, reason, recursive=recursive))

    def suspend_instance(
        self, instance_id: str, reason: str | None = "", *, recursive: bool = False
    ) -> None:
        """See `DurableClient.suspend_instance`."""
        self._do(self._client.suspend_instance(instance_id, reason, recursive=recursive))

    def resume_instance(
        self, instance_id: str, reason: str | None = "", *, recursive: bool = False
    ) -> None:
        """See `DurableClient.resume_instance`."""
        self._do(self._client.resume_instance(instance_id, reason, recursive=recursive))

    def set_custom_status(self, instance_id: str, value: Any) -> None:
        """See `DurableClient.set_custom_status`."""
        self._do(self._client.set_custom_status(instance_id, value))

    def redrive_instance(self, instance_id: str) -> None:
        """See `DurableClient.redrive_instance`."""
        self._do(self._client.redrive_instance(instance_id))

    def rewind_instance(self, instance_id: str, reason: str | None = "") -> None:
        """See `DurableClient.rewind_instance`."""
        self._do(self._client.rewind_instance(instance_id, reason))

    def fork_instance(
        self,
        instance_id: str,
        *,
        after_event: int | None = None,
        new_instance_id: str | None = None,
        input: Any = SAME_INPUT,  # noqa: A002 - Durable Task's name for it
    ) -> str:
        """See `DurableClient.fork_instance`."""
        return self._do(
            self._client.fork_instance(
                instance_id, after_event=after_event, new_instance_id=new_instance_id, input=input
            )
        )

    def export_instance(self, instance_id: str, *, move: bool = False) -> Iterator[bytes]:
        """See `DurableClient.export_instance`."""
        return self._each(self._client.export_instance(instance_id, move=move))

    def export_instances(
        self,
        query: OrchestrationQuery | None = None,
        *,
        move: bool = False,
        entities: bool | None = None,
    ) -> Iterator[bytes]:
        """See `DurableClient.export_instances`."""
        return self._each(self._client.export_instances(query, move=move, entities=entities))

    def import_instances(
        self, lines: AsyncIterable[bytes] | Iterable[bytes], *, suspended: bool = False
    ) -> Iterator[ImportedInstance]:
        """See `DurableClient.import_instances`."""
        return self._each(self._client.import_instances(lines, suspended=suspended))

    def purge_instance(self, instance_id: str, *, recursive: bool = True) -> int:
        """See `DurableClient.purge_instance`."""
        return self._do(self._client.purge_instance(instance_id, recursive=recursive))

    def purge_instances(self, query: OrchestrationQuery, *, recursive: bool = False) -> int:
        """See `DurableClient.purge_instances`."""
        return self._do(self._client.purge_instances(query, recursive=recursive))

    def create_http_management_payload(self, instance_id: str) -> dict[str, str]:
        """See `RemoteClient.create_http_management_payload`."""
        return self._client.create_http_management_payload(instance_id)

    def _each(self, found: AsyncIterator[T]) -> Iterator[T]:
        """One after the other, each when it is asked for."""
        while True:
            try:
                yield self._do(_next(found))
            except StopAsyncIteration:
                return

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        """Let the thread do it. What breaks off the wait, such as Ctrl-C, breaks off the work."""
        future = asyncio.run_coroutine_threadsafe(work, self._running_loop())
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=_run, args=(self._loop,), name="funchost-client", daemon=True
                ).start()
            return self._loop


async def _next(found: AsyncIterator[T]) -> T:
    return await anext(found)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    """Let the loop run until it is stopped, and close it."""
    try:
        loop.run_forever()
    finally:
        loop.close()
