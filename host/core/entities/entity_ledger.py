"""The open ends of an entity: the state of its last batch, and which messages it has taken in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from host.core.entities.received import Received
from host.core.history import Batch
from host.core.ledger import Ledger
from host.core.records import Message

_NOTHING_RECEIVED: Final = Received()
"""Before the first batch; nothing is added to it."""


class EntityLedger(Ledger):
    """Of an entity. What it knows of messages does not grow with its age."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(execution_id)
        self._received = _NOTHING_RECEIVED

    def add_batch(self, batch: Batch) -> None:
        """Take in a batch, which stands for all before it.

        Of the messages of those before it, what may come again is remembered: they were deleted
        before this one was stored.
        """
        is_first = self.entity is None  # of those known here: others may have come before it
        self._consumed = {*batch.consumed}
        for event in batch.events:
            if (entry := self.entries.get(type(event))) is not None:
                entry(self, event)
        if is_first:
            self._received = Received(() if self.entity is None else self.entity.recent)
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
