"""The inboxes: messages come in, are read in order of arrival, and are deleted when consumed.

Rules of this file: a message belongs to the run that its addressee was of when the sender looked; a
later run never sees it. Arrival is the sender's clock, but later than all that the sender finds in
the inbox, so what was accepted first comes first, by whichever hosts and however their clocks are:
it either is there still, or was consumed already. Newer messages lie before older ones, so a reader
who finds one finds all that were accepted before it. The same message sent again (to be sure that
it is there) may lie there twice: its first place counts, and it is consumed with all its places.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from bindings.errors import InstanceNotFoundError
from host.core import codec, ids
from host.core.records import Message
from host.errors import Conflict, DamagedDataError
from host.storage import rules
from host.storage.aws.table.bodies import (
    MAX_INLINE_ROW_BYTES,
    ChunksMissingError,
    chunks_of,
)
from host.storage.aws.table.heads import COLUMNS, Head
from host.storage.aws.table.hub_table import READ_AGAIN, HubTable, between, chunk_keys, within
from host.storage.aws.table.items import (
    LEAVING,
    chunks_missing,
    message_item,
    message_of,
    new_row,
    reading,
    run_of,
)
from host.storage.aws.table.keys import (
    MESSAGES,
    META,
    Item,
    arrival_of,
    id_of,
    key_of,
    message_id_of,
    read_number,
    sort_key_of,
    text,
)
from host.storage.aws.table.places import KnownPlaces, places_of
from host.storage.aws.table.table import MISSING, Expression
from host.storage.aws.wire.errors import ConditionFailedError

SENDING_TAKES = timedelta(seconds=5)
"""Who needs longer from his look at an entity until his message is stored looks again."""
_NEWEST = f"#pk, #sk, #at, {COLUMNS}"
_IS_NEWS = "attribute_not_exists(#pk) OR #r <> :r"


class Inboxes:
    """The inboxes of all instances of a hub."""

    def __init__(self, hub: HubTable) -> None:
        self._hub = hub
        self._last_arrival = 0
        self._places = KnownPlaces()

    async def send(self, instance_id: str, message: Message, of: str | None = None) -> None:
        """Put one message into the inbox of an active instance."""
        first = self._moments(1)  # what is sent from here side by side keeps its order
        is_sent = False
        while not is_sent:  # an entity that was removed meanwhile is made anew
            is_sent = await self._is_sent(instance_id, message, first, of)

    async def _is_sent(
        self, instance_id: str, message: Message, first: int, of: str | None
    ) -> bool:
        began_at = self._hub.now()
        head, newest = await self._look(instance_id)
        while head is None or head.is_finished:
            found = await self._hub.find(instance_id, even_damaged=True)
            if found is not None:
                rules.check_send(found.row, instance_id, of)
            elif not await self._bear(instance_id, message):
                raise InstanceNotFoundError(instance_id)
            head, newest = await self._look(instance_id)  # it was started again in between
        if of is not None and head.run != of:
            raise InstanceNotFoundError(instance_id)
        await self._put(head, message, *self._arrivals(first, newest, 1))
        return await self._is_still(head, began_at)

    async def deliver(self, instance_id: str, messages: Sequence[Message]) -> bool:
        """Put messages into an inbox, in order; False if there is nobody to read them."""
        first = self._moments(len(messages))
        while True:
            began_at = self._hub.now()
            head = await self._deliver(instance_id, messages, first)
            if head is None or await self._is_still(head, began_at):
                return head is not None

    async def _deliver(
        self, instance_id: str, messages: Sequence[Message], first: int
    ) -> Head | None:
        """The head by which the messages were put; None if there is nobody to read them."""
        try:
            head, newest = await self._look(instance_id)
            if head is None and messages and await self._bear(instance_id, messages[0]):
                head, newest = await self._look(instance_id)
        except DamagedDataError:  # that is no fault of the sender's
            return None
        if head is None or head.is_finished:
            return None
        arrivals = self._arrivals(first, newest, len(messages))
        for message, arrival in zip(messages, arrivals, strict=True):
            await self._put(head, message, arrival)
        return head

    async def _is_still(self, head: Head, began_at: datetime) -> bool:
        """Whether what was sent by this head reaches anybody: an entity may have been removed.

        No other can be, and none in so short a time: see `removals`.
        """
        took = self._hub.now() - began_at
        if timedelta(0) <= took <= SENDING_TAKES or not ids.is_entity(head.instance_id):
            return True
        try:
            stays = await self._staying(await self._hub.look(head.instance_id))
        except DamagedDataError:  # then it is there
            return True
        return stays is not None and stays.run == head.run

    async def _staying(self, head: Head | None) -> Head | None:
        """The head of an entity that is not marked for removal any more; None if it is gone."""
        while head is not None and head.is_leaving:
            key = key_of(head.instance_id, META)
            still_is = Expression("#r = :r", {":r": text(head.run)})
            with suppress(ConditionFailedError):
                await self._hub.table.update(key, Expression(f"REMOVE #{LEAVING}"), still_is)
            head = await self._hub.look(head.instance_id)
        return head

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
        if mine:
            self._places.note(id_of(mine[0]), places_of(mine))
        first: dict[str, Item] = {}
        for item in mine:
            first.setdefault(message_id_of(sort_key_of(item)), item)
        return tuple(message_of(item, chunks) for item in first.values())

    async def delete(self, instance_id: str, message_ids: Sequence[str]) -> None:
        """Delete messages, which were read before they were consumed, in all their places."""
        places = self._places.take(instance_id, message_ids)
        if places is None:  # it was long ago
            columns = "#pk, #sk, #c"
            items = await self._hub.table.query_all(within(instance_id, MESSAGES), columns=columns)
            found = places_of(items)
            places = [place for each in message_ids for place in found.pop(each, ())]
        keys = [key_of(instance_id, place.sort_key) for place in places]
        keys += chunk_keys(instance_id, (place.chunks for place in places))
        if keys:
            await self._hub.table.write_all(deletes=keys)

    def forget(self) -> None:
        """Nothing that was read here matters any more."""
        self._places.clear()

    async def _bear(self, instance_id: str, message: Message) -> bool:
        """Make the addressee, if that is an entity; False if it is none."""
        born = rules.born_of(instance_id, message)
        if born is None:
            return False
        body = await self._hub.make_body(codec.encode(born), MAX_INLINE_ROW_BYTES)
        item = new_row(born, body, self._hub.parts.placing_of(instance_id))
        with suppress(ConditionFailedError):  # somebody else has made it
            await self._hub.table.put(item, MISSING)
        return True

    async def _look(self, instance_id: str) -> tuple[Head | None, int]:
        """The head as it is now, and the arrival of the newest message that is there.

        The row lies right after the messages: as long as there are none it is one read.
        """
        seen_at = self._hub.now()
        keys = between(instance_id, MESSAGES, META)
        page = await self._hub.table.query(keys, columns=_NEWEST, limit=1)
        if page.items and sort_key_of(page.items[0]) == META:
            head = self._hub.keep_head(instance_id, page.items[0], seen_at)
            return await self._staying(head), 0
        newest = max(map(arrival_of, page.items), default=0)
        return await self._staying(await self._hub.look(instance_id)), newest

    def _moments(self, count: int) -> int:
        """The first of so many moments by this host's clock, which never stands still."""
        first = max(self._last_arrival + 1, rules.micros(self._hub.now()))
        self._last_arrival = first + count - 1
        return first

    def _arrivals(self, first: int, newest: int, count: int) -> Sequence[int]:
        """When so many messages arrive: by this host's clock, unless the inbox is ahead of that."""
        if first <= newest:
            self._last_arrival = max(self._last_arrival, newest)
            first = self._moments(count)
        return range(first, first + count)

    async def _put(self, head: Head, message: Message, arrival: int) -> None:
        body = await self._hub.make_body(codec.encode(message))
        await self._hub.write_chunks(head.instance_id, head.run, body)
        item = message_item(head.instance_id, message.message_id, head.run, arrival, body)
        try:
            await self._hub.table.put(item, Expression(_IS_NEWS, {":r": text(head.run)}))
        except ConditionFailedError as error:
            if not (error.may_be_own and body.chunks is not None):
                await self._hub.delete_chunks(head.instance_id, [body.chunks])
