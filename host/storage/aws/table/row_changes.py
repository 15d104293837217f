"""Changes of a row's item: the condition under which each may be made, and what it sets.

Rules of this file: pure. Which row wins is what `rules.row_wins` says, in DynamoDB's words. The
alarm is ordered by turns: who knows of fewer turns of the execution than the host that set it last
(a host that was stopped and goes on) does not change it, for then nobody would wake the instance.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from bindings.client import RuntimeStatus
from host.core.records import UNCHANGED, Instance, Unchanged
from host.storage import rules
from host.storage.aws.table.bodies import Body
from host.storage.aws.table.heads import Head
from host.storage.aws.table.items import (
    Led,
    alarm_attributes,
    led_attributes,
    row_attributes,
)
from host.storage.aws.table.keys import BatchKey, Item, number, text
from host.storage.aws.table.placing import ENDED, UNFINISHED, Placing
from host.storage.aws.table.table import Expression

ALARM = ("w", "ws")
WORK = (*UNFINISHED, "k", "e", *ALARM)
"""What marks a row as one that has something to do, and what ends with that."""
LED_TO_A_WAIT: Item = {"k": number(Led.TO_A_WAIT)}
_IS_UNFINISHED = "#r = :r AND attribute_exists(#u) AND attribute_not_exists(#e)"
_IS_LEFT = "#r = :r AND attribute_exists(#e)"
"""The row is finished, and unawaited activities are left."""

_ORDER = " AND #up <= :up"
_ORDER_OF_CHUNKS = " AND (#up < :up OR #c = :c)"
"""A late copy of a row that another has replaced would name chunks that are deleted."""


class Change(NamedTuple):
    """An update of an item, and its condition."""

    update: Expression
    condition: Expression


def row_change(
    row: Instance,
    body: Body,
    head: Head,
    wake_at: datetime | Unchanged | None,
    *,
    placing: Placing,
    now: datetime,
) -> Change:
    """Replace the row, and the alarm with it unless that is unchanged.

    A finished one has an alarm only for unawaited activities. `placing` is where new entries go,
    `now` when the alarm is set.
    """
    sets = row_attributes(row, body)
    removes = {"c" if body.chunks is None else "d"}
    order = "" if row.is_finished else _ORDER if body.chunks is None else _ORDER_OF_CHUNKS
    conditions = [
        _IS_UNFINISHED,
        f"(#g < :g OR (#g = :g AND #x = :x{order}))",
    ]
    if not row.run_id:  # an old row: when its run began is all that tells it from others
        conditions.append("#ls = :ls")
    sets |= placing.ended(row) if row.is_finished else led_attributes(row)
    if row.is_finished and isinstance(wake_at, datetime):
        # What is left may lack its function, which no row of a finished one says.
        removes |= {"k"}
        sets |= alarm_attributes(head.instance_id, wake_at, placing.part, now)
        sets |= {"e": number(1)}
    elif row.is_finished:
        removes |= {*WORK}
    elif wake_at is not UNCHANGED:
        _set_alarm(head, _alarm(head, wake_at, placing, now), sets, removes, conditions)
    return _change(head, sets, removes, conditions)


def revival(
    row: Instance,
    body: Body,
    head: Head,
    wake_at: datetime | Unchanged | None,
    *,
    placing: Placing,
    now: datetime,
) -> Change:
    """Put the row of an instance that was rewound in place of that of its failure.

    It says of nobody that he led it since then: so whoever looks for lost hints looks at it.
    """
    sets = row_attributes(row, body) | placing.unfinished(row)
    removes = {"c" if body.chunks is None else "d", "k", "e", *ENDED}
    if isinstance(wake_at, datetime):
        sets |= alarm_attributes(head.instance_id, wake_at, placing.part, now)
    elif wake_at is None:
        removes |= {*ALARM}
    if head.reached is not None:
        sets |= _marks_of(head.reached)
    conditions = ["#r = :r AND #st = :failed AND #x = :x AND #g < :g"]
    change = _change(head, sets, removes, conditions)
    values = {**change.condition.values, ":failed": text(RuntimeStatus.FAILED.value)}
    return Change(change.update, Expression(change.condition.text, values))


def replacement(
    seen: Instance, new: Instance, body: Body, head: Head, *, placing: Placing, now: datetime
) -> Change:
    """Replace the row that was seen, and no other; another start time is another alarm."""
    stored = row_attributes(seen, body)
    conditions = [_IS_UNFINISHED, "#x = :sx AND #up = :sup"]
    removes = {"c" if body.chunks is None else "d"}
    sets = row_attributes(new, body) | led_attributes(new)
    if (due := rules.moved_start(seen, new)) is not UNCHANGED:
        sets |= alarm_attributes(head.instance_id, due, placing.part, now)
    change = _change(head, sets, removes, conditions)
    values = {**change.condition.values, ":sx": stored["x"], ":sup": stored["up"]}
    return Change(change.update, Expression(change.condition.text, values))


def alarm_change(
    head: Head, wake_at: datetime | None, *, placing: Placing, now: datetime
) -> Change:
    """Replace or clear the alarm, if the row still is where this host believes it to be.

    Of a finished instance it is the alarm of its unawaited activities: cleared, there are none.
    """
    sets: Item = {}
    removes: set[str] = set()
    alarm = _alarm(head, wake_at, placing, now)
    if head.is_finished:
        if alarm is None:
            removes |= {*WORK}
        else:
            sets |= alarm
        return _change(head, sets, removes, [_IS_LEFT])
    conditions = [_IS_UNFINISHED, "#x = :held"]
    _set_alarm(head, alarm, sets, removes, conditions)
    change = _change(head, sets, removes, conditions, unless_there=LED_TO_A_WAIT)
    values = {**change.condition.values, ":held": text(head.execution_id)}
    return Change(change.update, Expression(change.condition.text, values))


def _alarm(head: Head, wake_at: datetime | None, placing: Placing, now: datetime) -> Item | None:
    if wake_at is None:
        return None
    return alarm_attributes(head.instance_id, wake_at, placing.part, now)


def _set_alarm(
    head: Head,
    alarm: Item | None,
    sets: Item,
    removes: set[str],
    conditions: list[str],
) -> None:
    if alarm is None:
        removes |= {*ALARM}
    else:
        sets |= alarm
    if head.reached is not None:
        sets |= _marks_of(head.reached)
        conditions.append("(attribute_not_exists(#ax) OR #ax <> :ax OR #an <= :an)")


def _marks_of(reached: BatchKey) -> Item:
    """Which turn the alarm is of."""
    return {"ax": text(reached.execution_id), "an": number(reached.number)}


def _change(
    head: Head,
    sets: Item,
    removes: Iterable[str],
    conditions: list[str],
    unless_there: Item | None = None,
) -> Change:
    clauses = []
    settings = [f"#{name} = :{name}" for name in sets]
    settings += [f"#{name} = if_not_exists(#{name}, :{name})" for name in unless_there or ()]
    if settings:
        clauses.append("SET " + ", ".join(settings))
    if removes:
        clauses.append("REMOVE " + ", ".join(f"#{name}" for name in sorted(removes)))
    values = {f":{name}": value for name, value in (*sets.items(), *(unless_there or {}).items())}
    update = Expression(" ".join(clauses), values)
    return Change(update, Expression(" AND ".join(conditions), {":r": text(head.run)}))
