"""What a batch says of the work that follows from it, so that recovery need not decode it.

Rules of this file: pure. Between the write of a batch and its effects a host may die, and if the
hint is lost as well only these marks tell that something is left to do. The next batch of the
execution says that all of it was done, and so does the row: it names the turn that it was written
for, which is after everything that the turn sends, and the turn that set the alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntFlag

from host.core.records import UNCHANGED, Commit
from host.storage import rules
from host.storage.aws.table.items import batch_key_of, last_number_of
from host.storage.aws.table.keys import Item, read_number, read_text


class Marks(IntFlag):
    """What is left to do after a batch."""

    NOTHING = 0
    WORK = 1
    """Activities without a result, or an execution that is to be begun."""
    EFFECTS = 2
    """Something was to be sent, or the row to be finished."""
    ALARM = 4
    """An alarm was to be set."""


def marks_of(commit: Commit) -> Marks:
    """The marks of a commit's batch."""
    marks = Marks.NOTHING
    effects = commit.effects
    if rules.leaves_work(commit):
        marks |= Marks.WORK
    sends = bool(effects.starts or effects.messages or effects.unawaited or effects.notices)
    if sends or (effects.row and effects.row.is_finished):
        marks |= Marks.EFFECTS
    if effects.wake_at is not UNCHANGED and effects.wake_at is not None:
        marks |= Marks.ALARM
    return marks


def leave_work(newest: Sequence[Item], row: Item) -> bool:
    """Whether the newest batches of an unfinished instance's executions leave anything to do."""
    return any(_leaves_work(batch, row) for batch in newest)


def _leaves_work(batch: Item, row: Item) -> bool:
    marks = Marks(read_number(batch, "o"))
    if Marks.WORK in marks:
        return True
    if Marks.EFFECTS in marks and not _has_written_row(batch, row):
        return True
    return Marks.ALARM in marks and not _has_set_alarm(batch, row)


def _has_written_row(batch: Item, row: Item) -> bool:
    key = batch_key_of(batch)
    return read_text(row, "x") == key.execution_id and last_number_of(row) >= key.number


def _has_set_alarm(batch: Item, row: Item) -> bool:
    key = batch_key_of(batch)
    is_known = "ax" in row and read_text(row, "ax") == key.execution_id
    return is_known and read_number(row, "an") >= key.number
