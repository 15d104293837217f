"""The records of a hub as items of its table, and back.

Rules of this file: pure, and the only place that knows attributes. Names are short, because they
are paid for with every item. Moments are microseconds since 1970. A record that cannot be read is
a `DamagedDataError` of its instance; who reads single attributes does so within `reading`.

| record  | attributes                                                                            |
|---------|---------------------------------------------------------------------------------------|
| all     | `r` run; `d` packed bytes, or `c` where their chunks are                              |
| row     | `x` execution, `g` generation and rewinds, `st` status, `fn` function, `up` updated,  |
|         | `l` `ls` `u` `us` `f` its entries in indexes (`placing`), `k` to what it was led,     |
|         | `w` `ws` alarm and whether it is a short one, `ax` `an` the turn that set             |
|         | it, `e` finished but for unawaited activities, `lv` when it was marked for removal    |
| batch   | `o` marks of what is left to do, `id` of this write                                   |
| message | `at` arrival                                                                          |
| lease   | `ow` owner, `ex` expiry, `t` tries; of an unawaited activity `n` tries and what to run|
| chunk   | `wa` written at                                                                       |

A run is the life of an instance until it is purged or replaced, named by its first execution: what
is left of an old one never shows up in its successor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from enum import IntEnum

from bindings.client import RuntimeStatus
from host.core import codec
from host.core.codec import CodecError
from host.core.records import Instance, Lease, Message, Snapshot, StoredBatch
from host.errors import DamagedDataError
from host.storage import rules
from host.storage.aws.table.bodies import (
    MAX_INLINE_ROW_BYTES,
    Body,
    ChunksMissingError,
    body_of,
    make_body,
)
from host.storage.aws.table.keys import (
    BATCHES,
    CLAIM,
    LEASES,
    META,
    BatchKey,
    Item,
    Value,
    alarm_key,
    batch_sort_key,
    id_of,
    indexed,
    key_of,
    lease_key,
    message_key,
    moment,
    number,
    read_number,
    read_text,
    sort_key_of,
    text,
)
from host.storage.aws.table.placing import Placing

LEAVING = "lv"
"""Of a row: when the entity was marked for removal."""
SENSELESS = (LookupError, TypeError, ValueError, OverflowError)
"""What reading an attribute raises that is missing, or is not what a host would write. Whoever
reads many items at once, a listing, a sweep, passes over those: they may be anybody's."""


class Led(IntEnum):
    """To what somebody has led an unfinished instance, as its row says; none before that.

    So who waits need not be looked at: a hint of his is lost only with a host that ended
    unannounced, or with the whole queue.
    """

    TO_A_WAIT = 0
    """It waits for a message, its alarm or a lease; or it goes on under a hint that is held."""
    TO_A_BLOCK = 1
    """It is blocked, or quarantined."""


@contextmanager
def reading(instance_id: str, what: str, *, can_be_ended: bool = False) -> Iterator[None]:
    """What cannot be read within is a `DamagedDataError` of this instance.

    Only items may be looked at within: a mistake anywhere else would pass for damage.
    """
    try:
        yield
    except CodecError as error:
        raise damaged(instance_id, f"{what}: {error}", can_be_ended=can_be_ended) from error
    except SENSELESS as error:
        details = f"{what}: its item makes no sense, {error!r}"
        raise damaged(instance_id, details, can_be_ended=can_be_ended) from error


def damaged(instance_id: str, what: str, *, can_be_ended: bool = False) -> DamagedDataError:
    """The error of an instance of which something cannot be read.

    It can be ended if its row and its inbox can be read: termination is a message.
    """
    way_out = "terminate it, unless it is finished, and then purge it"
    way_out = way_out if can_be_ended else "purge it, finished or not"
    return DamagedDataError(
        f"What is stored of '{instance_id}' is damaged ({what}). Other instances are not "
        f"concerned. Restore the table from a backup, or {way_out}."
    )


def chunks_missing(instance_id: str, error: ChunksMissingError) -> DamagedDataError:
    """The error for chunks that are not there, however often they are looked for."""
    what = f"chunks of the item '{error}' are missing"
    return damaged(instance_id, what, can_be_ended=str(error).startswith(BATCHES))


def run_of(item: Item) -> str:
    """The run that an item belongs to."""
    return read_text(item, "r")


def run_or_none(item: Item) -> str:
    """The run that an item belongs to; "" for one that does not say."""
    return _text_or_none(item, "r")


def row_of(item: Item, chunks: Mapping[str, Item]) -> Instance:
    """The row. Raises `DamagedDataError`, as all that reads a record, or `ChunksMissingError`."""
    with reading(id_of(item), "its row"):
        return codec.decode_instance(body_of(item, chunks))


def stand_in(item: Item, error: DamagedDataError) -> Instance:
    """What stands for a row that cannot be read, made of the attributes beside its bytes."""
    created_at = _text_or_none(item, "ls")[:16]
    return rules.stand_in(
        id_of(item),
        status=_text_or_none(item, "st"),
        name=name_of(item),
        created_at=int(created_at) if created_at.isdecimal() else 0,
        error=error,
        execution_id=_text_or_none(item, "x"),
    )


def name_of(item: Item) -> str:
    """The name of the row's function, as far as it is known."""
    return _text_or_none(item, "fn")


def shown_status(item: Item) -> RuntimeStatus:
    """The row's status, whatever is stored."""
    return rules.read_status(_text_or_none(item, "st"))


def _text_or_none(item: Item, name: str) -> str:
    return str(item.get(name, {}).get("S", ""))


def status_of(item: Item) -> RuntimeStatus:
    """The row's status, as stored."""
    return RuntimeStatus(read_text(item, "st"))


def last_number_of(item: Item) -> int:
    """The number of the last batch that the row speaks of."""
    return int(read_text(item, "up").partition(".")[0]) - 1


def message_of(item: Item, chunks: Mapping[str, Item]) -> Message:
    """A message."""
    with reading(id_of(item), "a message to it"):
        return codec.decode_message(body_of(item, chunks))


def batch_key_of(item: Item) -> BatchKey:
    """The key of a batch."""
    execution_id, _, number_of = sort_key_of(item)[len(BATCHES) :].rpartition("#")
    number = read_number(item, "n") if "n" in item else int(number_of)
    return BatchKey(execution_id, number)


def batch_of(item: Item, chunks: Mapping[str, Item]) -> StoredBatch:
    """A batch."""
    with reading(id_of(item), "a batch of it", can_be_ended=True):
        key = batch_key_of(item)
    with reading(id_of(item), f"batch {key.number}", can_be_ended=True):
        return StoredBatch(
            execution_id=key.execution_id,
            number=key.number,
            batch=codec.decode_batch(body_of(item, chunks)),
        )


def lease_of(item: Item, chunks: Mapping[str, Item]) -> Lease:
    """A lease."""
    with reading(id_of(item), "a lease of it", can_be_ended=True):
        scheduled = codec.decode_scheduled(body_of(item, chunks)) if is_unawaited(item) else None
        execution_id, _, task_id = sort_key_of(item)[len(LEASES) :].rpartition("#")
        return Lease(
            instance_id=id_of(item),
            execution_id=execution_id,
            task_id=int(task_id),
            owner=read_text(item, "ow"),
            expires_at=rules.from_micros(read_number(item, "ex")),
            scheduled=scheduled,
            tries=max(read_number(item, name) if name in item else 0 for name in ("n", "t")),
        )


def led_of(entry: Item) -> Led | None:
    """To what a row's instance was led, by its entry in an index; None if that does not say."""
    with suppress(*SENSELESS):
        return Led(read_number(entry, "k"))
    return None


def is_unawaited(item: Item) -> bool:
    """Whether a lease says what is to be run, since nobody waits for it."""
    return "n" in item


def alarm_of(item: Item) -> datetime | None:
    """When the row's alarm is due; for an entry of the index of alarms, too."""
    if "ws" not in item:
        return None
    return rules.from_micros(int(read_text(item, "ws")[:16]))


# ---- writing --------------------------------------------------------------------------------


def row_body(row: Instance, token: str) -> Body:
    """The body of a row."""
    return make_body(codec.encode(row), token, MAX_INLINE_ROW_BYTES)


def row_attributes(row: Instance, body: Body) -> Item:
    """What of a row's item changes when the row does. The marks of its work are apart."""
    return {
        "x": text(row.execution_id),
        "g": _generation(row),
        "st": text(row.status.value),
        "fn": text(row.name),
        "up": text(f"{row.last_number + 1:010d}.{rules.micros(row.updated_at):020d}"),
        "ls": text(indexed(row.created_at, row.instance_id)),
    } | body.attributes


def _generation(row: Instance) -> Value:
    """What orders an execution's row among all of the run: also by how often it was rewound."""
    if not row.rewinds:
        return number(row.generation)
    return {"N": f"{row.generation}.{row.rewinds:06d}"}


def led_attributes(row: Instance) -> Item:
    """What the row says of to what its instance was led."""
    return {"k": number(Led.TO_A_WAIT if row.blocked_reason is None else Led.TO_A_BLOCK)}


def new_row(row: Instance, body: Body, placing: Placing) -> Item:
    """The item of a new instance: a run begins."""
    item = key_of(row.instance_id, META) | row_attributes(row, body)
    item |= {"r": text(row.execution_id)} | placing.for_life(row) | placing.unfinished(row)
    if row.scheduled_start_at is not None:
        due, now = row.scheduled_start_at, row.created_at
        item |= alarm_attributes(row.instance_id, due, placing.part, now) | led_attributes(row)
    return item


def planted_row(snapshot: Snapshot, run: str, body: Body, placing: Placing, now: datetime) -> Item:
    """The item of an instance that comes from elsewhere: nobody has led it here."""
    row, wake_at = snapshot.instance, snapshot.wake_at
    item = key_of(row.instance_id, META) | row_attributes(row, body)
    item |= {"r": text(run)} | placing.for_life(row)
    item |= placing.ended(row) if row.is_finished else {}
    if wake_at is not None or not row.is_finished:
        item |= placing.unfinished(row)
    if wake_at is not None:
        item |= alarm_attributes(row.instance_id, wake_at, placing.part, now)
        item |= {"e": number(1)} if row.is_finished else {}
    return item


def claim_item(instance_id: str, write_id: str, now: datetime) -> Item:
    """The claim of whoever plants an instance: a chunk that nothing names, and so goes with time.

    It is of no run, so no run's end takes it away. `write_id` is of this one claim.
    """
    key = key_of(instance_id, CLAIM)
    name = {"r": text("planting"), "id": text(write_id)}
    return key | name | {"wa": moment(now), "d": {"B": b""}}


def alarm_attributes(instance_id: str, due: datetime, part: str, now: datetime) -> Item:
    """What puts the row into a part of the index of alarms, when the alarm is set now."""
    key = alarm_key(due, instance_id, is_short=rules.is_short(due, now))
    return {"w": text(part), "ws": text(key)}


def batch_item(
    instance_id: str, batch: BatchKey, run: str, body: Body, *, marks: int, write_id: str
) -> Item:
    """A batch, with the marks of what it leaves to do. `write_id` is of this one write."""
    return (
        key_of(instance_id, batch_sort_key(batch))
        | {"r": text(run), "o": number(marks), "id": text(write_id)}
        | body.attributes
    )


def whole_batch_item(
    instance_id: str, batch: BatchKey, run: str, body: Body, *, marks: int, write_id: str
) -> Item:
    """The same of a batch that takes the place of the one before: the item says its number."""
    place = whole_batch_place(batch.execution_id)
    item = batch_item(instance_id, place, run, body, marks=marks, write_id=write_id)
    return item | {"n": number(batch.number)}


def whole_batch_place(execution_id: str) -> BatchKey:
    """Where the only batch of an execution lies, whatever its number."""
    return BatchKey(execution_id, 0)


def message_item(instance_id: str, message_id: str, run: str, at: int, body: Body) -> Item:
    """A message that arrived at `at`, in microseconds."""
    return (
        key_of(instance_id, message_key(message_id, at))
        | {"r": text(run), "at": number(at)}
        | body.attributes
    )


def lease_item(lease: Lease, run: str) -> Item:
    """A lease. It stays when it is over, for it says that the activity may have begun."""
    item = key_of(lease.instance_id, lease_key(lease))
    item |= {"r": text(run), "ow": text(lease.owner), "ex": moment(lease.expires_at)}
    return item | {"t": number(lease.tries)} if lease.tries else item
