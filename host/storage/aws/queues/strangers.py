"""Lines of the log about messages that are no hints: whoever may send to a queue sends anything.

Rules of this file: one line a minute and kind, however many come; of what is in them, nothing.
"""

from __future__ import annotations

from host.clock import Clock
from host.logs import HostLog

_logger = HostLog("funchost.storage")

TOLD_EVERY_S = 60.0


class Strangers:
    """Tells of messages to one kind of queue."""

    def __init__(self, clock: Clock, wanted: str) -> None:
        """`wanted` is what messages of these queues are."""
        self._clock = clock
        self._wanted = wanted
        self._told_at = float("-inf")
        self._untold = 0

    def came(self, queue_name: str) -> None:
        """A message came that is something else, and is deleted."""
        now = self._clock.monotonic()
        if now - self._told_at < TOLD_EVERY_S:
            self._untold += 1
            return
        more = f"; so were {self._untold} since the last such line" if self._untold else ""
        self._told_at, self._untold = now, 0
        text = "A message in '%s' is no %s and is deleted%s."
        _logger.warning(text, queue_name, self._wanted, more)
