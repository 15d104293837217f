"""What a person at a terminal sees happen: a line for each start, end and takeover of an instance.

Failures have lines of their own (`failure_log.py`). Of many in one second only the first have a
line, and the rest a count: else the log would cost more than the work.
"""

from __future__ import annotations

import logging

from bindings.client import RuntimeStatus
from host.clock import Clock
from host.core.records import Instance
from host.logs import HostLog

CATEGORY = "funchost.instances"
MAX_A_SECOND = 20

_logger = HostLog(CATEGORY)


class Progress:
    """Tells what becomes of instances on this host."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = 0
        self._told = 0
        self._left_out = 0

    def started(self, row: Instance) -> None:
        """An instance took its first turn."""
        self._tell("'%s' started: %s", row)

    def resumed(self, row: Instance) -> None:
        """An instance goes on here that was led by a host that vanished, or by an earlier start."""
        self._tell("'%s' goes on where a host left it: %s", row)

    def ended(self, row: Instance) -> None:
        """An instance came to its end; of a failure the log has been told already."""
        if row.status is not RuntimeStatus.FAILED:
            seconds = max(0.0, (row.updated_at - row.created_at).total_seconds())
            self._tell(f"'%s' {row.status.value.lower()} after {seconds:.1f} s: %s", row)

    def tell_rest(self) -> None:
        """Say how many lines were left out, when their second is over."""
        if self._left_out and int(self._clock.monotonic()) != self._second:
            _logger.info("... and %d more such lines within a second", self._left_out)
            self._left_out = 0

    def _tell(self, text: str, row: Instance) -> None:
        if not _logger.isEnabledFor(logging.INFO):
            return
        second = int(self._clock.monotonic())
        if second != self._second:
            self.tell_rest()
            self._second, self._told = second, 0
        self._told += 1
        if self._told > MAX_A_SECOND:
            self._left_out += 1
        else:
            _logger.info(text, row.name, row.instance_id)
