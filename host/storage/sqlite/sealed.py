"""What lies in the rows' `data`, sealed under the keys of the rows.

Rules of this file: whatever cannot be read is a `DamagedDataError` that names its instance. A row
of `instances` that cannot be read still has columns: of them a stand-in is made, so that listings
show it, and what concerns it and others only by the way can be done.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bindings.client import RuntimeStatus
from host.core import codec
from host.core.codec import CodecError
from host.core.history import Batch
from host.core.records import Instance, Message, StoredBatch
from host.errors import DamagedDataError
from host.storage import rules


def seal_instance(row: Instance) -> bytes:
    """The bytes of a row."""
    return codec.encode(row, row.instance_id)


def seal_batch(instance_id: str, execution_id: str, number: int, batch: Batch) -> bytes:
    """The bytes of a batch."""
    return codec.encode(batch, _batch_key(instance_id, execution_id, number))


def seal_message(instance_id: str, message: Message) -> bytes:
    """The bytes of a message in the inbox of an instance."""
    return codec.encode(message, _message_key(instance_id, message.message_id))


def open_instance(data: bytes, instance_id: str) -> Instance:
    """The row that these bytes are."""
    try:
        return codec.decode_instance(data, instance_id)
    except CodecError as error:
        raise damaged(instance_id, f"its row: {error}") from error


def open_batches(
    rows: Iterable[tuple[str, int, bytes]], instance_id: str
) -> tuple[StoredBatch, ...]:
    """The batches in these rows, which are in order of execution and number."""
    batches: list[StoredBatch] = []
    for execution_id, number, data in rows:
        is_first = not batches or batches[-1].execution_id != execution_id
        if number != (0 if is_first else batches[-1].number + 1):
            raise damaged(instance_id, f"its history has a gap before batch {number}")
        batch = open_batch(data, instance_id, execution_id, number)
        batches.append(StoredBatch(execution_id=execution_id, number=number, batch=batch))
    return tuple(batches)


def open_message(data: bytes, instance_id: str, message_id: str) -> Message:
    """The message that these bytes are."""
    try:
        return codec.decode_message(data, _message_key(instance_id, message_id))
    except CodecError as error:
        raise damaged(instance_id, f"a message to it: {error}") from error


def stand_in(
    instance_id: str, status: str, name: str, created_at: int, error: DamagedDataError
) -> Instance:
    """A row in place of one that cannot be read, made of its columns."""
    moment = _moment(created_at)
    return Instance(
        instance_id=instance_id,
        execution_id="",
        name=name,
        status=_status(status),
        created_at=moment,
        updated_at=moment,
        blocked_reason=str(error),
    )


def damaged(instance_id: str, what: str) -> DamagedDataError:
    """The error of an instance of which something cannot be read."""
    return DamagedDataError(
        f"What is stored of '{instance_id}' is damaged ({what}). Other instances are not "
        "concerned. Get it back from a backup of the file, or terminate and purge it."
    )


def open_batch(data: bytes, instance_id: str, execution_id: str, number: int) -> Batch:
    """The batch that these bytes are."""
    try:
        return codec.decode_batch(data, _batch_key(instance_id, execution_id, number))
    except CodecError as error:
        raise damaged(instance_id, f"batch {number}: {error}") from error


def _batch_key(instance_id: str, execution_id: str, number: int) -> str:
    return f"{instance_id}\n{execution_id}\n{number}"


def _message_key(instance_id: str, message_id: str) -> str:
    return f"{instance_id}\n{message_id}"


def _status(column: str) -> RuntimeStatus:
    try:
        return RuntimeStatus(column)
    except ValueError:
        return RuntimeStatus.RUNNING


def _moment(created_at: int) -> datetime:
    try:
        return rules.from_micros(created_at)
    except OverflowError:
        return rules.from_micros(0)
