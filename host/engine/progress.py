"""What a person at a terminal sees happen: a line for each start, end and takeover of an instance.

Failures have lines of their own (`failure_log.py`). Of many in one second only the first have a
line, and the rest a count: else the log would cost more than the work.
"""

from __future__ import annotations

import logging

from bindings.client import RuntimeStatus
from host.clock import Clock
from host.engine.observer import InstanceEnded, InstanceStarted, InstanceTakenOver, Observer
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
        self.observer = Observer(
            name="progress",
            sees={
                InstanceStarted: self._started,
                InstanceTakenOver: self._taken_over,
                InstanceEnded: self._ended,
            },
        )

    def tell_rest(self) -> None:
        """Say how many lines were left out, when their second is over."""
        if self._left_out and int(self._clock.monotonic()) != self._second:
            _logger.info("... and %d more such lines within a second", self._left_out)
            self._left_out = 0

    def _started(self, event: InstanceStarted) -> None:
        if self._may_tell():
            _logger.info("'%s' started: %s", event.row.name, event.row.instance_id)

    def _taken_over(self, event: InstanceTakenOver) -> None:
        if self._may_tell():
            text = "'%s' goes on where a host left it: %s"
            _logger.info(text, event.row.name, event.row.instance_id)

    def _ended(self, event: InstanceEnded) -> None:
        row = event.row
        if row.status is not RuntimeStatus.FAILED and self._may_tell():  # failures: failure_log.py
            status = row.status.value.lower()
            seconds = max(0.0, (row.updated_at - row.created_at).total_seconds())
            _logger.info("'%s' %s after %.1f s: %s", row.name, status, seconds, row.instance_id)

    def _may_tell(self) -> bool:
        """Whether there is a line left in this second; it is used up by asking."""
        if not _logger.isEnabledFor(logging.INFO):
            return False
        second = int(self._clock.monotonic())
        if second != self._second:
            self.tell_rest()
            self._second, self._told = second, 0
        self._told += 1
        if self._told > MAX_A_SECOND:
            self._left_out += 1
        return self._told <= MAX_A_SECOND
