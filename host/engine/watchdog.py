"""Reports an orchestrator that keeps the event loop busy, by name and with its stack.

A thread looks on, because the loop itself cannot while it is stuck.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import traceback
from math import isinf

from bindings.errors import OrchestrationError
from host.engine.clock import Clock
from host.logs import HostLog

_logger = HostLog("funchost.engine")


class EndlessTurnError(OrchestrationError):
    """The orchestrator kept the host's event loop busy until the host broke it off."""

    def __init__(self) -> None:
        super().__init__(
            "The orchestrator ran for too long without waiting for a durable task, and was broken "
            "off because everything else waited for it. Move long work into an activity."
        )


class TurnWatch:
    """Use `begin` and `end` around code of an author that runs on the event loop.

    A turn that takes longer than `limit_s` is reported (nobody looks on if that is infinite); one
    that takes longer than `break_off_s` gets an `EndlessTurnError` raised in its midst, again and
    again until it ends.
    """

    def __init__(self, clock: Clock, limit_s: float, break_off_s: float) -> None:
        self._clock = clock
        self._limit_s = limit_s
        self._break_off_s = break_off_s
        self._lock = threading.Lock()
        self._is_breaking_off = False
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
        with self._lock:
            self._turn = None
            if self._is_breaking_off:
                self._is_breaking_off = False
                self._raise_in_loop(None)

    def start(self) -> None:
        """Begin to look on, if there is a limit. Called on the event loop's thread."""
        if isinf(self._limit_s):
            return
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
            self._break_off(turn)

    def _break_off(self, turn: tuple[str, str, float] | None) -> None:
        with self._lock:
            if turn is None or turn is not self._turn:
                return
            if self._clock.monotonic() - turn[2] >= self._break_off_s:
                self._is_breaking_off = True
                self._raise_in_loop(EndlessTurnError)

    def _raise_in_loop(self, error: type[Exception] | None) -> None:
        """Raise an error where the loop's thread is now; None takes back what was not raised."""
        target = ctypes.c_ulong(self._loop_thread)
        raised = None if error is None else ctypes.py_object(error)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(target, raised)

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
