"""What this process last saw of an instance, so that a turn does not read before it writes.

Rules of this file: other hosts change the same instances, so a head may be out of date; whatever is
decided by one is held by a condition in the write, too. The one thing no condition can hold is that
the row still is of the turn's run: for that a head counts only while it is fresh.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime, timedelta

import msgspec

from host.storage.aws.table.items import LEAVING, run_of, status_of
from host.storage.aws.table.keys import BatchKey, Item, read_text

MAX_HEADS = 20_000
FRESH_FOR = timedelta(seconds=10)
"""How long a run is trusted to last, at most: see `fresh_for`."""

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
COLUMNS = f"#r, #x, #st, #{LEAVING}"


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one instance, as it was read or written at `seen_at`.

    `reached` is the latest turn that is known; it orders what different hosts say of the alarm.
    """

    instance_id: str
    run: str
    execution_id: str
    is_finished: bool
    seen_at: datetime
    reached: BatchKey | None = None
    is_leaving: bool = False
    """Whether it is marked for removal, which who sends to it has to undo."""


def head_of(
    instance_id: str, item: Item, seen_at: datetime, reached: BatchKey | None = None
) -> Head:
    """A head from the item of a row; `COLUMNS` of it are enough."""
    return Head(
        instance_id=instance_id,
        run=run_of(item),
        execution_id=read_text(item, "x"),
        is_finished=status_of(item).is_finished,
        seen_at=seen_at,
        reached=reached,
        is_leaving=LEAVING in item,
    )


class HeadCache:
    """The heads used last."""

    def __init__(self) -> None:
        self._heads: OrderedDict[str, Head] = OrderedDict()

    def get(self, instance_id: str) -> Head | None:
        """The head, however old."""
        head = self._heads.get(instance_id)
        if head is not None:
            self._heads.move_to_end(instance_id)
        return head

    def put(self, head: Head) -> Head:
        """Keep what was seen. The turn that was reached is not forgotten within a run."""
        old = self._heads.pop(head.instance_id, None)
        if old is not None and old.run == head.run:
            head = msgspec.structs.replace(head, reached=_later(old.reached, head.reached))
        self._heads[head.instance_id] = head
        if len(self._heads) > MAX_HEADS:
            self._heads.popitem(last=False)
        return head

    def distrust(self, head: Head) -> None:
        """Look before this is used again; how far this host had come stays known."""
        if self._heads.get(head.instance_id) is not None:
            self._heads[head.instance_id] = msgspec.structs.replace(head, seen_at=NEVER)

    def forget(self, instance_id: str) -> None:
        """It is not known any more what is true."""
        self._heads.pop(instance_id, None)

    def clear(self) -> None:
        """Forget everything."""
        self._heads.clear()


def _later(old: BatchKey | None, new: BatchKey | None) -> BatchKey | None:
    """The later turn of one execution; of two executions the new one."""
    if old is None or new is None:
        return new or old
    return max(old, new) if old.execution_id == new.execution_id else new


def fresh_for(visibility_s: float) -> timedelta:
    """How long a run is trusted to last where a wake-up that is not extended is hidden this long.

    Another host takes an instance over only when its wake-up was not extended for longer than this,
    so whoever goes on after such a pause looks first. A wake-up is extended each third of its time:
    so even who hangs right before that has two thirds left, of which one is for being late.
    """
    return min(FRESH_FOR, timedelta(seconds=visibility_s / 3))


def is_fresh(head: Head, now: datetime, limit: timedelta) -> bool:
    """Whether the run may be taken for granted. A clock that was set back makes it not so."""
    return timedelta(0) <= now - head.seen_at <= limit
