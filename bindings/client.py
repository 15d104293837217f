"""The client of a hub: start orchestrations, look at them, steer them.

Functions receive a `DurableClient` through the `orchestration_client` binding. Its methods are
asynchronous and speak to the hub's storage directly. The answers that it makes for HTTP functions
are those of Durable Functions' Python SDK, whoever the hub is reached by.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

import pydantic_core

from bindings import azure_names
from bindings.context import OrchestrationContext
from bindings.entities import EntityPage, EntityQuery, EntityState
from bindings.entity_cleaning import IDLE_ENTITY, CleanEntityStorageResult
from bindings.entity_ids import EntityId
from bindings.entity_locks import EntityLockState, LockAsker
from bindings.errors import (
    FailureDetails,
    InvalidArgumentError,
    TaskFailedError,
    TooManyWaitsError,
)
from bindings.http import HttpResponse, RequestHead
from bindings.many import NewOrchestration, StartOutcome
from bindings.typed_calls import InputOf, Orchestrator
from bindings.waiting import WaitingFor

DEFAULT_PAGE_SIZE = 100

_CHECK_AFTER_S = 10
_JSON = "application/json"

Input = TypeVar("Input")
Item = TypeVar("Item")


class SameInput(Enum):
    """The type of `SAME_INPUT`: the input stays what it is (None would be another)."""

    SAME_INPUT = "same input"


SAME_INPUT: Final = SameInput.SAME_INPUT


class RuntimeStatus(StrEnum):
    """The states of an instance, by their Durable Functions names."""

    RUNNING = "Running"
    COMPLETED = "Completed"
    CONTINUED_AS_NEW = "ContinuedAsNew"
    FAILED = "Failed"
    CANCELED = "Canceled"
    TERMINATED = "Terminated"
    PENDING = "Pending"
    SUSPENDED = "Suspended"

    @property
    def is_finished(self) -> bool:
        """Whether the instance will never run again by itself."""
        return self in _FINISHED


_FINISHED = frozenset(
    {
        RuntimeStatus.COMPLETED,
        RuntimeStatus.FAILED,
        RuntimeStatus.CANCELED,
        RuntimeStatus.TERMINATED,
    }
)


class ListOrder(StrEnum):
    """The order of a listing; the newest come first."""

    CREATED = "created"
    """By when they were created: who is there all the time is on some page (the default)."""
    UPDATED = "updated"
    """By when they changed last: who changes meanwhile moves to the front, and may be missing."""


class ReusePolicy(StrEnum):
    """What to do when the instance id of a start is already taken."""

    WHEN_FINISHED = "when_finished"
    """Replace a finished instance, refuse while it is active (the default)."""
    NEVER = "never"
    """Refuse whenever the id exists."""
    KEEP = "keep"
    """Leave the existing instance alone, whatever its state, and give back its id."""
    KEEP_ACTIVE = "keep_active"
    """Leave an active instance alone and give back its id, replace a finished one: a singleton."""
    REPLACE = "replace"
    """Replace the existing instance even while it is active."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrchestrationState:
    """The status of one instance at one moment. Times are aware, in UTC.

    `input`, `output` and `custom_status` are plain JSON values. `blocked_reason` says why an
    unfinished instance cannot go on at the moment (its function is missing, say). `is_quarantined`
    says that its code runs no more until it is redriven.
    """

    instance_id: str
    name: str
    runtime_status: RuntimeStatus
    created_at: datetime
    last_updated_at: datetime
    input: Any = None
    output: Any = None
    custom_status: Any = None
    failure_details: FailureDetails | None = None
    version: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    parent_instance_id: str | None = None
    scheduled_start_at: datetime | None = None
    blocked_reason: str | None = None
    is_quarantined: bool = False

    def raise_if_failed(self) -> None:
        """Raise `TaskFailedError` if the orchestration failed."""
        if self.runtime_status is RuntimeStatus.FAILED:
            details = self.failure_details or FailureDetails(error_type="Unknown", message="")
            raise TaskFailedError(
                f"Orchestration '{self.instance_id}' failed: {details.text}", details
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrchestrationQuery:
    """Which instances to list. Empty fields do not restrict; the time ranges are inclusive.

    `name` is one orchestrator's or several. `text` is looked for, in any case, in ids, custom
    statuses and failures. With `is_quarantined` only those that are quarantined are found. `order`
    is that of the pages.
    """

    runtime_status: Sequence[RuntimeStatus] = ()
    name: str | Sequence[str] | None = None
    created_time_from: datetime | None = None
    created_time_to: datetime | None = None
    last_updated_time_from: datetime | None = None
    last_updated_time_to: datetime | None = None
    instance_id_prefix: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    is_quarantined: bool = False
    order: ListOrder = ListOrder.CREATED
    page_size: int = DEFAULT_PAGE_SIZE
    continuation_token: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing, newest first. The last page has no continuation token."""

    items: Sequence[OrchestrationState]
    continuation_token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedInstance:
    """What became of one line of an import, by its number from 1 on.

    `status` is `imported`; or `exists`, if an instance has the id; `refused`, if the line cannot be
    taken in; `failed`, if the store was away: then it may be sent again. `error` says why.
    """

    line: int
    status: str
    instance_id: str | None = None
    error: str | None = None


class DurableClient(ABC):
    """Start, query and steer orchestration instances of one hub."""

    if not TYPE_CHECKING:  # a checker would take every slip of the pen for an attribute

        def __getattr__(self, name: str) -> Any:
            """Says of a name of Azure's packages what to write here."""
            holder = "'DurableClient' object"
            raise azure_names.missing(holder, name, azure_names.CLIENT, self)

    @overload
    async def schedule_new_orchestration(
        self,
        orchestrator: Orchestrator[Input, Any],
        *,
        input: InputOf[Input],
        instance_id: str | None = None,
        start_at: datetime | timedelta | None = None,
        version: str | None = None,
        tags: Mapping[str, str] | None = None,
        reuse: ReusePolicy = ReusePolicy.WHEN_FINISHED,
        debounce: timedelta | None = None,
        idempotency_key: str | None = None,
    ) -> str: ...

    @overload
    async def schedule_new_orchestration(
        self,
        orchestrator: Callable[[OrchestrationContext, None], Any],
        *,
        input: None = None,
        instance_id: str | None = None,
        start_at: datetime | timedelta | None = None,
        version: str | None = None,
        tags: Mapping[str, str] | None = None,
        reuse: ReusePolicy = ReusePolicy.WHEN_FINISHED,
        debounce: timedelta | None = None,
        idempotency_key: str | None = None,
    ) -> str: ...

    @overload
    async def schedule_new_orchestration(
        self,
        orchestrator: Callable[[OrchestrationContext], Any] | str,
        *,
        input: Any = None,
        instance_id: str | None = None,
        start_at: datetime | timedelta | None = None,
        version: str | None = None,
        tags: Mapping[str, str] | None = None,
        reuse: ReusePolicy = ReusePolicy.WHEN_FINISHED,
        debounce: timedelta | None = None,
        idempotency_key: str | None = None,
    ) -> str: ...

    @abstractmethod
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
        """Start an instance and give its id; it is durable when this returns.

        A start with the same id and `idempotency_key` as one before is that start, done already:
        nothing new is started, whatever became of the instance. Without an id it is derived from
        the function's name and the key.

        With `debounce` it begins when so much time went by without another such start of its id.
        Each one moves the instance that waits, and the last input counts. Once it has begun, it is
        an instance as any other: `reuse` says what becomes of the start.

        Raises `FunctionNotFoundError`, `InstanceAlreadyExistsError`, `InvalidArgumentError` (bad
        id) or `SerializationError`.
        """

    @abstractmethod
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
    ) -> AsyncIterator[StartOutcome]:
        """Start many instances of one function, and say of each in order what became of it.

        What is wrong with one is in its outcome, and the others are started all the same. The rest
        is for all of them; an item's own `tags` come before those. With an `idempotency_key` the
        same items in the same order can be started again without harm. No more than a few hundred
        items are read ahead of the outcomes that are asked for.

        Raises what is wrong with all of them, such as `FunctionNotFoundError`.
        """

    @abstractmethod
    async def get_instance(
        self, instance_id: str, *, fetch_payloads: bool = True
    ) -> OrchestrationState | None:
        """The instance's status, or None if there is none of that id."""

    @abstractmethod
    async def get_instance_history(self, instance_id: str) -> list[dict[str, Any]]:
        """The events of the current execution, oldest first, by Durable Task's names.

        Raises `InstanceNotFoundError`.
        """

    @abstractmethod
    async def why(self, instance_id: str) -> list[WaitingFor]:
        """What the instance waits for, by what is stored of it; one thing at least.

        `in_words()` of each is a sentence for people. Raises `InstanceNotFoundError`.
        """

    @abstractmethod
    async def wait_for_instance_start(
        self, instance_id: str, *, timeout: timedelta | None = None
    ) -> OrchestrationState:
        """Wait until the instance is no longer Pending. Raises `TimeoutError`."""

    @abstractmethod
    async def wait_for_instance_completion(
        self, instance_id: str, *, timeout: timedelta | None = None
    ) -> OrchestrationState:
        """Wait until the instance is finished. Raises `TimeoutError`."""

    @abstractmethod
    async def query_instances(self, query: OrchestrationQuery | None = None) -> Page:
        """One page of instances, newest first."""

    @abstractmethod
    async def count_instances(
        self, query: OrchestrationQuery | None = None
    ) -> dict[RuntimeStatus, int]:
        """How many instances a query finds, by status; a status of none is left out.

        Its page size and token do not matter. It looks at all in the query's time of creation.
        """

    @abstractmethod
    def get_all_instances(
        self, query: OrchestrationQuery | None = None
    ) -> AsyncIterator[OrchestrationState]:
        """All instances of a query, page by page."""

    @abstractmethod
    async def raise_event(self, instance_id: str, event_name: str, data: Any = None) -> None:
        """Send an external event; it is durable when this returns.

        Raises `InstanceNotFoundError`, or `InstanceStateError` if the instance is finished.
        """

    @abstractmethod
    async def signal_entity(
        self,
        entity_id: EntityId,
        operation: str,
        input_: Any = None,
        *,
        signal_time: datetime | timedelta | None = None,
    ) -> None:
        """Have an entity do something; it is durable when this returns.

        An entity that is not there yet is made. With `signal_time` it is not done before that time,
        or so much later than now. Raises `InboxFullError`.
        """

    @abstractmethod
    async def get_entity(self, entity_id: EntityId) -> EntityState | None:
        """An entity and its state; None if there is none, or it has done nothing yet."""

    @abstractmethod
    async def query_entities(self, query: EntityQuery | None = None) -> EntityPage:
        """One page of entities, the newest first."""

    @abstractmethod
    async def clean_entity_storage(
        self,
        *,
        idle_for: timedelta = IDLE_ENTITY,
        continuation_token: str | None = None,
        continue_until_complete: bool = True,
    ) -> CleanEntityStorageResult:
        """Remove what is stored of empty entities: those without a state, tags, or anything to do.

        Entities are unlocked whose lock is orphaned: nobody is in the section that had locked them.

        They must have done nothing for so long; half an hour is enough for the crash of any sender,
        who sends again what he has sent. Nothing is lost: whoever signals or calls one makes it
        anew. On AWS it takes half a minute at least. Without `continue_until_complete` one page of
        entities is looked at; the result's token goes on.
        """

    @abstractmethod
    async def get_entity_lock(self, entity_id: EntityId) -> EntityLockState | None:
        """Who has locked an entity, and who waits; None if nobody ever asked anything of it."""

    @abstractmethod
    async def unlock_entity(self, entity_id: EntityId, *, holder: str | None = None) -> LockAsker:
        """Have an entity unlocked by force; who had locked it is given.

        The orchestration goes on; its further calls of this entity raise `LockLostError`. With
        `holder` only if this instance has locked it. Raises `EntityNotLockedError`.
        """

    @abstractmethod
    async def terminate_instance(
        self, instance_id: str, reason: Any = None, *, recursive: bool = True
    ) -> None:
        """Stop the instance and, if recursive, its sub-orchestrations. Errors as `raise_event`."""

    @abstractmethod
    async def suspend_instance(
        self, instance_id: str, reason: str | None = "", *, recursive: bool = False
    ) -> None:
        """Hold the instance and, if recursive, its sub-orchestrations.

        Events and results wait until `resume_instance`. It is durable when this returns. To hold
        what is held changes nothing. Errors as `raise_event`.
        """

    @abstractmethod
    async def resume_instance(
        self, instance_id: str, reason: str | None = "", *, recursive: bool = False
    ) -> None:
        """Let a suspended instance go on and, if recursive, its sub-orchestrations.

        One that runs stays as it is. Errors as `raise_event`.
        """

    @abstractmethod
    async def set_custom_status(self, instance_id: str, value: Any) -> None:
        """Show a custom status in place of the one that is shown, until the code sets another.

        It is durable when this returns, and shown when the instance has taken it in. Errors as
        `raise_event`.
        """

    @abstractmethod
    async def redrive_instance(self, instance_id: str) -> None:
        """Try a quarantined instance anew, once its function is mended.

        Raises `InstanceNotFoundError`, or `InstanceStateError` if it is not quarantined.
        """

    @abstractmethod
    async def rewind_instance(self, instance_id: str, reason: str | None = "") -> None:
        """Have a failed instance go on from before its failure.

        Activities and sub-orchestrations that failed run again, and activities whose results were
        not recorded yet; what completed is kept. It is durable when this returns. Raises
        `InstanceNotFoundError`, or `InstanceStateError` if it has not failed.
        """

    @abstractmethod
    async def restart_instance(
        self, instance_id: str, *, restart_with_new_instance_id: bool = True
    ) -> str:
        """Start the same function with the same input again; gives the instance's id."""

    @abstractmethod
    async def fork_instance(
        self,
        instance_id: str,
        *,
        after_event: int | None = None,
        new_instance_id: str | None = None,
        input: Any = SAME_INPUT,  # noqa: A002 - Durable Task's name for it
    ) -> str:
        """Start a new instance that has another's history up to an event, and give its id.

        `after_event` counts the events of the stored history; of a failed instance it is the one
        before its first failure unless it is given. The origin may run, or be finished, and stays
        as it is. Results are kept; what has none is asked for anew. `input` replaces the input,
        from the start only (`after_event=0`).

        Raises `InstanceNotFoundError`, `InstanceAlreadyExistsError` or `InvalidArgumentError`.
        """

    @abstractmethod
    def export_instance(self, instance_id: str, *, move: bool = False) -> AsyncIterator[bytes]:
        """The instance and the children that it waits for: a line of JSON each, for an import.

        With `move` each is terminated here in the turn that follows what its line says. Raises
        `InstanceNotFoundError`, and `InstanceStateError` for a child to be moved away from its
        parent.
        """

    @abstractmethod
    def export_instances(
        self,
        query: OrchestrationQuery | None = None,
        *,
        move: bool = False,
        entities: bool | None = None,
    ) -> AsyncIterator[bytes]:
        """All instances of a query: a line of JSON each; one with an error for what is damaged.

        With `move` children go with their parents, see `export_instance`. With `entities` all
        entities come first, which stay where they are; without it they do if there is no query.
        """

    @abstractmethod
    def import_instances(
        self, lines: AsyncIterable[bytes] | Iterable[bytes], *, suspended: bool = False
    ) -> AsyncIterator[ImportedInstance]:
        """Store exported instances under their ids, and say of each line what became of it.

        Unfinished ones go on here; with `suspended` they wait until they are resumed. The next
        lines are stored as the answers are taken.
        """

    @abstractmethod
    async def purge_instance(self, instance_id: str, *, recursive: bool = True) -> int:
        """Delete a finished instance and all that is stored of it; gives how many were deleted.

        Its finished sub-orchestrations go, too, the children first, unless `recursive` is False:
        those that its last execution started. What is active stays.
        One whose row or inbox cannot be read is deleted, too: nothing else could be done with it.
        Raises `InstanceNotFoundError`, or `InstanceStateError` while the instance is active.
        """

    @abstractmethod
    async def purge_instances(self, query: OrchestrationQuery, *, recursive: bool = False) -> int:
        """Delete the finished instances that the query finds; gives how many were deleted.

        If `recursive`, their finished sub-orchestrations go, too, whether it finds those or not.
        """

    @abstractmethod
    def create_http_management_payload(
        self, instance_id: str, request: RequestHead | None = None
    ) -> dict[str, str]:
        """The management URLs of an instance, with the request's scheme and host if given."""

    def create_check_status_response(
        self, request: RequestHead | None, instance_id: str
    ) -> HttpResponse:
        """A 202 response with all management URLs, `Location` and `Retry-After`."""
        urls = self.create_http_management_payload(instance_id, request)
        headers = {
            "Location": urls["statusQueryGetUri"],
            "Retry-After": str(_CHECK_AFTER_S),
            "Cache-Control": "no-store",  # the URLs may hold what opens the instance
        }
        return HttpResponse(_to_json(urls), 202, headers, _JSON)

    async def wait_for_completion_or_create_check_status_response(
        self,
        request: RequestHead | None,
        instance_id: str,
        timeout_in_milliseconds: int = 10_000,
        retry_interval_in_milliseconds: int = 1_000,
    ) -> HttpResponse:
        """200 with the output if the instance completes in time, else the check-status response.

        A failed instance gives 500 with its status, a terminated one 200 with its status, as in
        Durable Functions' Python SDK.
        """
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
        return _finished_response(state)


async def one_by_one(items: AsyncIterable[Item] | Iterable[Item]) -> AsyncIterator[Item]:
    """The items, whichever way they come."""
    if isinstance(items, AsyncIterable):
        async for each in items:
            yield each
    else:
        for item in items:
            yield item


def state_to_json(state: OrchestrationState) -> dict[str, Any]:
    """The status body of the management API; times have whole seconds."""
    body = {
        "name": state.name,
        "instanceId": state.instance_id,
        "runtimeStatus": state.runtime_status.value,
        "input": state.input,
        "customStatus": state.custom_status,
        "output": state.output,
        "createdTime": _seconds(state.created_at),
        "lastUpdatedTime": _seconds(state.last_updated_at),
    }
    return body | {name: value for name, value in _more(state) if value}


def _more(state: OrchestrationState) -> Iterator[tuple[str, Any]]:
    """What Durable Functions does not show, and most instances do not have."""
    yield "tags", dict(state.tags)
    yield "version", state.version
    yield "parentInstanceId", state.parent_instance_id
    yield "scheduledStartTime", state.scheduled_start_at and _seconds(state.scheduled_start_at)
    yield "blockedReason", state.blocked_reason
    yield "isQuarantined", state.is_quarantined


def _finished_response(state: OrchestrationState) -> HttpResponse:
    """The output of a completed instance; the status of one that ended otherwise."""
    if state.runtime_status is RuntimeStatus.COMPLETED:
        if isinstance(state.output, str):
            return HttpResponse(state.output)
        return HttpResponse(_to_json(state.output), 200, {}, _JSON)
    status_code = 500 if state.runtime_status is RuntimeStatus.FAILED else 200
    return HttpResponse(_to_json(state_to_json(state)), status_code, {}, _JSON)


def _seconds(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _to_json(value: Any) -> str:
    return pydantic_core.to_json(value).decode()
