"""How much may wait in an inbox: clients' orders are refused beyond it.

An instance that is suspended, blocked or busy takes nothing out, and all that waits is read as one.
Counting what waits in the store at each order would cost a read each. So a host counts what itself
has put into an inbox, and looks into the store only after each eighth of the room. Several hosts
together may put in an eighth each beyond it.
"""

from __future__ import annotations

from collections import OrderedDict

from bindings.errors import InboxFullError
from host.clock import Clock
from host.core.history import InboxEvent
from host.storage.protocol import HubStore

_SHARE = 8
_FULL_S = 1.0
"""How long a full inbox stays so without another look."""
_OVERHEAD_BYTES = 500
"""What a message takes besides its text."""
_MAX_INSTANCES = 10_000


class InboxRoom:
    """Knows which inboxes have room. `max_bytes` is what may wait in one."""

    def __init__(self, store: HubStore, clock: Clock, max_bytes: int) -> None:
        self._store = store
        self._clock = clock
        self._max_bytes = max_bytes
        self._unseen: OrderedDict[str, int] = OrderedDict()
        """What this host put in since it last looked; who was forgotten is looked at first."""
        self._forgets = False
        self._full: dict[str, float] = {}
        """Until when an inbox is full without another look."""

    async def check(self, instance_id: str, event: InboxEvent) -> None:
        """Raise `InboxFullError` if there is no room for it; what is not refused is put in."""
        now = self._clock.monotonic()
        if self._full and self._full.get(instance_id, now) > now:
            raise InboxFullError(instance_id, self._max_bytes)
        size = _size(event)
        known = self._unseen.pop(instance_id, self._max_bytes if self._forgets else 0)
        if known + size <= self._max_bytes // _SHARE:
            self._note(instance_id, known + size)
            return
        self._note(instance_id, size)  # before the look: it is for one of many at a time
        waiting = sum(_size(each.event) for each in await self._store.read_inbox(instance_id))
        if waiting + size > self._max_bytes:
            self._full = {each: until for each, until in self._full.items() if until > now}
            self._full[instance_id] = now + _FULL_S
            raise InboxFullError(instance_id, self._max_bytes)

    def _note(self, instance_id: str, size: int) -> None:
        self._unseen[instance_id] = size
        if len(self._unseen) > _MAX_INSTANCES:
            self._unseen.popitem(last=False)
            self._forgets = True


def _size(event: InboxEvent) -> int:
    texts = (getattr(event, name, None) for name in ("input", "reason", "result", "status"))
    return _OVERHEAD_BYTES + sum(len(text) for text in texts if text)
