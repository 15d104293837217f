"""What a host answers, read as what the client gives.

An answer that no host of ours gives raises `RemoteError`: it may come from whatever stands between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pydantic_core

from bindings.client import OrchestrationState, RuntimeStatus
from bindings.entities import EntityState
from bindings.entity_cleaning import CleanEntityStorageResult
from bindings.entity_ids import EntityId
from bindings.entity_locks import EntityLockState, LockAsker
from bindings.errors import RemoteError
from bindings.shown_failures import failure_of
from bindings.waiting import WaitingFor, waiting_from_json

T = TypeVar("T")


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
        said = error_texts(self.body)
        return RemoteError(
            f"The host at {self.origin} answered {self.status}. "
            f"{said.get('ExceptionMessage') or said.get('Message') or ''}".rstrip(),
            self.status,
        )


def error_texts(body: bytes) -> dict[str, str]:
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
            waiting_signals=int(body.get("waitingSignals", 0)),  # older hosts do not say it
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
        operation=body.get("operation"),
    )


def _entity(body: Mapping[str, Any]) -> EntityState:
    return EntityState(
        entity_id=EntityId.parse(f"@{body['entityId']['name']}@{body['entityId']['key']}"),
        has_state=bool(body["hasState"]),
        last_operation_time=_time(body["lastOperationTime"]),
        state=body["state"],
        waiting_reason=body.get("waitingReason"),
        locked_by=body.get("lockedBy"),
        tags=body.get("tags") or {},
    )


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
        failure_details=None if failure is None else failure_of(failure),
        version=body.get("version"),
        tags=body.get("tags") or {},
        parent_instance_id=body.get("parentInstanceId"),
        scheduled_start_at=None if starts is None else _time(starts),
        blocked_reason=body.get("blockedReason"),
        is_quarantined=bool(body.get("isQuarantined")),
    )


def _time(shown: str) -> datetime:
    return datetime.fromisoformat(shown).astimezone(UTC)
