"""`RemoteClient`: the client of a hub for programs that are no host, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from bindings.client import (
    SAME_INPUT,
    DurableClient,
    ImportedInstance,
    OrchestrationQuery,
    OrchestrationState,
    Page,
    ReusePolicy,
    RuntimeStatus,
)
from bindings.entities import EntityPage, EntityQuery, EntityState
from bindings.entity_calls import entity_id_of
from bindings.entity_cleaning import IDLE_ENTITY, CleanEntityStorageResult, cleaned
from bindings.entity_ids import EntityId
from bindings.entity_locks import EntityLockState, LockAsker
from bindings.errors import InstanceNotFoundError, InvalidArgumentError, RemoteError
from bindings.http import RequestHead
from bindings.many import NewOrchestration, StartOutcome
from bindings.remote import answers, asking
from bindings.remote.many import Many, outcome_of
from bindings.remote.refusals import is_none_found, refusal
from bindings.remote.starting import start
from bindings.remote.transfers import ended_lines, imported_of, whole
from bindings.waiting import WaitingFor

if TYPE_CHECKING:  # it imports aiohttp
    from bindings.remote.connection import Connection

DEFAULT_TIMEOUT = timedelta(seconds=30)
DEFAULT_RETRIES = 5

_LONGEST_WAIT_S = 60.0
_AFTER_WAIT_S = 0.05
_HISTORY_PAGE = "1000"
_BEGINNINGS = 5
_LONGEST_PURGE_S = 600.0
_TOKEN = "x-ms-continuation-token"  # noqa: S105 - a header's name

_COPYING = "GET", (("move", "false"),)
_MOVING = "POST", (("move", "true"),)
"""How an export is asked for that terminates what it exports: no GET changes anything."""

_LINKS = {
    "statusQueryGetUri": "",
    "sendEventPostUri": "/raiseEvent/{eventName}",
    "terminatePostUri": "/terminate?reason={text}",
    "rewindPostUri": "/rewind?reason={text}",
    "purgeHistoryDeleteUri": "",
    "restartPostUri": "/restart",
    "suspendPostUri": "/suspend?reason={text}",
    "resumePostUri": "/resume?reason={text}",
}


class RemoteClient(DurableClient):
    """Speaks to any host of the hub, at `url`, with a `key` if it wants one: one with a role.

    A host that serves another hub than `hub`, if that is given, refuses all that is asked.

    Use it as `async with RemoteClient(url, key) as client`, or call `close` at the end; in one
    event loop. All methods are those of `DurableClient`, and raise the same errors. Besides, each
    raises `HostUnavailableError` if no host answers within `timeout`, `AccessDeniedError` for a
    wrong key, and `RemoteError` for what no host would answer.

    A request that reached nobody is sent again, up to `retries` times, with pauses from 0.1 to 2
    seconds. So is one that may have been done, or is refused because the host's store is away, if
    doing it twice is doing it once: looking, waiting, starting, suspending, resuming. A start
    without an idempotency key gets one for that.

    Times in states have whole seconds. Failures in lists have no stacks, and none the base classes
    of errors but Python's own. A function stands for its own name: pass the name itself if the app
    registers it under another.
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
        from bindings.remote.connection import Connection  # noqa: PLC0415 - it imports aiohttp

        self._host: Connection = Connection(
            url, key, timeout_s=timeout.total_seconds(), retries=retries, hub=hub
        )

    @property
    def url(self) -> str:
        """The host's address."""
        return self._host.url

    @property
    def connection(self) -> Connection:
        """For requests that the client has no method for."""
        return self._host

    async def close(self) -> None:
        """Let go of the connections to the host."""
        await self._host.close()

    async def __aenter__(self) -> Self:
        """The client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.close()

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
        debounce: timedelta | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        started = await start(
            self._host,
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
        return started.instance_id

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
        """See `DurableClient.schedule_many`. It is one request, which is not sent again."""
        many = Many(items)
        key = idempotency_key
        answers = self._host.stream(
            "POST",
            ("orchestrators", asking.name_of(orchestrator)),
            asking.new_of(start_at, version, tags, reuse, debounce),
            lines=many.lines(),
            headers=None if key is None else {"Idempotency-Key": asking.checked_key(key)},
            refusal=refusal,
        )
        async for line in answers:
            for outcome in many.outcomes(outcome_of(line, self.url)):
                yield outcome
        for outcome in many.rest():
            yield outcome
        many.check()

    async def restart_instance(
        self, instance_id: str, *, restart_with_new_instance_id: bool = True
    ) -> str:
        answer = await self._host.ask(
            "POST",
            ("instances", asking.text(instance_id, "An instance id"), "restart"),
            [("restartWithNewInstanceId", _flag(restart_with_new_instance_id))],
        )
        if answer.status != HTTPStatus.ACCEPTED:
            raise refusal(answer, instance_id)
        return answers.member_of(answer, "id", str)

    # ---- looking ------------------------------------------------------------------------------

    async def get_instance(
        self, instance_id: str, *, fetch_payloads: bool = True
    ) -> OrchestrationState | None:
        answer = await self._host.ask(
            "GET",
            ("instances", asking.text(instance_id, "An instance id")),
            [("showInput", _flag(fetch_payloads))],
            is_repeatable=True,
        )
        if answer.status in {HTTPStatus.OK, HTTPStatus.ACCEPTED}:
            return answers.state_of(answer, fetch_payloads=fetch_payloads)
        error = refusal(answer, instance_id)
        if isinstance(error, InstanceNotFoundError):
            return None
        raise error

    async def get_instance_history(self, instance_id: str) -> list[dict[str, Any]]:
        known = asking.text(instance_id, "An instance id")
        for _ in range(_BEGINNINGS):
            events = await self._history(known)
            if events is not None:
                return events
        raise RemoteError(f"'{instance_id}' begins anew faster than its history can be read.")

    async def why(self, instance_id: str) -> list[WaitingFor]:
        answer = await self._host.ask(
            "GET",
            ("instances", asking.text(instance_id, "An instance id"), "why"),
            is_repeatable=True,
        )
        if answer.status != HTTPStatus.OK:
            raise refusal(answer, instance_id)
        return answers.waits_of(answer)

    async def wait_for_instance_start(
        self, instance_id: str, *, timeout: timedelta | None = None
    ) -> OrchestrationState:
        return await self._wait(instance_id, "start", timeout)

    async def wait_for_instance_completion(
        self, instance_id: str, *, timeout: timedelta | None = None
    ) -> OrchestrationState:
        return await self._wait(instance_id, "completion", timeout)

    async def query_instances(
        self, query: OrchestrationQuery | None = None, *, fetch_payloads: bool = True
    ) -> Page:
        """One page of instances, newest first; without inputs and outputs if that is asked."""
        wanted = query or OrchestrationQuery()
        shown = _flag(fetch_payloads)
        answer = await self._host.ask(
            "GET",
            ("instances",),
            [
                *asking.filters(wanted),
                ("top", asking.page_size(wanted)),
                ("showInput", shown),
                ("showOutput", shown),
            ],
            headers=_paged(wanted.continuation_token),
            is_repeatable=True,
        )
        if answer.status != HTTPStatus.OK:
            raise refusal(answer)
        states = answers.states_of(answer)
        return Page(states, answer.headers.get(_TOKEN) or None)

    async def count_instances(
        self, query: OrchestrationQuery | None = None
    ) -> dict[RuntimeStatus, int]:
        answer = await self._host.ask(
            "GET", ("counts",), asking.filters(query or OrchestrationQuery()), is_repeatable=True
        )
        if answer.status != HTTPStatus.OK:
            raise refusal(answer)
        return answers.counts_of(answer)

    async def get_all_instances(
        self, query: OrchestrationQuery | None = None, *, fetch_payloads: bool = True
    ) -> AsyncIterator[OrchestrationState]:
        """All instances of a query, page by page; see `query_instances`."""
        wanted = replace(query or OrchestrationQuery(), page_size=asking.MAX_PAGE_SIZE)
        while True:
            page = await self.query_instances(wanted, fetch_payloads=fetch_payloads)
            for state in page.items:
                yield state
            if page.continuation_token is None:
                return
            wanted = replace(wanted, continuation_token=page.continuation_token)

    # ---- steering -----------------------------------------------------------------------------

    async def raise_event(self, instance_id: str, event_name: str, data: Any = None) -> None:
        body = asking.body_of(data, f"The data of event '{event_name}'")
        name = asking.text(event_name, "An event's name")
        await self._order(instance_id, "raiseEvent", name, body=body)

    async def signal_entity(
        self,
        entity_id: EntityId,
        operation: str,
        input_: Any = None,
        *,
        signal_time: datetime | timedelta | None = None,
    ) -> None:
        at = asking.start_time(signal_time)
        answer = await self._host.ask(
            "POST",
            asking.entity_path(entity_id),
            [
                ("op", asking.text(operation, "An operation's name")),
                *([] if at is None else [("signalTime", at)]),
            ],
            body=asking.body_of(input_, f"The input of operation '{operation}'"),
        )
        if answer.status != HTTPStatus.ACCEPTED:
            raise refusal(answer, str(entity_id))

    async def get_entity(self, entity_id: EntityId) -> EntityState | None:
        # The state alone would not tell when the entity did something last.
        entity_id = entity_id_of(entity_id)
        wanted = EntityQuery(name=entity_id.name, key=entity_id.key, include_without_state=True)
        page = await self.query_entities(wanted)
        return page.items[0] if page.items else None

    async def query_entities(self, query: EntityQuery | None = None) -> EntityPage:
        wanted = query or EntityQuery()
        answer = await self._host.ask(
            "GET",
            ("entities",)
            if wanted.name is None
            else ("entities", asking.text(wanted.name, "A name")),
            asking.entity_filters(wanted),
            headers=_paged(wanted.continuation_token),
            is_repeatable=True,
        )
        if answer.status != HTTPStatus.OK:
            raise refusal(answer)
        return EntityPage(answers.entities_of(answer), answer.headers.get(_TOKEN) or None)

    async def clean_entity_storage(
        self,
        *,
        idle_for: timedelta = IDLE_ENTITY,
        continuation_token: str | None = None,
        continue_until_complete: bool = True,
    ) -> CleanEntityStorageResult:
        idle = [("idleFor", f"{asking.idle_seconds(idle_for):f}")]

        async def page(token: str | None) -> CleanEntityStorageResult:
            answer = await self._host.ask(
                "POST", ("cleanEntityStorage",), idle, headers=_paged(token), is_repeatable=True
            )
            if answer.status != HTTPStatus.OK:
                raise refusal(answer)
            return answers.cleaned_of(answer, answer.headers.get(_TOKEN) or None)

        if not continue_until_complete:
            return await page(continuation_token)
        return await cleaned(page, asyncio.sleep, continuation_token)

    async def get_entity_lock(self, entity_id: EntityId) -> EntityLockState | None:
        path = (*asking.entity_path(entity_id), "lock")
        answer = await self._host.ask("GET", path, is_repeatable=True)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise refusal(answer, str(entity_id))
        return answers.lock_of(answer, entity_id)

    async def unlock_entity(self, entity_id: EntityId, *, holder: str | None = None) -> LockAsker:
        given = [] if holder is None else [("holder", asking.text(holder, "The holder"))]
        path = (*asking.entity_path(entity_id), "unlock")
        answer = await self._host.ask("POST", path, given)
        if answer.status != HTTPStatus.ACCEPTED:
            raise refusal(answer, str(entity_id))
        return answers.asker_of(answer)

    async def terminate_instance(
        self, instance_id: str, reason: Any = None, *, recursive: bool = True
    ) -> None:
        body = asking.body_of(reason, "The reason")
        await self._order(instance_id, "terminate", body=body, recursive=recursive)

    async def suspend_instance(
        self, instance_id: str, reason: str | None = "", *, recursive: bool = False
    ) -> None:
        body = asking.body_of(reason or None, "The reason")
        await self._order(
            instance_id, "suspend", body=body, recursive=recursive, is_repeatable=True
        )

    async def resume_instance(
        self, instance_id: str, reason: str | None = "", *, recursive: bool = False
    ) -> None:
        body = asking.body_of(reason or None, "The reason")
        await self._order(instance_id, "resume", body=body, recursive=recursive, is_repeatable=True)

    async def set_custom_status(self, instance_id: str, value: Any) -> None:
        body = asking.body_of(value, "The custom status") or b"null"
        await self._order(instance_id, "customStatus", verb="PUT", body=body)

    async def redrive_instance(self, instance_id: str) -> None:
        await self._order(instance_id, "redrive")

    async def rewind_instance(self, instance_id: str, reason: str | None = "") -> None:
        body = asking.body_of(reason or None, "The reason")
        await self._order(instance_id, "rewind", body=body)

    async def fork_instance(
        self,
        instance_id: str,
        *,
        after_event: int | None = None,
        new_instance_id: str | None = None,
        input: Any = SAME_INPUT,  # noqa: A002 - Durable Task's name for it
    ) -> str:
        wanted: dict[str, bytes] = {}
        if after_event is not None:
            wanted["afterEvent"] = asking.body_of(after_event, "The event") or b"null"
        if new_instance_id is not None:
            wanted["instanceId"] = asking.body_of(new_instance_id, "The new id") or b"null"
        if input is not SAME_INPUT:
            wanted["input"] = asking.body_of(input, "The input") or b"null"
        members = b",".join(b'"%s":%s' % (name.encode(), text) for name, text in wanted.items())
        answer = await self._host.ask(
            "POST",
            ("instances", asking.text(instance_id, "An instance id"), "fork"),
            body=b"{%s}" % members,
        )
        if answer.status != HTTPStatus.ACCEPTED:
            raise refusal(answer, instance_id)
        return answers.member_of(answer, "id", str)

    async def export_instance(
        self, instance_id: str, *, move: bool = False
    ) -> AsyncIterator[bytes]:
        path = ("instances", asking.text(instance_id, "An instance id"), "export")
        refuse = partial(refusal, instance_id=instance_id)
        verb, how = _MOVING if move else _COPYING
        lines = self._host.stream(verb, path, how, refusal=refuse)
        async for line in whole(lines, self._host.url):
            yield line

    async def export_instances(
        self,
        query: OrchestrationQuery | None = None,
        *,
        move: bool = False,
        entities: bool | None = None,
    ) -> AsyncIterator[bytes]:
        verb, how = _MOVING if move else _COPYING
        wanted = [*asking.filters(query or OrchestrationQuery()), *how]
        if entities is not None:
            wanted.append(("entities", _flag(entities)))
        lines = self._host.stream(verb, ("export",), wanted, refusal=refusal)
        async for line in whole(lines, self._host.url):
            yield line

    async def import_instances(
        self, lines: AsyncIterable[bytes] | Iterable[bytes], *, suspended: bool = False
    ) -> AsyncIterator[ImportedInstance]:
        answers = self._host.stream(
            "POST",
            ("import",),
            [("suspended", _flag(suspended))],
            lines=ended_lines(lines),
            refusal=refusal,
        )
        async for line in answers:
            yield imported_of(line)

    async def purge_instance(self, instance_id: str, *, recursive: bool = True) -> int:
        answer = await self._host.ask(
            "DELETE",
            ("instances", asking.text(instance_id, "An instance id")),
            [("recursive", _flag(recursive))],
        )
        if answer.status != HTTPStatus.OK:
            raise refusal(answer, instance_id)
        return answers.member_of(answer, "instancesDeleted", int)

    async def purge_instances(self, query: OrchestrationQuery, *, recursive: bool = False) -> int:
        # Without a status of those that can be deleted, nothing is: the host would refuse others.
        finished = [each for each in RuntimeStatus if each.is_finished]
        asked = query.runtime_status
        wanted = {asked} if isinstance(asked, str) else set(asked or finished)
        query = replace(query, runtime_status=[each for each in finished if each in wanted])
        if not query.runtime_status:
            return 0
        if query.created_time_from is None:  # the host wants it to be said
            query = replace(query, created_time_from=datetime.min)  # noqa: DTZ901 - it is UTC here
        answer = await self._host.ask(
            "DELETE",
            ("instances",),
            [*asking.filters(query), ("recursive", _flag(recursive))],
            wait_s=_LONGEST_PURGE_S,
        )
        if answer.status == HTTPStatus.NOT_FOUND and is_none_found(answer):
            return 0
        if answer.status != HTTPStatus.OK:
            raise refusal(answer)
        return answers.member_of(answer, "instancesDeleted", int)

    # ---- links --------------------------------------------------------------------------------

    def create_http_management_payload(
        self,
        instance_id: str,
        request: RequestHead | None = None,  # noqa: ARG002 - the client's own address counts
    ) -> dict[str, str]:
        """The management URLs of an instance, without keys: only a host gives links that open."""
        known = quote(asking.text(instance_id, "An instance id"), safe="")
        base = f"{self._host.base_url}/instances/{known}"
        return {"id": instance_id, **{name: f"{base}{end}" for name, end in _LINKS.items()}}

    # ---- inside -------------------------------------------------------------------------------

    async def _order(
        self,
        instance_id: str,
        *order: str,
        verb: str = "POST",
        body: bytes | None = None,
        recursive: bool | None = None,
        is_repeatable: bool = False,
    ) -> None:
        query = [] if recursive is None else [("recursive", _flag(recursive))]
        answer = await self._host.ask(
            verb,
            ("instances", asking.text(instance_id, "An instance id"), *order),
            query,
            body=body,
            is_repeatable=is_repeatable,
        )
        if answer.status != HTTPStatus.ACCEPTED:
            raise refusal(answer, instance_id)

    async def _history(self, instance_id: str) -> list[dict[str, Any]] | None:
        """The history, page by page; None if the instance began anew in the midst of it."""
        events: list[dict[str, Any]] = []
        token = ""
        while True:
            answer = await self._host.ask(
                "GET",
                ("instances", instance_id, "history"),
                [("historyTop", _HISTORY_PAGE)],
                headers=_paged(token),
                is_repeatable=True,
            )
            if answer.status == HTTPStatus.BAD_REQUEST and token:
                return None
            if answer.status != HTTPStatus.OK:
                raise refusal(answer, instance_id)
            events.extend(answers.member_of(answer, "historyEvents", list))
            token = answer.headers.get(_TOKEN, "")
            if not token:
                return events

    async def _wait(
        self, instance_id: str, what: str, timeout: timedelta | None
    ) -> OrchestrationState:
        """Wait, request after request: a host holds none for ever."""
        path = ("instances", asking.text(instance_id, "An instance id"), "wait")
        left_s, loop = asking.seconds(timeout), asyncio.get_running_loop()
        end = None if left_s is None else loop.time() + left_s
        while True:
            wait_s = _LONGEST_WAIT_S if left_s is None else min(left_s, _LONGEST_WAIT_S)
            answer = await self._host.ask(
                "POST",
                path,
                [("for", what), ("timeout", f"{wait_s:f}")],
                is_repeatable=True,
                wait_s=wait_s,
            )
            if answer.status == HTTPStatus.OK:
                return answers.state_of(answer)
            if answer.status != HTTPStatus.ACCEPTED:
                raise refusal(answer, instance_id)
            left_s = None if end is None else end - loop.time()
            if left_s is not None and left_s <= 0:
                raise TimeoutError(f"'{instance_id}' took longer than {timeout}.")
            await asyncio.sleep(_AFTER_WAIT_S)  # a host may be set to hold no request at all


def _flag(value: object) -> str:
    return "true" if value else "false"


def _paged(token: str | None) -> dict[str, str]:
    """The header that asks for the page behind the token."""
    if not token:
        return {}
    if not (token.isascii() and token.isprintable()):
        raise InvalidArgumentError("That is no continuation token.")
    return {_TOKEN: token}
