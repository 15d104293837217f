"""Messages as SQS has them: what it takes, and what its answers say.

Rules of this file: pure. What SQS would refuse is refused before it is sent, with words that say
what to do: of a request that was sent, others may go down with the one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from bindings.kinds.queue_rules import check_message
from bindings.kinds.queues import OutgoingMessage, ReceivedMessage
from host.resources.sqs.addresses import QueueAddress

_TEXT: Final = "String"

RawAttributes = Mapping[str, Mapping[str, Any]]
"""Attributes in SQS's words: the type and the value of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A message as SQS is sent it, and how many bytes of it count."""

    fields: dict[str, Any]
    size: int


def entry_of(
    message: OutgoingMessage, address: QueueAddress, *, is_deduplicated: bool = False
) -> Entry:
    """The message for this queue; `is_deduplicated` if the queue itself compares contents.

    Raises `InvalidArgumentError` for what SQS does not take.
    """
    check_message(message, address.name)
    raw = {name: text_value(value) for name, value in message.attributes.items()}
    entry = raw_entry(message.body, raw)
    if message.delay_s:
        entry.fields["DelaySeconds"] = math.ceil(message.delay_s)
    if message.group_id is not None:
        entry.fields["MessageGroupId"] = message.group_id
    if address.is_fifo and not (is_deduplicated and message.deduplication_id is None):
        entry.fields["MessageDeduplicationId"] = message.deduplication_id or uuid4().hex
    return entry


def raw_entry(body: str, attributes: RawAttributes) -> Entry:
    """A message with these attributes."""
    fields: dict[str, Any] = {"MessageBody": body}
    if attributes:
        fields["MessageAttributes"] = dict(attributes)
    size = len(body.encode(errors="surrogatepass"))
    return Entry(fields=fields, size=size + sum(size_of(*each) for each in attributes.items()))


def read_message(
    answered: Mapping[str, Any], *, held_until: datetime, retention_s: int | None, untried: int = 0
) -> ReceivedMessage:
    """A message of an answer to a receive, which was given back `untried` so often."""
    system: Mapping[str, str] = answered.get("Attributes") or {}
    sent_at = datetime.fromtimestamp(int(system.get("SentTimestamp", 0)) / 1000, UTC)
    kept = None if retention_s is None else timedelta(seconds=retention_s)
    return ReceivedMessage(
        id=answered["MessageId"],
        body=answered["Body"],
        receipt=answered["ReceiptHandle"],
        dequeue_count=max(1, int(system.get("ApproximateReceiveCount", 1)) - untried),
        inserted_at=sent_at,
        expires_at=None if kept is None else sent_at + kept,
        next_visible_at=held_until,
        group_id=system.get("MessageGroupId"),
        attributes={
            name: str(value.get("StringValue") or value.get("BinaryValue") or "")
            for name, value in raw_attributes(answered).items()
        },
    )


def raw_attributes(answered: Mapping[str, Any]) -> RawAttributes:
    """The attributes of a received message as they can be sent again."""
    given: RawAttributes = answered.get("MessageAttributes") or {}
    parts = ("DataType", "StringValue", "BinaryValue")
    return {
        name: {part: value[part] for part in parts if value.get(part)}
        for name, value in given.items()
    }


def text_value(text: str) -> Mapping[str, str]:
    """An attribute that is a text."""
    return {"DataType": _TEXT, "StringValue": text}


def size_of(name: str, value: Mapping[str, Any]) -> int:
    """How many bytes of a message an attribute takes: its name, its type and its value."""
    return sum(len(str(part).encode(errors="surrogatepass")) for part in (name, *value.values()))
