"""The open ends of an entity: the state of its last batch, and which messages it has taken in."""

from __future__ import annotations

from collections.abc import Iterable

from host.core.entities.received import Received
from host.core.history import Batch
from host.core.ledger import Ledger
from host.core.records import Message


class EntityLedger(Ledger):
    """Of an entity. What it knows of messages does not grow with its age."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(execution_id)
        self._received = Received()

    def add_batch(self, batch: Batch) -> None:
        """Take in a batch, which stands for all before it.

        Of the messages of those before it, what may come again is remembered: they were deleted
        before this one was stored.
        """
        was_loaded = self.entity is None
        self._consumed = {*batch.consumed}
        for event in batch.events:
            if (entry := self.entries.get(type(event))) is not None:
                entry(self, event)
        if was_loaded and self.entity is not None:
            self._received = Received(self.entity.recent)
        else:
            self._received.add(batch.consumed)

    def has_consumed(self, message: Message) -> bool:
        """Whether a batch took this message in."""
        return super().has_consumed(message) or self._received.has(message.message_id)

    def recent_with(self, consumed: Iterable[str]) -> tuple[str, ...]:
        """What must still be recognised once these messages are consumed, too."""
        known = self._received.copy()
        known.add(consumed)
        return known.written()
