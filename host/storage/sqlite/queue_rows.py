"""Rows of queues of messages: their bytes, and the SQL.

Rules of this file: `visible_at` says of each message what can be done with it: 0, it can be handed
out; 1, somebody holds it; 2, one of its group is before it; 3, it cannot be read; else it can be
handed out at that time. So to hand out messages is to read the first ones of one index.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from host.storage import rules
from host.storage.messages import OVERHEAD, StoredMessage
from host.storage.sqlite.statements import ManyRows

READY: Final = 0
HELD: Final = 1
BLOCKED: Final = 2
DAMAGED: Final = 3

FIND_QUEUE = "SELECT queue, bytes FROM queues WHERE name = ?"
MAKE_QUEUE = "INSERT INTO queues (name, messages, bytes) VALUES (?, 0, 0)"
COUNT = "UPDATE queues SET messages = messages + ?, bytes = bytes + ? WHERE queue = ?"
ALL_QUEUES = "SELECT queue, name, messages, bytes FROM queues ORDER BY name"

LAST_NUMBER = "SELECT coalesce(max(number), 0) FROM queue_messages"
ADD = ManyRows(
    """
    INSERT OR IGNORE INTO queue_messages
        (number, queue, visible_at, group_id, dequeue_count, inserted_at, data)
    VALUES {rows}
    """,
    columns=7,
)
HAS_GROUP = "SELECT 1 FROM queue_messages WHERE queue = ? AND group_id = ? LIMIT 1"
UNBLOCK = """
    UPDATE queue_messages SET visible_at = 0 WHERE visible_at = 2 AND number =
        (SELECT min(number) FROM queue_messages WHERE queue = ? AND group_id = ?)
"""

FORGET_SENT = "DELETE FROM queue_deduplication WHERE sent_at < ?"
FIND_SENT = """
    SELECT sent_at, message_id FROM queue_deduplication WHERE queue = ? AND deduplication_id = ?
"""
NOTE_SENT = """
    INSERT OR REPLACE INTO queue_deduplication (queue, deduplication_id, sent_at, message_id)
    VALUES (?, ?, ?, ?)
"""

MAKE_READY = """
    UPDATE queue_messages SET visible_at = 0
    WHERE queue = ? AND visible_at > 3 AND visible_at <= ?
"""
FIND_READY = """
    SELECT number, queue, group_id, dequeue_count, inserted_at, data FROM queue_messages
    WHERE queue = ? AND visible_at = 0 ORDER BY number LIMIT ?
"""
NEXT_READY = """
    SELECT min(visible_at) FROM queue_messages
    WHERE queue = ? AND visible_at > 3
"""
HOLD = ManyRows(
    """
    UPDATE queue_messages SET visible_at = 1, dequeue_count = dequeue_count + 1
    WHERE number IN (VALUES {rows})
    """,
    columns=1,
)
SET_ASIDE = "UPDATE queue_messages SET visible_at = 3, group_id = NULL WHERE number = ?"
GIVE_BACK = """
    UPDATE queue_messages SET visible_at = ?, dequeue_count = max(dequeue_count - ?, 0)
    WHERE number = ?
"""
LET_GO = "UPDATE queue_messages SET visible_at = 0 WHERE queue = ? AND visible_at = 1"

FIND = ManyRows(
    """
    SELECT number, queue, group_id, length(data) FROM queue_messages WHERE number IN (VALUES {rows})
    """,
    columns=1,
)
DELETE = ManyRows("DELETE FROM queue_messages WHERE number IN (VALUES {rows})", columns=1)
FIND_ONE = """
    SELECT number, queue, group_id, dequeue_count, inserted_at, data FROM queue_messages
    WHERE number = ?
"""
UNHELD = """
    SELECT number FROM queue_messages WHERE queue = ? AND visible_at != 1 ORDER BY number LIMIT ?
"""
ANY_UNHELD = """
    SELECT number FROM queue_messages WHERE queue = ? AND visible_at != 1 LIMIT ?
"""
"""The same in no order: of a long queue the other one reads all."""
FIRST_SENT = """
    SELECT number, visible_at != 1 AND inserted_at < ? FROM queue_messages
    ORDER BY number LIMIT ?
"""
FIRST = """
    SELECT number, queue, group_id, dequeue_count, inserted_at, data FROM queue_messages
    WHERE queue = ? ORDER BY visible_at, number LIMIT ?
"""
STATE = """
    SELECT (SELECT count(*) FROM queue_messages WHERE queue = :queue AND visible_at = 1),
           (SELECT count(*) FROM queue_messages
            WHERE queue = :queue AND visible_at > 3),
           (SELECT inserted_at FROM queue_messages WHERE number =
            (SELECT min(number) FROM queue_messages WHERE queue = :queue))
"""

_CHECKSUM = struct.Struct("<I")


class MessageData(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What lies in the rows' `data`."""

    id: str
    body: str
    attributes: Mapping[str, str] = {}


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(MessageData)


class FoundMessage(NamedTuple):
    """A row, as `FIND_READY` reads it."""

    number: int
    queue: int
    group_id: str | None
    dequeue_count: int
    inserted_at: int
    data: bytes


def seal(message: MessageData) -> bytes:
    """The bytes of a message."""
    body = _encode(message)
    return _CHECKSUM.pack(zlib.crc32(body)) + body


def opened(data: bytes) -> MessageData | None:
    """The message that these bytes are; None if they cannot be read."""
    body = data[_CHECKSUM.size :]
    if data[: _CHECKSUM.size] != _CHECKSUM.pack(zlib.crc32(body)):
        return None
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, ValueError):
        return None


def bytes_of(length: int) -> int:
    """What a message counts whose data has this length."""
    return length + OVERHEAD


def message_of(row: FoundMessage, data: MessageData) -> StoredMessage:
    """The message of a row."""
    return StoredMessage(
        number=row.number,
        id=data.id,
        body=data.body,
        attributes=data.attributes,
        group_id=row.group_id,
        dequeue_count=row.dequeue_count,
        inserted_at=rules.from_micros(row.inserted_at),
    )


def micros_or_ready(moment: datetime | None) -> int:
    """What `visible_at` is for a message that can be handed out from then on."""
    return READY if moment is None else max(rules.micros(moment), DAMAGED + 1)


def rows_of(found: list[tuple[Any, ...]]) -> list[FoundMessage]:
    """The rows that a statement gave."""
    return [FoundMessage(*row) for row in found]
