"""Breaks into code of an author that keeps the event loop's thread, and into nothing else.

A signal is sent to that thread: it ends calls that block (a read, a sleep, a lock), and its handler
runs in the thread itself, between two steps of whatever code is there. So the handler can look
where it is, and raises only if that is the author's code: the host's own code is never torn apart.
A signal that finds the host at work, or comes too late, does nothing at all.

The signal is SIGURG: unless somebody handles it, it is ignored, also in child processes; debuggers
let it pass; and no library is known to use it. A handler that an app has set before is called, too.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from time import sleep
from types import FrameType
from typing import Any, TypeAlias

Decide: TypeAlias = Callable[[FrameType | None], BaseException | None]

_NUMBER = getattr(signal, "SIGURG", None)  # not there on Windows
_PULSE = getattr(signal, "SIGVTALRM", None)
PULSE_S = 0.5
PAUSE_S = 0.001
"""Code inside C may hold the interpreter, and nobody can look on. If it looks for signals at all,
as regular expressions do, it pauses so long after so much processor time, and somebody can."""
_deciders: list[Decide] = []
_before: list[Any] = []


class Interruption:
    """A way into the code that the main thread runs. `decide` looks and gives what to raise."""

    def __init__(self, decide: Decide) -> None:
        self._decide = decide
        self.is_possible = False
        """Whether code can be broken into: only on the main thread, and not on Windows."""

    def install(self) -> None:
        """Get ready. Called on the event loop's thread."""
        if _NUMBER is None or threading.current_thread() is not threading.main_thread():
            return
        if not _deciders:
            _before[:] = [signal.signal(_NUMBER, _on_signal)]
            _begin_pulse()
        _deciders.append(self._decide)
        self.is_possible = True

    def remove(self) -> None:
        """Undo `install`, on the same thread."""
        if not self.is_possible:
            return
        self.is_possible = False
        _deciders.remove(self._decide)
        if _deciders:
            return
        _end_pulse()
        if _NUMBER is not None and signal.getsignal(_NUMBER) is _on_signal:
            signal.signal(_NUMBER, signal.SIG_DFL if _before[0] is None else _before[0])

    def send(self) -> None:
        """Have the main thread look soon. Called from any thread."""
        if self.is_possible and _NUMBER is not None:
            main = threading.main_thread().ident
            if main is not None:
                signal.pthread_kill(main, _NUMBER)


def _begin_pulse() -> None:
    """Unless the app has a use of its own for that timer."""
    if _PULSE is not None and signal.getsignal(_PULSE) is signal.SIG_DFL:
        signal.signal(_PULSE, _on_pulse)
        signal.siginterrupt(_PULSE, False)
        signal.setitimer(signal.ITIMER_VIRTUAL, PULSE_S, PULSE_S)


def _end_pulse() -> None:
    if _PULSE is not None and signal.getsignal(_PULSE) is _on_pulse:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(_PULSE, signal.SIG_DFL)


def _on_pulse(_number: int, frame: FrameType | None) -> None:
    sleep(PAUSE_S)
    _break_into(frame)  # a signal that came meanwhile found only this function


def _on_signal(number: int, frame: FrameType | None) -> None:
    _break_into(frame)
    if _before and callable(_before[0]):
        _before[0](number, frame)


def _break_into(frame: FrameType | None) -> None:
    for decide in tuple(_deciders):
        error = decide(frame)
        if error is not None:
            raise error
