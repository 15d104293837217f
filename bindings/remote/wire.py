"""What goes over the wire: filters as a query, values as JSON, answers as states and errors.

An answer that no host of ours gives raises `RemoteError`: it may come from whatever stands between.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, TypeVar
from uuid import uuid4

import pydantic_core

from bindings.client import (
    ImportedInstance,
    ListOrder,
    OrchestrationQuery,
    OrchestrationState,
    ReusePolicy,
    RuntimeStatus,
    one_by_one,
)
from bindings.entities import EntityQuery, EntityState
from bindings.entity_cleaning import CleanEntityStorageResult
from bindings.entity_ids import EMPTY_KEY_IN_URLS, EntityId
from bindings.entity_locks import EntityLockState, LockAsker
from bindings.errors import (
    AccessDeniedError,
    ClientError,
    EntityNotLockedError,
    FailureDetails,
    FunchostError,
    FunctionNotFoundError,
    HostUnavailableError,
    InboxFullError,
    InstanceAlreadyExistsError,
    InstanceNotFoundError,
    InstanceStateError,
    InvalidArgumentError,
    NotAwaitedError,
    PayloadTooLargeError,
    RemoteError,
    SerializationError,
    TooManyWaitsError,
)
from bindings.exports import Wholeness
from bindings.many import NewOrchestration, StartOutcome
from bindings.waiting import WaitingFor, waiting_from_json

E = TypeVar("E", bound=FunchostError)
T = TypeVar("T")

MAX_PAGE_SIZE = 1000

_REUSE = {
    ReusePolicy.WHEN_FINISHED: "whenFinished",
    ReusePolicy.NEVER: "never",
    ReusePolicy.KEEP: "keep",
    ReusePolicy.KEEP_ACTIVE: "keepActive",
    ReusePolicy.REPLACE: "replace",
}
_STATE_OF = re.compile(r"Cannot .*: its status is (?P<status>.*)\.", re.DOTALL)
_STATUS_OF = re.compile(r".* with the status (?P<status>\w+) already exists\.", re.DOTALL)
_MAX_SPAN_S = 999_999_999.0
"""Longer than any host takes it, and the longest that can be written."""
_NUMBER = re.compile(r"[0-9][0-9,]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back from `origin`."""

    origin: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body's value. Raises `RemoteError`."""
        try:
            return pydantic_core.from_json(self.body)
        except ValueError as error:
            raise self.unexpected() from error

    def unexpected(self) -> RemoteError:
        """The error for an answer that says nothing of what was asked."""
        said = _said(self.body)
        return RemoteError(
            f"The host at {self.origin} answered {self.status}. "
            f"{said.get('ExceptionMessage') or said.get('Message') or ''}".rstrip(),
            self.status,
        )


# ---- what is asked ------------------------------------------------------------------------------


def text(value: object, what: str) -> str:
    """A text that can stand in a path. Raises `InvalidArgumentError`."""
    if hasattr(value, "__await__"):
        raise NotAwaitedError(f"{what} was not awaited: write await before the call.")
    if not isinstance(value, str) or not value:
        raise InvalidArgumentError(f"{what} is a text that is not empty, not {value!r:.200}.")
    if value in {".", ".."}:
        raise InvalidArgumentError(f"{what} cannot be '{value}': no path of a URL holds that.")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise InvalidArgumentError(f"{what} is not valid Unicode: {value!r:.200}.")
    return value


def name_of(orchestrator: Callable[..., Any] | str) -> str:
    """The name to start it by: a function's own. Raises `InvalidArgumentError`."""
    name = orchestrator if isinstance(orchestrator, str) else getattr(orchestrator, "__name__", "")
    return text(name, "An orchestrator's name")


def body_of(value: Any, what: str) -> bytes | None:
    """The value as JSON; None for None. Raises `SerializationError`."""
    if value is None:
        return None
    try:
        data = pydantic_core.to_json(value, inf_nan_mode="constants")
        pydantic_core.from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise SerializationError(
            f"{what} cannot be written as JSON: {error}. Use plain values, dataclasses or "
            "pydantic models."
        ) from error
    return data


def line_of(item: NewOrchestration) -> bytes:
    """One of many to start. Raises `InvalidArgumentError` and `SerializationError`."""
    if not isinstance(item, NewOrchestration):
        raise InvalidArgumentError(f"An item is a NewOrchestration, not {item!r:.200}.")
    said: dict[str, Any] = {}
    if item.instance_id is not None:
        said["instanceId"] = item.instance_id
    if item.tags:
        said["tags"] = dict(item.tags)
    line, body = body_of(said, "An item") or b"", body_of(item.input, "An item's input")
    if body is not None:
        line = line[:-1] + (b"," if said else b"") + b'"input":' + body + b"}"
    return line + b"\n"


def seconds(timeout: timedelta | None) -> float | None:
    """How long to wait; None is for ever. Raises `InvalidArgumentError`."""
    if timeout is None:
        return None
    if not isinstance(timeout, timedelta):
        raise InvalidArgumentError(f"The timeout is a timedelta, not {timeout!r:.200}.")
    return max(timeout.total_seconds(), 0.0)


def idle_seconds(idle_for: timedelta) -> float:
    """How long an entity must be idle. Raises `InvalidArgumentError`."""
    if not isinstance(idle_for, timedelta):
        raise InvalidArgumentError(
            f"How long an entity must be idle is a timedelta, not {idle_for!r:.200}."
        )
    return idle_for.total_seconds()


def start_time(start_at: datetime | timedelta | None) -> str | None:
    """A time, or so many seconds from now. Raises `InvalidArgumentError`."""
    if isinstance(start_at, timedelta):
        return f"{max(start_at.total_seconds(), 0.0):f}s"
    return None if start_at is None else moment(start_at, "The start time")


def new_of(
    start_at: datetime | timedelta | None,
    version: str | None,
    tags: Mapping[str, str] | None,
    reuse: ReusePolicy,
    debounce: timedelta | None = None,
) -> list[tuple[str, str]]:
    """What a start says in its query. Raises `InvalidArgumentError`."""
    query = [("reuse", _REUSE[_reuse_policy(reuse)])]
    if (at := start_time(start_at)) is not None:
        query.append(("startAt", at))
    if debounce is not None:
        query.append(("debounce", _debounce(debounce)))
    if version is not None:
        query.append(("version", version))
    query.extend(("tag", tag(key, value)) for key, value in (tags or {}).items())
    return query


def checked_key(key: str | None) -> str:
    """The caller's idempotency key, or one of our own, so that the start can be sent again."""
    if key is None:
        return uuid4().hex
    if not (isinstance(key, str) and 0 < len(key) <= 255 and key.isascii() and key.isprintable()):
        raise InvalidArgumentError("An idempotency key is 1 to 255 printable ASCII characters.")
    return key


def _debounce(value: object) -> str:
    if not isinstance(value, timedelta):
        raise InvalidArgumentError(f"The debounce is a timedelta, not {value!r:.200}.")
    if value <= timedelta(0):
        raise InvalidArgumentError("The debounce is longer than nothing.")
    return f"{min(value.total_seconds(), _MAX_SPAN_S):f}s"


def _reuse_policy(value: object) -> ReusePolicy:
    try:
        return ReusePolicy(str(value).lower())
    except ValueError as error:
        expected = ", ".join(ReusePolicy)
        raise InvalidArgumentError(f"The reuse policy is one of {expected}.") from error


def moment(value: object, what: str) -> str:
    """A time as ISO text; one without a zone is UTC. Raises `InvalidArgumentError`."""
    if not isinstance(value, datetime):
        raise InvalidArgumentError(f"{what} is a datetime, not {value!r:.200}.")
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()


def filters(query: OrchestrationQuery) -> Iterator[tuple[str, str]]:
    """The fields of a query string. Raises `InvalidArgumentError`."""
    if not isinstance(query, OrchestrationQuery):
        raise InvalidArgumentError(f"The query is an OrchestrationQuery, not {query!r:.200}.")
    statuses = query.runtime_status
    for status in (statuses,) if isinstance(statuses, str) else statuses or ():
        yield "runtimeStatus", str(getattr(status, "value", status))
    yield from (("name", each) for each in _names(query.name))
    for key, value in (query.tags or {}).items():
        yield "tag", tag(key, value)
    times = {
        "createdTimeFrom": query.created_time_from,
        "createdTimeTo": query.created_time_to,
        "lastUpdatedTimeFrom": query.last_updated_time_from,
        "lastUpdatedTimeTo": query.last_updated_time_to,
    }
    for name, time in times.items():
        if time is not None:
            yield name, moment(time, "A time")
    for name, each in (("instanceIdPrefix", query.instance_id_prefix), ("text", query.text)):
        if each is not None and (each or name != "text"):
            yield name, text(each, f"The {name}")
    if query.order != ListOrder.CREATED:
        yield "order", text(query.order, "The order")


def _names(value: object) -> Iterator[str]:
    if value is None:
        return
    several = (value,) if isinstance(value, str) else value
    if not isinstance(several, Sequence) or not several:
        raise InvalidArgumentError(
            f"The name is a text or a list of some, or None for all, not {value!r:.200}."
        )
    for each in several:
        name = text(each, "A name")
        if "," in name:
            raise InvalidArgumentError(
                f"No function has a comma in its name, as {name!r:.200} has."
            )
        yield name


def tag(name: object, value: object) -> str:
    """A tag as a query has it. Raises `InvalidArgumentError`."""
    key = text(name, "A tag's name")
    if ":" in key:
        raise InvalidArgumentError(f"A tag's name has no colon, as {key!r:.200} has.")
    if not isinstance(value, str):
        raise InvalidArgumentError(f"The tag '{key:.200}' is a text, not {value!r:.200}.")
    return f"{key}:{value}"


def page_size(query: OrchestrationQuery) -> str:
    """How many instances are wanted at once. Raises `InvalidArgumentError`."""
    return _size(query.page_size)


def _size(size: object) -> str:
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= MAX_PAGE_SIZE:
        raise InvalidArgumentError(f"The page size is 1 to {MAX_PAGE_SIZE}, not {size!r:.200}.")
    return str(size)


def entity_path(entity_id: EntityId) -> tuple[str, str, str]:
    """Where an entity is. Raises `InvalidArgumentError`."""
    if not isinstance(entity_id, EntityId):
        raise InvalidArgumentError(f"An entity is named by its EntityId, not {entity_id!r:.200}.")
    return "entities", entity_id.name, entity_id.key or EMPTY_KEY_IN_URLS


def entity_filters(query: EntityQuery) -> Iterator[tuple[str, str]]:
    """The fields of a query string. Raises `InvalidArgumentError`."""
    if not isinstance(query, EntityQuery):
        raise InvalidArgumentError(f"The query is an EntityQuery, not {query!r:.200}.")
    if query.key is not None:
        yield "key", query.key
    if query.key_prefix:
        yield "keyPrefix", text(query.key_prefix, "The prefix")
    times = {
        "lastOperationTimeFrom": query.last_operation_from,
        "lastOperationTimeTo": query.last_operation_to,
    }
    for name, time in times.items():
        if time is not None:
            yield name, moment(time, "A time")
    yield "fetchState", str(bool(query.include_state)).lower()
    yield "includeWithoutState", str(bool(query.include_without_state)).lower()
    if query.only_locked:
        yield "onlyLocked", "true"
    yield "top", _size(query.page_size)


# ---- what is answered ---------------------------------------------------------------------------


def state_of(answer: Answer, *, fetch_payloads: bool = True) -> OrchestrationState:
    """The status that was answered. Raises `RemoteError`."""
    return read(answer, lambda body: _state(body, fetch_payloads=fetch_payloads))


def states_of(answer: Answer, *, fetch_payloads: bool = True) -> list[OrchestrationState]:
    """The page that was answered. Raises `RemoteError`."""
    return read(answer, lambda body: [_state(each, fetch_payloads=fetch_payloads) for each in body])


def counts_of(answer: Answer) -> dict[RuntimeStatus, int]:
    """The counts that were answered. Raises `RemoteError`."""
    return read(
        answer,
        lambda body: {
            RuntimeStatus(name): int(count) for name, count in body.items() if name != "total"
        },
    )


def waits_of(answer: Answer) -> list[WaitingFor]:
    """What an instance waits for, as it was answered. Raises `RemoteError`."""
    return read(answer, lambda body: [waiting_from_json(each) for each in body["waitingFor"]])


def entities_of(answer: Answer) -> list[EntityState]:
    """The page that was answered. Raises `RemoteError`."""
    return read(answer, lambda body: [_entity(each) for each in body])


def cleaned_of(answer: Answer, token: str | None) -> CleanEntityStorageResult:
    """What came of a cleaning. Raises `RemoteError`."""
    return read(
        answer,
        lambda body: CleanEntityStorageResult(
            empty_entities_removed=int(body["emptyEntitiesRemoved"]),
            entities_marked=int(body["entitiesMarked"]),
            orphaned_locks_released=int(body["orphanedLocksReleased"]),
            continuation_token=token,
            wait=timedelta(seconds=float(body["waitInSeconds"])),
        ),
    )


def lock_of(answer: Answer, entity_id: EntityId) -> EntityLockState:
    """The lock that was answered. Raises `RemoteError`."""
    return read(
        answer,
        lambda body: EntityLockState(
            entity_id=entity_id,
            holder=_asker(body["holder"]) if body["isLocked"] else None,
            waiters=[_asker(each) for each in body["waiters"]],
        ),
    )


def asker_of(answer: Answer) -> LockAsker:
    """Who had the lock, as was answered. Raises `RemoteError`."""
    return read(answer, lambda body: _asker(body["holder"]))


def _asker(body: Mapping[str, Any]) -> LockAsker:
    return LockAsker(
        instance_id=body["instanceId"],
        execution_id=body["executionId"],
        since=datetime.fromisoformat(body["since"]),
    )


def _entity(body: Mapping[str, Any]) -> EntityState:
    return EntityState(
        entity_id=EntityId(body["entityId"]["name"], body["entityId"]["key"]),
        has_state=bool(body["hasState"]),
        last_operation_time=_time(body["lastOperationTime"]),
        state=body["state"],
        waiting_reason=body.get("waitingReason"),
        locked_by=body.get("lockedBy"),
    )


def outcome_of(line: bytes, origin: str) -> StartOutcome:
    """What became of one of many, as it was answered. Raises `RemoteError`."""
    answer = Answer(origin=origin, status=HTTPStatus.OK, headers={}, body=line)
    return read(answer, lambda body: _outcome(body, origin))


def _outcome(body: Mapping[str, Any], origin: str) -> StartOutcome:
    if "instanceId" in body:
        return StartOutcome(instance_id=str(body["instanceId"]))
    message, status = str(body["error"]), int(body["status"])
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        said = f"The host at {origin} is not available now. {message}"
        return StartOutcome(error=HostUnavailableError(said, status))
    build = _REFUSALS.get(body["type"])
    if build is None:
        return StartOutcome(error=RemoteError(message, status))
    return StartOutcome(error=build(message, "", status))


def member_of(answer: Answer, name: str, kind: type[T]) -> T:
    """A member of the object that was answered. Raises `RemoteError`."""
    value: Any = read(answer, lambda body: body[name])
    if not isinstance(value, kind):
        raise answer.unexpected()
    return value


def read(answer: Answer, reader: Callable[[Any], T]) -> T:
    """What the reader makes of the body. Raises `RemoteError` if no host would answer that."""
    body = answer.json()
    try:
        return reader(body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise answer.unexpected() from error


def _state(body: Mapping[str, Any], *, fetch_payloads: bool) -> OrchestrationState:
    failure = body.get("failureDetails")
    starts = body.get("scheduledStartTime")
    return OrchestrationState(
        instance_id=body["instanceId"],
        name=body["name"],
        runtime_status=RuntimeStatus(body["runtimeStatus"]),
        created_at=_time(body["createdTime"]),
        last_updated_at=_time(body["lastUpdatedTime"]),
        input=body["input"] if fetch_payloads else None,
        output=body["output"] if fetch_payloads else None,
        custom_status=body["customStatus"] if fetch_payloads else None,
        failure_details=None if failure is None else _failure(failure),
        version=body.get("version"),
        tags=body.get("tags") or {},
        parent_instance_id=body.get("parentInstanceId"),
        scheduled_start_at=None if starts is None else _time(starts),
        blocked_reason=body.get("blockedReason"),
    )


def _time(shown: str) -> datetime:
    return datetime.fromisoformat(shown).astimezone(UTC)


def _failure(shown: Mapping[str, Any]) -> FailureDetails:
    cause = shown.get("InnerFailure")
    return FailureDetails(
        error_type=shown["ErrorType"],
        message=shown["ErrorMessage"],
        stack_trace=shown.get("StackTrace") or "",
        cause=None if cause is None else _failure(cause),
        is_non_retriable=bool(shown.get("IsNonRetriable")),
        notes=tuple(shown.get("Notes") or ()),
        sub_failures=tuple(_failure(each) for each in shown.get("SubFailures") or ()),
        base_types=_bases_of(shown["ErrorType"]),
    )


def _bases_of(name: str) -> tuple[str, ...]:
    """The base classes of one of Python's own errors; those of others are not told."""
    kind = getattr(builtins, name, None)
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        return ()
    return tuple(each.__name__ for each in kind.__mro__[1:-1])


# ---- refusals -----------------------------------------------------------------------------------


def refusal(answer: Answer, instance_id: str = "") -> FunchostError:
    """The error that the client inside a host would have raised, or else a `RemoteError`."""
    said = _said(answer.body)
    simple = said.get("Message", "")
    message = said.get("ExceptionMessage") or simple
    known = said.get("ExceptionType", "")
    match answer.status:
        case HTTPStatus.NOT_FOUND if simple == str(InstanceNotFoundError(instance_id)):
            return InstanceNotFoundError(instance_id)
        case HTTPStatus.GONE:
            known = InstanceStateError.__name__
        case HTTPStatus.UNAUTHORIZED:
            return AccessDeniedError(
                f"The host at {answer.origin} wants a valid key.", answer.status
            )
        case HTTPStatus.FORBIDDEN:
            return AccessDeniedError(
                f"The host at {answer.origin} refuses this. {simple}".rstrip(), answer.status
            )
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return HostUnavailableError(
                f"The host at {answer.origin} is not available now. {message}".rstrip(),
                answer.status,
            )
    build = _REFUSALS.get(known)
    if build is None or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return answer.unexpected()
    return build(message, instance_id, answer.status)


def imported_of(line: bytes) -> ImportedInstance:
    """What a host says of a line of an import."""
    said = pydantic_core.from_json(line)
    return ImportedInstance(
        line=int(said["line"]),
        status=str(said.get("status", "failed")),
        instance_id=said.get("instanceId"),
        error=said.get("error"),
    )


async def ended_lines(
    lines: AsyncIterable[bytes | str] | Iterable[bytes | str],
) -> AsyncIterator[bytes]:
    """The lines, each with its end; one that was decoded is taken, too."""
    async for line in one_by_one(lines):
        data = line.encode() if isinstance(line, str) else line
        yield data if data.endswith(b"\n") else data + b"\n"


async def whole(lines: AsyncIterator[bytes], url: str) -> AsyncIterator[bytes]:
    """The lines of an export.

    Raises `HostUnavailableError` after them if the last says nothing of an end, or of another: then
    some are missing.
    """
    come, has_any = Wholeness(), False
    async for line in lines:
        has_any = True
        yield line
        try:
            come.see(line)
        except InvalidArgumentError as error:
            raise HostUnavailableError(f"That is not the whole export of {url}: {error}") from error
    if has_any and not come.is_whole:
        raise HostUnavailableError(
            f"That is not the whole export of {url}: its last line is missing. Its host, or what "
            "is between, broke off."
        )


def is_none_found(answer: Answer) -> bool:
    """Whether a 404 is a host's, which says that there was nothing to delete."""
    return _said(answer.body).get("Message", "").startswith("No finished instance")


def _said(body: bytes) -> dict[str, str]:
    """The texts of an error's body; none if no host wrote it."""
    try:
        read = pydantic_core.from_json(body)
    except ValueError:
        return {}
    if isinstance(read, str):
        return {"Message": read}
    if not isinstance(read, dict):
        return {}
    return {name: value for name, value in read.items() if isinstance(value, str)}


def _remade(kind: type[E], message: str, **members: object) -> E:
    """The error with the host's own words, which its class may not be able to say again."""
    error = kind.__new__(kind, message)
    for name, value in members.items():
        setattr(error, name, value)
    return error


def _state_error(message: str, instance_id: str, status: int) -> ClientError:
    found = _STATE_OF.fullmatch(message)
    return _remade(
        InstanceStateError,
        message,
        instance_id=instance_id,
        status=found["status"] if found else "",
        finished=status == HTTPStatus.GONE,
    )


def _exists_error(message: str, instance_id: str, _: int) -> ClientError:
    found = _STATUS_OF.fullmatch(message)
    return _remade(
        InstanceAlreadyExistsError,
        message,
        instance_id=instance_id,
        status=found["status"] if found else "",
    )


def _numbers(message: str) -> list[int]:
    return [int(each.replace(",", "")) for each in _NUMBER.findall(message)] or [0]


_REFUSALS: Mapping[str, Callable[[str, str, int], FunchostError]] = {
    "InstanceNotFoundError": lambda _message, of, _status: InstanceNotFoundError(of),
    "InstanceStateError": _state_error,
    "InstanceAlreadyExistsError": _exists_error,
    "EntityNotLockedError": lambda message, _, __: EntityNotLockedError(message),
    "FunctionNotFoundError": lambda message, _, __: FunctionNotFoundError(message),
    "InvalidArgumentError": lambda message, _, status: _remade(
        InvalidArgumentError, message, status=status
    ),
    "SerializationError": lambda message, _, __: SerializationError(message),
    "PayloadTooLargeError": lambda message, _, __: _remade(
        PayloadTooLargeError, message, size=_numbers(message)[0], limit=_numbers(message)[-1]
    ),
    "InboxFullError": lambda message, of, _: _remade(InboxFullError, message, instance_id=of),
    "TooManyWaitsError": lambda message, _, __: _remade(
        TooManyWaitsError, message, limit=_numbers(message)[0]
    ),
}
"""By the name that a host gives: what makes the error of its message, instance and status."""
