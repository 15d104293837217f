"""Log lines that everybody would write at the same time: one of a kind, then how many there were.

What fails one instance may fail every other, again and again, and so do requests of somebody who
tries a function's patience. The first line says it; more of them would only bury it.
"""

from __future__ import annotations

import logging

from host.clock import Clock
from host.logs import HostLog

QUIET_S = 60.0
"""How long a line of a kind stands for all that come after it."""
_MAX_KINDS = 1000

_logger = HostLog("funchost.engine")


class RepeatedLines:
    """Writes lines of which many may come at once."""

    def __init__(self, clock: Clock, log: HostLog = _logger) -> None:
        self._clock = clock
        self._log = log
        self._told: dict[tuple[str, str], tuple[float, int]] = {}
        """By text and error: when it was told, and how often it was left out since."""

    def warn(
        self, text: str, subject: object, error: BaseException | str, *, kind: str | None = None
    ) -> None:
        """Log `text` with its subject and the error, unless that was just told of another.

        Lines are of one kind by the text and the error, or by `kind` where somebody else chooses
        what the error says.
        """
        self._tell(logging.WARNING, text, (subject, error), str(error) if kind is None else kind)

    def note(self, text: str, *about: object) -> None:
        """The same on the level INFO, for what is no failure; lines are of one kind by the text."""
        self._tell(logging.INFO, text, about, "")

    def _tell(self, level: int, text: str, about: tuple[object, ...], kind: str) -> None:
        kind_of_line = (text, kind)
        now = self._clock.monotonic()
        told_at, left_out = self._told.get(kind_of_line, (None, 0))
        if told_at is not None and now - told_at < QUIET_S:
            self._told[kind_of_line] = (told_at, left_out + 1)
            return
        if len(self._told) >= _MAX_KINDS:
            self._told.clear()
        self._told[kind_of_line] = (now, 0)
        if left_out:
            text += f" (and {left_out} more like this)"
        self._log.log(level, text, *about)
