"""What is to be told outside of the hub of an instance: that it started, ended, was quarantined.

A notice follows from a batch as messages do: doing the batch's effects again gives the same notice
under the same id. A rewind and a continue-as-new are neither a start nor an end, and who goes on
after one of them does not start again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from bindings.client import RuntimeStatus
from host.core import history, ids
from host.core.history import Payload
from host.core.ledger import Ledger
from host.core.records import Instance, Notice, NoticeKind

NO_NOTICES: Final[frozenset[NoticeKind]] = frozenset()
MAX_REASON = 500
"""So many characters of a reason are told: with them most notices are below a kilobyte."""

_BY_STATUS = {
    RuntimeStatus.COMPLETED: NoticeKind.COMPLETED,
    RuntimeStatus.FAILED: NoticeKind.FAILED,
    RuntimeStatus.TERMINATED: NoticeKind.TERMINATED,
    RuntimeStatus.CANCELED: NoticeKind.TERMINATED,
}


def notices_of(
    row: Instance,
    ledger: Ledger,
    events: Sequence[history.HistoryEvent],
    wanted: frozenset[NoticeKind],
) -> tuple[Notice, ...]:
    """What is to be told because of the events of one batch, which `ledger` has taken in."""
    found: list[Notice] = []
    if NoticeKind.STARTED in wanted and not ledger.rewinds and _has_start(events):
        found.append(
            Notice(
                notice_id=_id_in(row, ledger, NoticeKind.STARTED, events[0].timestamp),
                kind=NoticeKind.STARTED,
                at=events[0].timestamp,
                instance_id=row.instance_id,
                name=row.name,
                status=RuntimeStatus.RUNNING,
            )
        )
    end = events[-1] if events else None
    if isinstance(end, history.ExecutionCompleted) and _BY_STATUS[end.status] in wanted:
        kind = _BY_STATUS[end.status]
        found.append(
            Notice(
                notice_id=_id_in(row, ledger, kind, end.timestamp),
                kind=kind,
                at=end.timestamp,
                instance_id=row.instance_id,
                name=row.name,
                status=end.status,
                reason=_reason_of(end),
            )
        )
    return tuple(found)


def notice_of_row(row: Instance, kind: NoticeKind, reason: str | None, *, seen: Instance) -> Notice:
    """What a change of the row alone tells: no turn says it.

    Whoever makes the same change of the row that was `seen` again, later, tells the same.
    """
    moment = f"{seen.last_number}@{seen.updated_at.isoformat()}"
    return Notice(
        notice_id=ids.notice_id(row.instance_id, row.execution_id, moment, kind),
        kind=kind,
        at=row.updated_at,
        instance_id=row.instance_id,
        name=row.name,
        status=row.status,
        reason=None if reason is None else _cut(reason),
    )


def reason_in(payload: Payload) -> str | None:
    """What was given as a reason, as a text: any other JSON as it is written."""
    if payload is None:
        return None
    try:
        value = msgspec.json.decode(payload)
    except msgspec.DecodeError:
        value = None
    return _cut(value if isinstance(value, str) else payload)


def _id_in(row: Instance, ledger: Ledger, kind: NoticeKind, at: datetime) -> str:
    # A start with a key, after a purge, has the execution of before: the time tells the two apart.
    moment = f"{ledger.next_number - 1}@{at.isoformat()}"
    return ids.notice_id(row.instance_id, ledger.execution_id, moment, kind)


def _has_start(events: Sequence[history.HistoryEvent]) -> bool:
    """Whether a run begins in them; whom the same turn terminates has run nothing."""
    found = any(type(x) is history.ExecutionStarted and not x.generation for x in events)
    return found and not any(type(x) is history.ExecutionTerminated for x in events)


def _reason_of(end: history.ExecutionCompleted) -> str | None:
    if end.failure is not None:
        return _cut(end.failure.text)
    return None if end.status is RuntimeStatus.COMPLETED else reason_in(end.result)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"
