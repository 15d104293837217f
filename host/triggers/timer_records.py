"""What a hub knows of a timer, and what follows from it: pure functions of the record and a time.

Rules of this file: a due time belongs to whoever changes the record so that the next one is due.
That is one conditional write, so a due time has one owner, whatever clocks say, and the next one is
always later. Who has begun a run says so until it has ended: as long as that is seen to change, or
is not old, nobody else begins one.

`owner` is the host that ran the timer last. It goes first at the next due time, so that others need
not try; they look before it, and a while after it whether that happened.

People pause a timer, and ask for a run, in the same record. So a pause and the begin of a run do
not pass one another: of two that change one record, one is refused and looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from bindings.schedules import Schedule

CLOCKS_DIFFER_BY = timedelta(days=1)
"""What is written as later than so much from now comes from a clock that was off: nobody is to
wait for that. Anything nearer is believed: a clock that is put back runs no due time twice."""
PAST_DUE = timedelta(seconds=1)
"""Who runs so much after the due time is told."""
MISSED = timedelta(seconds=5)
"""A due time that was so long ago when a host starts was there for nobody."""


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run that has begun: for which due time, and on which host."""

    due: datetime
    host: str
    before: datetime | None = None
    """The due time before it."""
    updated: datetime | None = None
    """When the record was changed before it."""
    is_by_hand: bool = False
    """Whether somebody asked for it: then `due` is when, and the due times stay as they are."""


class TimerRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A timer, as all hosts of the hub know it."""

    schedule: str
    """The identity of its schedule."""
    next: datetime
    last: datetime | None = None
    """The due time that was run last, or is being run."""
    updated: datetime | None = None
    """When that was begun."""
    owner: str | None = None
    run: Run | None = None
    paused: datetime | None = None
    """Since when nothing that is due is begun; None while it is not paused."""
    asked: datetime | None = None
    """When somebody asked for a run that no host has begun."""


_decoder = msgspec.json.Decoder(TimerRecord)
encode = msgspec.json.encode


def decode(data: bytes) -> TimerRecord | None:
    """The record; None for what cannot be read: then it is made anew."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, ValueError):
        return None


def new_record(schedule: Schedule, now: datetime, owner: str | None) -> TimerRecord:
    """The record of a timer that is not known yet: it is due next, and nothing was missed."""
    return TimerRecord(schedule=schedule.identity, next=schedule.due_after(now), owner=owner)


def begun_anew(
    record: TimerRecord, schedule: Schedule, now: datetime, owner: str, *, is_monitored: bool
) -> TimerRecord:
    """The record as a host that starts leaves it: the same if there is nothing to change.

    Another schedule has missed nothing. Without a monitor nothing was missed, either.
    """
    if record.schedule != schedule.identity:
        return msgspec.structs.replace(
            record, schedule=schedule.identity, next=schedule.due_after(now), owner=owner
        )
    if not is_monitored and record.next < now - MISSED:
        return msgspec.structs.replace(record, next=schedule.due_after(now))
    return mended(record, schedule, now)


def mended(record: TimerRecord, schedule: Schedule, now: datetime) -> TimerRecord:
    """The record without what only a clock that was far ahead can have written."""
    latest = now + CLOCKS_DIFFER_BY
    last, updated = (
        each if each is not None and each <= latest else None
        for each in (record.last, record.updated)
    )
    sane = schedule.due_after(max(each for each in (now, last, updated) if each is not None))
    if record.next <= sane:
        return record
    return msgspec.structs.replace(record, next=sane, last=last, updated=updated)


def may_run_at_start(record: TimerRecord, now: datetime) -> bool:
    """Whether a host may run it as it starts, if that is wanted: else it is paused, or due."""
    return record.paused is None and record.next > now


def claimed(
    record: TimerRecord, schedule: Schedule, due: datetime, now: datetime, host: str
) -> TimerRecord:
    """The record once this host runs what is due."""
    return msgspec.structs.replace(
        record,
        next=schedule.following(due, now) if record.next <= now else record.next,
        last=due,
        updated=now,
        owner=host,
        run=Run(due=due, host=host, before=record.last, updated=record.updated),
    )


def begun_by_hand(record: TimerRecord, asked: datetime, now: datetime, host: str) -> TimerRecord:
    """The record once this host runs what somebody asked for, beside the due times."""
    run = Run(due=asked, host=host, before=record.last, updated=record.updated, is_by_hand=True)
    return msgspec.structs.replace(record, updated=now, owner=host, run=run, asked=None)


def repeated(
    record: TimerRecord, run: Run, schedule: Schedule, now: datetime, host: str
) -> TimerRecord:
    """The record once this host runs anew what broke off with another."""
    return msgspec.structs.replace(
        record,
        next=_next_after(record, run, schedule, now),
        updated=now,
        owner=host,
        run=msgspec.structs.replace(run, host=host),
    )


def _next_after(record: TimerRecord, run: Run, schedule: Schedule, now: datetime) -> datetime:
    """A run that is repeated makes up for what came due meanwhile; one by hand does not."""
    if run.is_by_hand or record.next > now:
        return record.next
    return schedule.following(run.due, now)


def ended(record: TimerRecord, *, owner: str | None) -> TimerRecord:
    """The record once the run has ended."""
    return msgspec.structs.replace(record, run=None, owner=owner)


def given_back(record: TimerRecord, run: Run) -> TimerRecord:
    """The record once the host lets others do what it has begun: it is due still."""
    if run.is_by_hand:
        return msgspec.structs.replace(record, run=None, owner=None, asked=run.due)
    return msgspec.structs.replace(record, run=None, owner=None, next=run.due, last=run.before)


def paused(record: TimerRecord, now: datetime) -> TimerRecord:
    """The record once the timer is paused."""
    return record if record.paused else msgspec.structs.replace(record, paused=now)


def resumed(record: TimerRecord, schedule: Schedule, now: datetime) -> TimerRecord:
    """The record once it is not paused any more: what was due meanwhile is left out.

    Nobody goes first at the next due time, so all hosts try: none may have looked by then.
    """
    if record.paused is None:
        return record
    next_due = record.next if record.next > now else schedule.due_after(now)
    return msgspec.structs.replace(record, paused=None, next=next_due, owner=None)


def asked_for(record: TimerRecord, now: datetime) -> TimerRecord:
    """The record once somebody wants a run now; one that was asked for already will do."""
    return record if record.asked else msgspec.structs.replace(record, asked=now)


def status_before(run: Run) -> Mapping[str, str]:
    """What the function is told: the last due time, the one that it runs for, when that was known.

    Of a timer that never ran the times are the smallest that there are, as in Azure.
    """
    return {
        "Last": _shown(run.before),
        "Next": run.due.isoformat(),
        "LastUpdated": _shown(run.updated),
    }


def _shown(moment: datetime | None) -> str:
    return "0001-01-01T00:00:00+00:00" if moment is None else moment.isoformat()
