"""Notices as they are kept until somebody has taken them: named records, the oldest first."""

from __future__ import annotations

from datetime import datetime

import msgspec

from host.core.records import Notice, NoticeKind
from host.storage.protocol import NamedRecord

NOTICE = "notice"
"""The kind of their records."""


class KeptNotice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A notice that nobody has taken yet; `failed_at` is when that was refused first."""

    notice: Notice
    failed_at: datetime | None = None


_encode = msgspec.json.encode
_decoder = msgspec.json.Decoder(KeptNotice)


def record_of(notice: Notice) -> NamedRecord:
    """The record, which is the same each time."""
    return kept_record(KeptNotice(notice=notice), stamp=notice.notice_id)


def kept_record(kept: KeptNotice, *, stamp: str) -> NamedRecord:
    """The record of one that was kept for a while."""
    return NamedRecord(kind=NOTICE, key=key_of(kept.notice), stamp=stamp, data=_encode(kept))


def key_of(notice: Notice) -> str:
    """The key: by time, of one moment a start before what comes after it."""
    place = 0 if notice.kind is NoticeKind.STARTED else 1
    return f"{notice.at:%Y%m%dT%H%M%S.%f}-{place}-{notice.notice_id}"


def notice_in(record: NamedRecord) -> KeptNotice | None:
    """What the record keeps; None for what makes no sense."""
    try:
        return _decoder.decode(record.data)
    except (msgspec.DecodeError, ValueError):
        return None
