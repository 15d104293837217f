"""Whether a write-ahead log that was left behind is whole, before SQLite takes it in.

Rules of this file: reads only, and knows the log's published format. SQLite takes a log up to its
first frame that does not add up and forgets the rest without a word. That is right for what a power
cut tore: since every commit is synced before the next one begins, that can only be the last one.
More behind the break, or a database that is ahead of its log, means that what was acknowledged
would be lost, or mixed with older pages. A database that is longer than its log says is ahead of
it, or the log has just made it shorter: then the first page, which says how often it was changed,
is in the log and at least as new.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO, NamedTuple

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_SUMMED_OF_HEADER = 24
_SUMMED_OF_FRAME = 8
_LITTLE, _BIG = 0x377F0682, 0x377F0683
_ORDERS = {_LITTLE: "<", _BIG: ">"}
_MASK = 0xFFFFFFFF
_CHANGES = struct.Struct(">I")
_CHANGES_AT = 24
"""Where the first page says how often it was changed."""

_Sum = tuple[int, int]


class _Header(NamedTuple):
    order: str
    page_bytes: int
    salts: tuple[int, int]
    total: _Sum


class _Whole(NamedTuple):
    """What the frames that add up say, up to the last commit among them."""

    pages: int = 0
    """How long the database is; 0 if nothing was committed."""
    changes: int = -1
    """How often its first page was changed; -1 if that is not in the log."""


def find_damage(database: Path) -> str | None:
    """What is wrong with the log of this database, in words; None if nothing is, or it has none."""
    log = database.with_name(database.name + "-wal")
    if not log.exists() or log.stat().st_size <= _HEADER.size:
        return None
    database_bytes = database.stat().st_size if database.exists() else 0
    if not database_bytes:
        return "the file is empty, and its write-ahead log is not"
    with log.open("rb") as file:
        header = _read_header(file)
        if header is None:
            return "the head of its write-ahead log is damaged"
        whole = _skip_whole_frames(file, header)
        if _count_commits(file, header) > 1:
            return "its write-ahead log is damaged in the middle"
    is_longer = whole.pages and database_bytes > whole.pages * header.page_bytes
    if is_longer and whole.changes < _changes(database):
        return "its write-ahead log was cut off"
    return None


def _changes(database: Path) -> int:
    with database.open("rb") as file:
        page = file.read(_CHANGES_AT + _CHANGES.size)
    return int(_CHANGES.unpack_from(page, _CHANGES_AT)[0])


def _read_header(file: IO[bytes]) -> _Header | None:
    data = file.read(_HEADER.size)
    magic, _, page_bytes, _, *salts_and_sum = _HEADER.unpack(data)
    order = _ORDERS.get(magic)
    if order is None:
        return None
    total = _sum(data[:_SUMMED_OF_HEADER], (0, 0), order)
    if [*total] != salts_and_sum[2:]:
        return None
    return _Header(order, page_bytes, (salts_and_sum[0], salts_and_sum[1]), total)


def _skip_whole_frames(file: IO[bytes], header: _Header) -> _Whole:
    """Go behind the last frame that adds up."""
    total, whole, changes = header.total, _Whole(), -1
    frame_bytes = _FRAME.size + header.page_bytes
    while len(frame := file.read(frame_bytes)) == frame_bytes:
        number, pages, *salts_and_sum = _FRAME.unpack_from(frame)
        total = _sum(frame[:_SUMMED_OF_FRAME], total, header.order)
        total = _sum(frame[_FRAME.size :], total, header.order)
        if salts_and_sum != [*header.salts, *total]:
            file.seek(-frame_bytes, 1)
            break
        if number == 1:
            (changes,) = _CHANGES.unpack_from(frame, _FRAME.size + _CHANGES_AT)
        if pages:
            whole = _Whole(pages, changes)
    return whole


def _count_commits(file: IO[bytes], header: _Header) -> int:
    """How many commits of this log's time are still to come."""
    count = 0
    while len(head := file.read(_FRAME.size)) == _FRAME.size:
        _, pages, *salts_and_sum = _FRAME.unpack(head)
        count += pages > 0 and tuple(salts_and_sum[:2]) == header.salts
        file.seek(header.page_bytes, 1)
    return count


def _sum(data: bytes, total: _Sum, order: str) -> _Sum:
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    one, other = total
    for word in words:
        one = (one + word + other) & _MASK
        other = (other + next(words) + one) & _MASK
    return one, other
