"""The inboxes: messages come in, are read in order of arrival, and are deleted when consumed.

Rules of this file: a message is put under its id, so twice is once. It belongs to the run that its
addressee was of when the sender looked; a later run never sees it. Arrival is the sender's clock,
which within one process never stands still.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from bindings.errors import InstanceNotFoundError
from host.core import codec
from host.core.records import Message
from host.errors import Conflict, DamagedDataError
from host.storage import rules
from host.storage.aws.bodies import Chunks, ChunksMissingError, chunks_of
from host.storage.aws.errors import ConditionFailedError
from host.storage.aws.heads import Head
from host.storage.aws.hub_table import READ_AGAIN, HubTable, between, chunk_keys
from host.storage.aws.items import chunks_missing, message_item, message_of, reading, run_of
from host.storage.aws.keys import (
    MESSAGES,
    META,
    Item,
    Key,
    id_of,
    key_of,
    message_key,
    read_number,
    sort_key_of,
    text,
)
from host.storage.aws.table import Expression

MAX_LONG_MESSAGES = 10_000
_IS_NEWS = "attribute_not_exists(#pk) OR #r <> :r"


class Inboxes:
    """The inboxes of all instances of a hub."""

    def __init__(self, hub: HubTable) -> None:
        self._hub = hub
        self._last_arrival = 0
        self._long: dict[tuple[str, str], Chunks] = {}
        """Where the chunks of messages lie that were read here: who consumes has read before."""

    async def send(self, instance_id: str, message: Message) -> None:
        """Put one message into the inbox of an active instance."""
        arrivals = self._arrivals([message])
        head = await self._hub.look(instance_id)
        while head is None or head.is_finished:
            found = await self._hub.find(instance_id, even_damaged=True)
            if found is None:
                raise InstanceNotFoundError(instance_id)
            rules.check_send(found.row, instance_id)
            head = await self._hub.look(instance_id)  # it was started again in between
        await self._put(head, message, *arrivals)

    async def deliver(self, instance_id: str, messages: Sequence[Message]) -> bool:
        """Put messages into an inbox, in order; False if there is nobody to read them."""
        arrivals = self._arrivals(messages)
        try:
            head = await self._hub.look(instance_id)
        except DamagedDataError:  # that is no fault of the sender's
            return False
        if head is None or head.is_finished:
            return False
        for message, arrival in zip(messages, arrivals, strict=True):
            await self._put(head, message, arrival)
        return True

    async def read(self, instance_id: str, of: str | None = None) -> Sequence[Message]:
        """The messages not yet deleted, in order of arrival.

        Raises `DamagedDataError`, and `Conflict` if the row is not of the execution `of`.
        """
        for _ in range(READ_AGAIN):
            seen_at = self._hub.now()
            keys = between(instance_id, MESSAGES, META)  # the row comes right after the messages
            items = await self._hub.table.query_all(keys)
            head = self._head_at(instance_id, items, seen_at)
            if of is not None and not (head and head.execution_id == of and not head.is_finished):
                raise Conflict(f"'{instance_id}' was purged or replaced, or went on elsewhere.")
            if head is None or head.is_finished:
                return ()
            with reading(instance_id, "its inbox"):
                bodies = [chunks_of(item) for item in items]
            chunks = await self._hub.fetch_chunks(instance_id, bodies)
            try:
                with reading(instance_id, "its inbox"):
                    return self.of_run(head.run, items, chunks)
            except ChunksMissingError as error:
                damage = chunks_missing(instance_id, error)
        raise damage

    def _head_at(self, instance_id: str, items: list[Item], seen_at: datetime) -> Head | None:
        """The head of the row, which is taken out of the items; None if there is no row."""
        if not items or sort_key_of(items[-1]) != META:
            self._hub.heads.forget(instance_id)  # no turn is to go by what was seen before
            return None
        return self._hub.keep_head(instance_id, items.pop(), seen_at)

    def of_run(
        self, run: str, items: Iterable[Item], chunks: Mapping[str, Item]
    ) -> Sequence[Message]:
        """The messages of a run among the items of an inbox, in order of arrival.

        Raises `ChunksMissingError`.
        """
        mine = sorted(
            (item for item in items if run_of(item) == run),
            key=lambda item: (read_number(item, "at"), sort_key_of(item)),
        )
        for item in mine:
            self._remember(item)
        return tuple(message_of(item, chunks) for item in mine)

    def keys_of(self, instance_id: str, message_ids: Iterable[str]) -> list[Key]:
        """The keys of all items of messages that were read here."""
        ids = dict.fromkeys(message_ids)
        long = [self._long.pop((instance_id, message_id), None) for message_id in ids]
        keys = [key_of(instance_id, message_key(message_id)) for message_id in ids]
        return [*keys, *chunk_keys(instance_id, long)]

    def forget(self) -> None:
        """Nothing that was read here matters any more."""
        self._long.clear()

    def _remember(self, item: Item) -> None:
        chunks = chunks_of(item)
        if chunks is not None:
            if len(self._long) >= MAX_LONG_MESSAGES:  # the chunks then stay until a purge
                del self._long[next(iter(self._long))]
            self._long[id_of(item), sort_key_of(item)[len(MESSAGES) :]] = chunks

    def _arrivals(self, messages: Sequence[Message]) -> Sequence[int]:
        first = max(self._last_arrival + 1, rules.micros(self._hub.now()))
        self._last_arrival = first + len(messages) - 1
        return range(first, first + len(messages))

    async def _put(self, head: Head, message: Message, arrival: int) -> None:
        body = await self._hub.make_body(codec.encode(message))
        await self._hub.write_chunks(head.instance_id, head.run, body)
        item = message_item(head.instance_id, message.message_id, head.run, arrival, body)
        try:
            await self._hub.table.put(item, Expression(_IS_NEWS, {":r": text(head.run)}))
        except ConditionFailedError as error:
            if not (error.may_be_own and body.chunks is not None):
                await self._hub.delete_chunks(head.instance_id, [body.chunks])
