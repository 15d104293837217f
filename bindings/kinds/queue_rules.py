"""What queues take: the rules of SQS, wherever the queue is, so that an app can move there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from bindings.errors import InvalidArgumentError
from bindings.kinds.queues import FIFO_SUFFIX, OutgoingMessage, is_fifo

MAX_BYTES: Final = 1024 * 1024
"""A message, with its attributes."""
MAX_DELAY_S: Final = 900.0
MAX_ATTRIBUTES: Final = 10

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_ID: Final = re.compile(r"[!-~]{1,128}")
_ATTRIBUTE: Final = re.compile(r"(?!(?i:aws|amazon)\.)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no body and no attribute can have."""


def check_name(name: str) -> None:
    """Raise `InvalidArgumentError` for what cannot be a queue's name."""
    if not _NAME.fullmatch(name.removesuffix(FIFO_SUFFIX)) or len(name) > 80:
        raise InvalidArgumentError(
            f"'{name:.100}' cannot be a queue's name: use 1 to 80 letters, digits, '-' and '_'; "
            f"that of a FIFO queue ends with {FIFO_SUFFIX}."
        )


def check_message(message: OutgoingMessage, queue: str) -> None:
    """Raise `InvalidArgumentError` for a message that no queue of this name takes."""
    if not message.body:
        raise refused(queue, "it is empty")
    _check_text(message.body, queue)
    _check_attributes(message.attributes, queue)
    size = _size(message)
    if size > MAX_BYTES:
        raise refused(queue, f"it has {size} bytes, and {MAX_BYTES} is the most")
    if not 0 <= message.delay_s <= MAX_DELAY_S:
        raise refused(queue, f"its delay is {message.delay_s:g} s: use 0 to {MAX_DELAY_S:g}")
    ids = {"group": message.group_id, "deduplication": message.deduplication_id}
    for what, text in ids.items():
        if text is not None and not _ID.fullmatch(text):
            raise refused(
                queue,
                f"its {what} id '{text:.50}' is not 1 to 128 letters, digits and signs of ASCII",
            )
    if is_fifo(queue):
        _check_fifo(message, queue)


def _check_fifo(message: OutgoingMessage, queue: str) -> None:
    if message.group_id is None:
        raise refused(queue, "messages of FIFO queues need a group: give messageGroupId")
    if message.delay_s:
        raise refused(queue, "single messages of FIFO queues have no delay")


def _check_text(text: str, queue: str) -> None:
    found = FORBIDDEN.search(text)
    if found is not None:
        raise refused(
            queue,
            f"it has the character U+{ord(found[0]):04X} at {found.start()}, which queues do not "
            "take: use the messageEncoding base64",
        )


def _check_attributes(attributes: Mapping[str, str], queue: str) -> None:
    if len(attributes) > MAX_ATTRIBUTES:
        raise refused(
            queue, f"it has {len(attributes)} attributes, and {MAX_ATTRIBUTES} are the most"
        )
    for name, value in attributes.items():
        if not _ATTRIBUTE.fullmatch(name) or len(name) > 256:
            raise refused(queue, f"'{name:.50}' cannot be an attribute's name")
        if not value:
            raise refused(queue, f"its attribute '{name}' is empty")
        _check_text(value, queue)


def _size(message: OutgoingMessage) -> int:
    texts = [message.body, *message.attributes, *message.attributes.values()]
    return sum(len(each.encode()) for each in texts)


def refused(queue: str, why: str) -> InvalidArgumentError:
    """The error of a message that a queue does not take."""
    return InvalidArgumentError(f"A message for the queue '{queue}' is refused: {why}.")
