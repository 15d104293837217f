"""What S3 says of new objects, in the forms in which that comes through a queue.

It comes straight from the bucket, by a topic of SNS, or by EventBridge.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote_plus

from bindings.errors import InvalidArgumentError

_CREATED: Final = "ObjectCreated:"
_TEST: Final = "s3:TestEvent"
_BY_EVENT_BRIDGE: Final = "Object Created"
_MAX_DEPTH: Final = 3
"""A topic may get what EventBridge says."""


def created_objects(message: str, bucket: str) -> list[str]:
    """The names of the objects of this bucket that the message says were written, each once.

    What it says of other buckets, or of objects that were removed, is passed over. Raises
    `InvalidArgumentError` if it is no notification of S3.
    """
    return list(dict.fromkeys(_created(message, bucket, 0)))


def _created(message: object, bucket: str, depth: int) -> Iterator[str]:
    said = _object_of(message)
    match said:
        case {"Records": list(records)}:
            for record in records:
                yield from _of_record(record, bucket)
        case {"Event": event} if event == _TEST:
            return  # S3 sends one when the notifications are set up
        case {"Type": "Notification", "Message": inner} if depth < _MAX_DEPTH:
            yield from _created(inner, bucket, depth + 1)
        case {"source": "aws.s3", "detail-type": kind, "detail": detail}:
            if kind == _BY_EVENT_BRIDGE:
                yield from _named(detail, bucket, is_quoted=False)
        case _:
            raise _no_notification(message)


def _of_record(record: object, bucket: str) -> Iterator[str]:
    match record:
        case {"eventName": str(event), "s3": s3}:
            if event.removeprefix("s3:").startswith(_CREATED):
                yield from _named(s3, bucket, is_quoted=True)
        case _:
            raise _no_notification(record)


def _named(said: object, bucket: str, *, is_quoted: bool) -> Iterator[str]:
    match said:
        case {"bucket": {"name": str(name)}, "object": {"key": str(key)}}:
            if name == bucket:
                yield unquote_plus(key) if is_quoted else key
        case _:
            raise _no_notification(said)


def _object_of(message: object) -> Mapping[str, Any]:
    try:
        said = json.loads(message) if isinstance(message, str) else None
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise _no_notification(message)
    return said


def _no_notification(said: object) -> InvalidArgumentError:
    shown = said if isinstance(said, str) else json.dumps(said)
    return InvalidArgumentError(f"This is no notification of S3: {shown:.200}")
