"""What the writer knows of instances without asking the file.

Rules of this file: this process owns the file alone, so what is here is always true, or absent and
then read from the file. Only the writer thread changes it, and only after a commit; the event loop
may look at it at any time, since a head is never changed, only replaced.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from bindings.client import RuntimeStatus
from host.core.history import ParentInstance
from host.core.records import Instance, Message

MAX_HEADS = 10_000
MAX_KEPT_BYTES = 4096
"""Of a row, or a message, that is kept as it was written."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one run: what conditions are checked against (it is a `rules.Known`).

    `status` is the one that readers see. `inbox` counts the undelivered messages. `has_leases` may
    be true without need. `only_mail` is the message that is alone in the inbox, if it is small and
    came just now: its instance is led at once, and need not read what was written a moment ago.
    `fresh` is the whole row of a small instance as long as nothing else is stored of it but
    `only_mail`. Of a damaged row only the status is known, and no execution. `tags` are those
    of a small row; None says that only the file knows them.
    """

    run: int
    instance_id: str
    execution_id: str
    run_id: str
    status: RuntimeStatus
    generation: int
    created_at: datetime
    updated_at: datetime
    last_number: int = -1
    rewinds: int = 0
    parent: ParentInstance | None = None
    has_batches: bool = False
    inbox: int = 0
    only_mail: Message | None = None
    has_alarm: bool = False
    has_leases: bool = False
    fresh: Instance | None = None
    is_damaged: bool = False
    tags: dict[str, str] | None = None

    def known_mail(self) -> tuple[Message, ...] | None:
        """All that is in the inbox; None if only the file says what that is."""
        if self.only_mail is not None:
            return (self.only_mail,)
        return None if self.inbox else ()


def head_of(instance: Instance, *, run: int, size: int) -> Head:
    """The head of a run with this row, of so many bytes, nothing else stored."""
    return Head(
        run=run,
        instance_id=instance.instance_id,
        execution_id=instance.execution_id,
        run_id=instance.run_id,
        status=instance.status,
        generation=instance.generation,
        created_at=instance.created_at,
        updated_at=instance.updated_at,
        last_number=instance.last_number,
        rewinds=instance.rewinds,
        parent=instance.parent,
        has_alarm=instance.scheduled_start_at is not None,
        tags=instance.tags if size <= MAX_KEPT_BYTES else None,
    )


class HeadCache:
    """The heads of the instances used last, at most twice `MAX_HEADS`.

    Two dicts make it bounded: when the young one is full it becomes the old one, and the old one is
    forgotten. That is cheaper than keeping an order of use.
    """

    def __init__(self) -> None:
        self._young: dict[str, Head] = {}
        self._old: dict[str, Head] = {}

    def get(self, instance_id: str) -> Head | None:
        """What is known of the instance; None means unknown, not absent."""
        return self._young.get(instance_id) or self._old.get(instance_id)

    def put(self, head: Head) -> None:
        """Remember the head."""
        if len(self._young) >= MAX_HEADS:
            self._old = self._young
            self._young = {}
        self._young[head.instance_id] = head

    def forget(self, instance_id: str) -> None:
        """Read the instance from the file the next time."""
        self._young.pop(instance_id, None)
        self._old.pop(instance_id, None)
