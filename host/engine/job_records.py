"""Jobs as they are stored: an action on every instance that a filter finds, page by page.

Rules of this file: pure. A job's *page* is written down before anything is done to those on it,
and counted with the write that puts the next page in its place. So whoever takes a job over
does a page again whose host vanished, and each instance of it counts once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from uuid import uuid4

import msgspec

from bindings.client import RuntimeStatus
from bindings.errors import InvalidArgumentError
from host.core.history import Payload
from host.core.records import Instance
from host.storage import rules
from host.storage.protocol import InstanceFilter

KEPT = timedelta(days=7)
"""How long a job is kept that is over."""
MAX_SHOWN = 10
"""So many failures are kept with their reasons."""
_MAX_REASON = 300
_JOB_ID = re.compile(r"[0-9]{16}[0-9a-f]{12}", re.ASCII)
_LATEST = 10**16 - 1


class JobAction(Enum):
    """What a job does to each instance."""

    TERMINATE = "terminate"
    SUSPEND = "suspend"
    RESUME = "resume"
    REWIND = "rewind"
    PURGE = "purge"
    REDRIVE = "redrive"


class JobState(Enum):
    """Whether a job goes on."""

    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


_FINISHED = frozenset(status for status in RuntimeStatus if status.is_finished)
APPLIES_TO: Mapping[JobAction, frozenset[RuntimeStatus]] = {
    JobAction.TERMINATE: frozenset(RuntimeStatus) - _FINISHED,
    JobAction.SUSPEND: frozenset({RuntimeStatus.PENDING, RuntimeStatus.RUNNING}),
    JobAction.RESUME: frozenset({RuntimeStatus.SUSPENDED}),
    JobAction.REWIND: frozenset({RuntimeStatus.FAILED}),
    JobAction.PURGE: _FINISHED,
    JobAction.REDRIVE: frozenset(RuntimeStatus) - _FINISHED,
}
"""Which instances a job is about: those that are in no such state are not matched."""


class Chosen(msgspec.Struct, frozen=True, array_like=True):
    """One instance on a page, and the run of it that is meant."""

    instance_id: str
    execution_id: str
    run_id: str


class JobFailure(msgspec.Struct, frozen=True, array_like=True):
    """An instance that a job could do nothing to, and why."""

    instance_id: str
    reason: str


class Counted(msgspec.Struct, frozen=True):
    """What came of a page."""

    done: int = 0
    failures: tuple[JobFailure, ...] = ()


class Job(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One job. `matched` are all on its pages so far: each is done, failed, or on `page` still."""

    job_id: str
    action: JobAction
    filter: InstanceFilter
    created_at: datetime
    reason: Payload = None
    recursive: bool = False
    state: JobState = JobState.RUNNING
    is_cancelling: bool = False
    """Somebody cancelled it: the page is finished, and no other follows."""
    matched: int = 0
    done: int = 0
    failed: int = 0
    failures: tuple[JobFailure, ...] = ()
    """The first of those that failed."""
    page: tuple[Chosen, ...] = ()
    token: str | None = None
    """Where the page after this one begins."""
    is_last: bool = False
    """Whether no page comes after this one."""
    ended_at: datetime | None = None

    @property
    def is_running(self) -> bool:
        """Whether there is something to do."""
        return self.state is JobState.RUNNING

    def is_old(self, now: datetime) -> bool:
        """Whether it was over so long ago that nobody looks for it."""
        return self.ended_at is not None and now - self.ended_at > KEPT

    def counting(self, counted: Counted) -> Job:
        """The job, when all on its page were seen to."""
        failures = (*self.failures, *counted.failures)[:MAX_SHOWN]
        return msgspec.structs.replace(
            self,
            done=self.done + counted.done,
            failed=self.failed + len(counted.failures),
            failures=tuple(_cut(each) for each in failures),
            page=(),
        )

    def going_on(self, rows: Sequence[Instance], token: str | None) -> Job:
        """The job with its next page, which has these rows."""
        page = tuple(Chosen(row.instance_id, row.execution_id, row.run_id) for row in rows)
        matched = self.matched + len(page)
        return msgspec.structs.replace(
            self, page=page, token=token, is_last=token is None, matched=matched
        )

    def ended(self, now: datetime) -> Job:
        """The job when there is no page left."""
        state = JobState.CANCELLED if self.is_cancelling else JobState.COMPLETED
        return msgspec.structs.replace(self, state=state, ended_at=now, page=(), token=None)

    def cancelled(self, now: datetime) -> Job:
        """The job when somebody has cancelled it: over at once, if nothing of it has begun."""
        cancelling = msgspec.structs.replace(self, is_cancelling=True)
        return cancelling if self.page else cancelling.ended(now)


def new_job(
    action: JobAction,
    filter_: InstanceFilter,
    now: datetime,
    *,
    reason: Payload = None,
    recursive: bool = False,
) -> Job:
    """A job on what there is now. Its id is such that newer jobs come first."""
    age = _LATEST - rules.micros(now)
    return Job(
        job_id=f"{age:016d}{uuid4().hex[:12]}",
        action=action,
        filter=seen_by(action, filter_, now),
        created_at=now,
        reason=reason,
        recursive=recursive,
    )


def is_job_id(text: str) -> bool:
    """Whether a job may have this id."""
    return _JOB_ID.fullmatch(text) is not None


def seen_by(action: JobAction, filter_: InstanceFilter, now: datetime) -> InstanceFilter:
    """What a job that begins now is about: those that were created by then, or it would not end.

    Raises `InvalidArgumentError` for states in which nothing can be done.
    """
    applies = APPLIES_TO[action]
    others = sorted(status.value for status in filter_.statuses - applies)
    if others:
        possible = ", ".join(sorted(status.value for status in applies))
        raise InvalidArgumentError(
            f"The action '{action.value}' is for instances that are {possible}; it can do nothing "
            f"to those that are {', '.join(others)}."
        )
    latest = now if filter_.created_to is None else min(now, filter_.created_to)
    return msgspec.structs.replace(
        filter_,
        statuses=filter_.statuses or applies,
        is_quarantined=filter_.is_quarantined or action is JobAction.REDRIVE,
        created_to=latest,
    )


def _cut(failure: JobFailure) -> JobFailure:
    return JobFailure(failure.instance_id, failure.reason[:_MAX_REASON])
