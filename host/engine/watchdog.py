"""Reports an orchestrator that keeps the event loop busy, by name and with its stack.

A thread looks on, because the loop itself cannot while it is stuck.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback

from host.engine.clock import Clock

_logger = logging.getLogger("funchost.engine")


class TurnWatch:
    """Use `begin` and `end` around code of an author that runs on the event loop."""

    def __init__(self, clock: Clock, limit_s: float) -> None:
        self._clock = clock
        self._limit_s = limit_s
        self._turn: tuple[str, str, float] | None = None
        self._reported: tuple[str, str, float] | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._loop_thread = 0

    def begin(self, orchestrator: str, instance_id: str) -> None:
        """A turn begins."""
        self._turn = (orchestrator, instance_id, self._clock.monotonic())

    def end(self) -> None:
        """The turn is over."""
        self._turn = None

    def start(self) -> None:
        """Begin to look on. Called on the event loop's thread."""
        self._loop_thread = threading.get_ident()
        self._thread = threading.Thread(target=self._look, name="funchost-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop looking on."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def stuck(self) -> str | None:
        """The orchestrator and instance whose turn takes too long right now."""
        turn = self._turn
        if turn is None or self._clock.monotonic() - turn[2] < self._limit_s:
            return None
        return f"'{turn[0]}' ({turn[1]})"

    def _look(self) -> None:
        while not self._stopping.wait(min(1.0, self._limit_s / 2)):
            turn = self._turn
            if turn is not self._reported and self.stuck() is not None:
                self._reported = turn
                self._report()

    def _report(self) -> None:
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - the documented way
        stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
        _logger.error(
            "The orchestrator %s has been running for more than %.0f s without waiting for a "
            "durable task; everything else on this host waits for it. Move long work into an "
            "activity. It is at:\n%s",
            self.stuck(),
            self._limit_s,
            stack,
        )
