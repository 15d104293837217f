"""What the host gives to the listener of a function: time, and a place in the hub.

Everything of it is for the event loop's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bindings.kinds.resources import Resources


class Clock(Protocol):
    """The host's time. Whoever asks another clock cannot be tested without waiting."""

    def now(self) -> datetime:
        """The time, aware, in UTC. It may jump: somebody sets it, or the machine sleeps."""

    def monotonic(self) -> float:
        """Seconds that never go back, also of the machine's sleep where the system tells."""

    async def sleep(self, seconds: float) -> None:
        """Wait this long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRecord:
    """Some bytes that are kept in the hub, at most 256 KiB.

    `stamp` names the write that left it so: whoever writes draws a new one, such as `uuid4().hex`.
    """

    stamp: str
    data: bytes


class HubRecords(Protocol):
    """What the listeners of one kind of trigger keep in the hub, for all of its hosts.

    The keys of another kind are others, and so are the host's own records. All methods raise
    `FunchostError` if the hub cannot be reached; then a write may have been done or not.
    """

    async def read(self, key: str) -> HubRecord | None:
        """The record under this key, or None. On AWS a read unit for each 4 KB."""

    async def change(self, key: str, record: HubRecord, *, after: str | None) -> bool:
        """Store the record in place of the one with the stamp `after`; None: where there is none.

        False, with nothing done, if another one is there, or none: of two hosts that change the
        same record at once, one does it. The same again is still True, so a write whose answer was
        lost can be repeated. On AWS a write unit for each KB, also where it is refused.
        """

    async def put(self, key: str, record: HubRecord) -> None:
        """Store the record, whatever was there before."""

    async def remove(self, key: str) -> None:
        """Remove the record, if it is there."""

    async def page(self, after: str, limit: int) -> tuple[Mapping[str, HubRecord], str | None]:
        """Records by their keys, in order, beginning after this key.

        The rest comes after the key that is given with them; None at the end. Damaged ones are left
        out.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerServices:
    """What a listener may use of its host."""

    clock: Clock
    records: HubRecords
    host_id: str
    """Which host of the hub this is. It is drawn anew at each start."""
    is_alone: bool
    """Whether no other process has the hub: what an earlier one held in it is nobody's now."""
    resources: Resources
    """The queues, tables and blobs that bindings name."""
    show: Callable[[Mapping[str, str]], None]
    """Takes what the list of functions is to say of this one from now on, by short names."""
