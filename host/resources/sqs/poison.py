"""The queue for what failed too often in a queue on SQS, whose redrive policy does not say another.

Rules of this file: it is `<queue>-poison`, in the same place. If it is missing it is made when the
first message needs it, encrypted as the queue is; a host that may not make it says what to do, and
the message stays where it is. SQS does not move a message between queues in one step: it is sent,
then deleted. Whoever sent one and could not delete it does not send it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from bindings.kinds.queue_rules import FORBIDDEN, MAX_ATTRIBUTES, MAX_BYTES
from bindings.kinds.queues import ReceivedMessage, poison_name
from host.errors import ResourceError
from host.logs import HostLog
from host.resources.sqs.messages import (
    Entry,
    RawAttributes,
    raw_entry,
    size_of,
    text_value,
)
from host.resources.sqs.queue import Attributes, SqsQueue
from host.resources.sqs.recent import Recent
from host.resources.sqs.trouble import QueueMissingError, is_denied, said_of
from host.storage.aws.wire.errors import AwsError

_log = HostLog(__name__)

RETENTION_S: Final = 14 * 24 * 3600
"""As long as SQS keeps anything."""
_LIKE_THE_QUEUE: Final = (
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
    "MaximumMessageSize",
)
_THERE_ALREADY: Final = frozenset({"QueueAlreadyExists", "QueueNameExists"})


class PoisonQueue:
    """The poison queue of a queue."""

    def __init__(self, queue: SqsQueue, beside: Callable[[str], SqsQueue]) -> None:
        """`beside` gives the queue of a name in the same place as `queue`."""
        self._queue = queue
        self._beside = beside
        self._sent = Recent[None]()
        self._making = asyncio.Lock()

    async def put(
        self, message: ReceivedMessage, raw: RawAttributes, reason: Mapping[str, str]
    ) -> None:
        """Send it there, with the reason beside its own attributes `raw`; once.

        Raises `ResourceError` if there is no such queue and none can be made.
        """
        if message.id in self._sent:
            return
        poison = self._beside(poison_name(self._queue.address.name))
        async with self._making:  # several messages may find it missing at once
            attributes = await self._attributes_of(poison)
        limit = int(attributes.get("MaximumMessageSize", MAX_BYTES))
        entry = _entry(message, raw, reason, max_bytes=limit, is_fifo=poison.address.is_fifo)
        try:
            await poison.send_entries([entry])
        except QueueMissingError:
            poison.forget()  # if it was deleted meanwhile, the next one makes it anew
            raise
        self._sent[message.id] = None

    def forget(self, message_id: str) -> None:
        """It is in no other queue any more."""
        self._sent.pop(message_id)

    async def _attributes_of(self, poison: SqsQueue) -> Attributes:
        """What is set at the poison queue, which is made if it is missing."""
        try:
            return await poison.attributes() or await self._queue.attributes()
        except QueueMissingError:
            pass
        attributes = _attributes(await self._queue.attributes(), is_fifo=poison.address.is_fifo)
        await self._make(poison, attributes)
        return attributes

    async def _make(self, poison: SqsQueue, attributes: Attributes) -> None:
        name, of = poison.address.name, self._queue.address
        if not of.is_plain:  # it may be another account's, and ours would be made instead
            raise ResourceError(_no_place(name, of.name, "make it there"))
        with said_of(poison.address, await poison.region()):
            try:
                await poison.create(attributes)
            except AwsError as error:
                if is_denied(error):
                    raise ResourceError(_no_place(name, of.name, "create it")) from error
                if error.code.rpartition(".")[2] not in _THERE_ALREADY:
                    raise
        _log.info("Created the queue '%s' for what fails too often in '%s'", name, of.name)


def _no_place(name: str, queue_name: str, deed: str) -> str:
    return (
        f"There is no SQS queue '{name}' for what failed too often in '{queue_name}', and this "
        f"host may not {deed}: create it, allow sqs:CreateQueue on it to this host's role, or give "
        f"'{queue_name}' a redrive policy. Until then such messages come again."
    )


def _attributes(of_queue: Attributes, *, is_fifo: bool) -> Attributes:
    """What is set at a new poison queue."""
    alike = {name: of_queue[name] for name in _LIKE_THE_QUEUE if of_queue.get(name)}
    if "KmsMasterKeyId" in alike:  # a queue has one of the two
        alike.pop("SqsManagedSseEnabled", None)
    else:
        alike.pop("KmsDataKeyReusePeriodSeconds", None)
    fifo = {"FifoQueue": "true"} if is_fifo else {}
    return {"MessageRetentionPeriod": str(RETENTION_S), **alike, **fifo}


def _entry(
    message: ReceivedMessage,
    raw: RawAttributes,
    reason: Mapping[str, str],
    *,
    max_bytes: int,
    is_fifo: bool,
) -> Entry:
    """The message as it was, with as much of the reason as there is room for."""
    attributes, left = dict(raw), max_bytes - raw_entry(message.body, raw).size
    for name, text in reason.items():
        room = left - size_of(name, text_value(""))
        shown = FORBIDDEN.sub("\ufffd", text).encode()[: max(0, room)].decode(errors="ignore")
        if shown and name not in attributes and len(attributes) < MAX_ATTRIBUTES:
            attributes[name] = text_value(shown)
            left -= size_of(name, attributes[name])
    entry = raw_entry(message.body, attributes)
    if message.group_id is not None:
        entry.fields["MessageGroupId"] = message.group_id
    if is_fifo:  # what is sent again, by this host or another, is the same for five minutes
        entry.fields["MessageDeduplicationId"] = message.id
    return entry
