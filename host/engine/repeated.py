"""Log lines that everybody would write at the same time: one of a kind, then how many there were.

A store that is away fails every instance, again and again, and so do the requests of somebody who
tries a function's patience. The first line says it; more of them would only bury it.
"""

from __future__ import annotations

from host.clock import Clock
from host.logs import HostLog

QUIET_S = 60.0
"""How long a line of a kind stands for all that come after it."""
_MAX_KINDS = 1000

_logger = HostLog("funchost.engine")


class RepeatedLines:
    """Writes warnings of which many may come, such as those of a store that is away."""

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
        kind_of_line = (text, str(error) if kind is None else kind)
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
        self._log.warning(text, subject, error)
