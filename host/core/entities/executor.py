"""Who runs the operations of entities: a seam, as `core/executors.py` is for orchestrators.

The core says which operations are to be done on what, an executor says what came of them.
Operations are the author's code and may do anything: nothing of them is replayed. Their outcome is
no fact until the batch is stored, so after a crash or a lost race they are done again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeAlias

import msgspec

from bindings.errors import FailureDetails
from host.core.functions import LimitUse
from host.core.history import ParentInstance, Payload


class Operation(msgspec.Struct, frozen=True):
    """One operation that is to be done."""

    name: str
    input: Payload = None
    caller: ParentInstance | None = None
    """Who waits for what comes of it; None for a signal."""


class SignalDeed(msgspec.Struct, frozen=True):
    """An operation that the entity asks of another one, or of itself."""

    instance_id: str
    operation: str
    input: Payload = None
    scheduled_at: datetime | None = None


class StartDeed(msgspec.Struct, frozen=True):
    """An orchestration that the entity starts."""

    name: str
    instance_id: str
    input: Payload = None
    version: str | None = None


EntityDeed: TypeAlias = SignalDeed | StartDeed


class OperationOutcome(msgspec.Struct, frozen=True):
    """What came of one operation. One that failed has done nothing."""

    result: Payload = None
    failure: FailureDetails | None = None
    deeds: Sequence[EntityDeed] = ()


class EntityContent(msgspec.Struct, frozen=True):
    """What operations of an entity find, and what they leave."""

    state: Payload = None
    """None if there is none; a state that is None is the JSON text `null`."""
    tags: dict[str, str] = msgspec.field(default_factory=dict)


class EntityOutput(msgspec.Struct, frozen=True):
    """What came of a batch: of its first operations at least, in order, and what they left.

    What has no outcome is to be done in the next batch.
    """

    content: EntityContent
    outcomes: Sequence[OperationOutcome]


Operate: TypeAlias = Callable[[str, EntityContent, Sequence[Operation]], Awaitable[EntityOutput]]
"""Does operations of one entity, one after the other: its instance id, what it is, what to do.

Whatever it raises says that none was done. An operation that raises is an outcome. Cancelled if
nobody wants to know any more.
"""


class EntityExecutor(Protocol):
    """Runs the operations of entities."""

    def find(self, name: str, /) -> Operate | None:
        """Who does the operations of this entity; None if nobody does.

        Names of entities are in lower case.
        """

    def limit_of(self, name: str, /) -> LimitUse | None:
        """The limit that this entity keeps to: an entity does nothing without a slot of it.

        Its key is that of the entity's own key, as a JSON text.
        """


class NoEntities:
    """The `EntityExecutor` of who has none."""

    def find(self, _name: str, /) -> None:
        """Nobody."""

    def limit_of(self, _name: str, /) -> None:
        """None."""
