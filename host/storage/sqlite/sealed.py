"""What lies in the rows' `data`, sealed under the keys of the rows.

Rules of this file: whatever cannot be read is a `DamagedDataError` that names its instance and the
way out, which differs: only what has a row and an inbox to read can be terminated. A row of
`instances` that cannot be read still has columns: of them a stand-in is made (`rules.stand_in`).
"""

from __future__ import annotations

from collections.abc import Iterable

from host.core import codec
from host.core.codec import CodecError
from host.core.history import Batch, TaskScheduled
from host.core.records import Instance, Message, StoredBatch
from host.errors import DamagedDataError
from host.storage import rules

_PURGE = "purge it, finished or not"
_TERMINATE_AND_PURGE = "terminate it, unless it is finished, and then purge it"


def seal_instance(row: Instance) -> bytes:
    """The bytes of a row."""
    return codec.encode(row, row.instance_id)


def seal_batch(instance_id: str, execution_id: str, number: int, batch: Batch) -> bytes:
    """The bytes of a batch."""
    return codec.encode(batch, _batch_key(instance_id, execution_id, number))


def seal_message(instance_id: str, message: Message) -> bytes:
    """The bytes of a message in the inbox of an instance."""
    return codec.encode(message, _message_key(instance_id, message.message_id))


def seal_scheduled(instance_id: str, scheduled: TaskScheduled) -> bytes:
    """The bytes of what an unawaited activity is to do."""
    return codec.encode(scheduled, _scheduled_key(instance_id, scheduled.task_id))


def open_scheduled(data: bytes, instance_id: str, task_id: int) -> TaskScheduled:
    """What these bytes say is to be run."""
    try:
        return codec.decode_scheduled(data, _scheduled_key(instance_id, task_id))
    except CodecError as error:
        what = f"an activity that nobody waits for: {error}"
        raise _damaged(instance_id, what, _TERMINATE_AND_PURGE) from error


def open_instance(data: bytes, instance_id: str) -> Instance:
    """The row that these bytes are."""
    try:
        return codec.decode_instance(data, instance_id)
    except CodecError as error:
        raise damaged_row(instance_id, f": {error}") from error


def open_batches(
    rows: Iterable[tuple[str, int, bytes]], instance_id: str
) -> tuple[StoredBatch, ...]:
    """The batches in these rows, which are in order of execution and number."""
    batches: list[StoredBatch] = []
    for execution_id, number, data in rows:
        is_first = not batches or batches[-1].execution_id != execution_id
        first = rules.first_number(instance_id, number)
        if number != (first if is_first else batches[-1].number + 1):
            what = f"its history has a gap before batch {number}"
            raise _damaged(instance_id, what, _TERMINATE_AND_PURGE)
        batch = open_batch(data, instance_id, execution_id, number)
        batches.append(StoredBatch(execution_id=execution_id, number=number, batch=batch))
    return tuple(batches)


def open_message(data: bytes, instance_id: str, message_id: str) -> Message:
    """The message that these bytes are."""
    try:
        return codec.decode_message(data, _message_key(instance_id, message_id))
    except CodecError as error:
        raise _damaged(instance_id, f"a message to it: {error}", _PURGE) from error


def damaged_row(instance_id: str, details: str = "") -> DamagedDataError:
    """The error of an instance whose row cannot be read."""
    return _damaged(instance_id, f"its row{details}", _PURGE)


def _damaged(instance_id: str, what: str, way_out: str) -> DamagedDataError:
    return DamagedDataError(
        f"What is stored of '{instance_id}' is damaged ({what}). Other instances are not "
        f"concerned. Restore the file from a backup, or {way_out}."
    )


def open_batch(data: bytes, instance_id: str, execution_id: str, number: int) -> Batch:
    """The batch that these bytes are."""
    try:
        return codec.decode_batch(data, _batch_key(instance_id, execution_id, number))
    except CodecError as error:
        raise _damaged(instance_id, f"batch {number}: {error}", _TERMINATE_AND_PURGE) from error


def _batch_key(instance_id: str, execution_id: str, number: int) -> str:
    return f"{instance_id}\n{execution_id}\n{number}"


def _message_key(instance_id: str, message_id: str) -> str:
    return f"{instance_id}\n{message_id}"


def _scheduled_key(instance_id: str, task_id: int) -> str:
    return f"{instance_id}\n{task_id}"
