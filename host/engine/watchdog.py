"""Watches the event loop: what keeps it for too long is told, then broken off, then ended.

A thread looks on, because the loop itself cannot while it is kept. Rules of this file:

* Time counts by looks of this thread, each for no more than two of its pauses: a process or machine
  that was frozen stood still as a whole, and nobody in it took long.
* Broken off is only code of an author, by an error raised in its midst (`engine/interrupt.py`), and
  only what the watch has seen all the time: the same turn, or the same call in the same round.
* Code that somebody debugs takes as long as it likes.
* If even that does not help, the process ends itself, so that whoever supervises it starts another
  one. The instance's try is counted then, as after a crash.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isinf
from types import FrameType

from bindings.errors import FunchostError, OrchestrationError
from host import logs
from host.clock import SystemClock
from host.engine import stacks
from host.engine.interrupt import Interruption
from host.logs import HostLog

_logger = HostLog("funchost.engine")

EXIT_BLOCKED = 70
LAST_WORDS_S = 3.0
MAX_PAUSE_S = 1.0
INSISTING_S = 0.01
"""How often code is broken into until it ends: it may be in the host's code most of the time."""
MAX_SILENCE_S = 60.0
_ADVICE = {
    True: "Move long work into an activity.",
    False: "Make it a plain def, which runs in a thread, or await what takes long.",
}


class EndlessTurnError(OrchestrationError):
    """The orchestrator kept the host's event loop busy until the host broke it off."""

    def __init__(self) -> None:
        super().__init__(
            "The orchestrator ran for too long without waiting for a durable task, and was broken "
            "off because everything else waited for it. Move long work into an activity."
        )


class BlockedLoopError(FunchostError):
    """A coroutine function kept the host's event loop busy until the host broke it off."""

    def __init__(self) -> None:
        super().__init__(
            "The function ran for too long without awaiting anything, and was broken off because "
            "everything else waited for it. Make it a plain def, which runs in a thread."
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """How long the loop may be kept, in seconds: until it is told, broken off, ended.

    Without the first limit, nobody looks on at all.
    """

    report_s: float = 5.0
    break_off_s: float = 60.0
    end_host_s: float = inf

    @property
    def pause_s(self) -> float:
        """How long to rest between two looks."""
        return min(MAX_PAUSE_S, self.report_s / 2)


@dataclass(slots=True, eq=False)
class _Stay:
    """What keeps the loop. `who` is a turn, the frame of a call, or a round of the loop."""

    who: object
    name: str
    is_turn: bool
    lasted_s: float = 0.0
    reported_at_s: float = -inf
    is_breaking_off: bool = False

    @property
    def is_report_due(self) -> bool:
        """Reports come at twice the time of the last one, and at least once a minute."""
        if isinf(self.reported_at_s):
            return True
        return self.lasted_s >= self.reported_at_s + min(self.reported_at_s, MAX_SILENCE_S)


class LoopWatch:
    """Use `begin` and `end` around code of an author that runs on the event loop as a turn."""

    def __init__(self, limits: Limits, end_host: Callable[[], None] | None = None) -> None:
        self._limits = limits
        self._end_host = end_host or _end_process
        self._clock = SystemClock()
        self._turn: tuple[str, str] | None = None
        self._stay: _Stay | None = None
        self._is_answered = True
        self._round = object()
        self._looked_at = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._thread: threading.Thread | None = None
        self._teller: threading.Thread | None = None
        self._stopping = threading.Event()
        self._interruption = Interruption(self._error_here)

    def begin(self, orchestrator: str, instance_id: str) -> None:
        """A turn begins."""
        self._turn = (orchestrator, instance_id)

    def end(self) -> None:
        """The turn is over."""
        self._turn = None

    def hurry(self) -> None:
        """The host is to stop: break off what is told already. Called in a signal handler, too."""
        limits = self._limits
        soon_s = min(limits.report_s, limits.break_off_s)
        self._limits = Limits(limits.report_s, soon_s, limits.end_host_s)

    def start(self) -> None:
        """Begin to look on, if there is a limit. Called on the event loop's thread."""
        if isinf(self._limits.report_s):
            return
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._looked_at = self._clock.monotonic()
        self._interruption.install()
        self._thread = threading.Thread(target=self._watch, name="funchost-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop looking on."""
        self._stopping.set()
        self._interruption.remove()
        if self._thread is not None:
            self._thread.join(LAST_WORDS_S)

    def stuck(self) -> str | None:
        """What keeps the loop for too long right now."""
        stay = self._stay
        is_told = stay is not None and not isinf(stay.reported_at_s)
        return stay.name if stay is not None and is_told and self._is_there(stay) else None

    # ---- looking, in a thread of its own ---------------------------------------------------------

    def _watch(self) -> None:
        pause_s = self._limits.pause_s
        while not self._stopping.wait(pause_s):
            now = self._clock.monotonic()
            passed_s, self._looked_at = min(now - self._looked_at, 2 * pause_s), now
            stay = self._look(passed_s)
            pause_s = self._limits.pause_s
            if stay is not None and stay.is_breaking_off:
                pause_s = min(pause_s, INSISTING_S)

    def _look(self, passed_s: float) -> _Stay | None:
        is_quiet = self._turn is None and self._is_answered
        stack = [] if is_quiet else stacks.stack_of(self._loop_thread)
        found = self._occupant(stack)
        stay = self._stay
        if found is None or stay is None or stay.who is not found.who:
            self._stay = found
            self._ask()
        elif stacks.is_debugged(stack):
            stay.lasted_s = 0.0
        else:
            stay.lasted_s += passed_s
            self._escalate(stay, stack)
        return self._stay

    def _occupant(self, stack: list[FrameType]) -> _Stay | None:
        """What keeps the loop right now; None if it came round since the last look."""
        turn = self._turn
        if turn is not None:
            return _Stay(turn, f"The orchestrator '{turn[0]}' ({turn[1]})", is_turn=True)
        if self._is_answered or stacks.is_idle(stack):
            return None
        author = stacks.author_of(stack)
        if author is None:
            return _Stay(self._round, "The host itself", is_turn=False)
        code = author.f_code
        where = f"{code.co_filename}:{code.co_firstlineno}"
        return _Stay(author, f"The function '{code.co_qualname}' ({where})", is_turn=False)

    def _ask(self) -> None:
        """Have the loop say that it came round, if it did since it was asked last."""
        if not self._is_answered or self._loop is None:
            return
        self._is_answered, self._round = False, object()
        try:
            self._loop.call_soon_threadsafe(self._answer)
        except RuntimeError:  # the loop is closed
            self._stopping.set()

    def _answer(self) -> None:
        self._is_answered = True

    def _escalate(self, stay: _Stay, stack: list[FrameType]) -> None:
        limits = self._limits
        if stay.lasted_s >= limits.report_s and stay.is_report_due:
            stay.reported_at_s = stay.lasted_s
            self._tell(stay, stack, "everything else on this host waits for it", logging.ERROR)
        if stay.lasted_s >= limits.end_host_s:
            self._tell(stay, stack, "the host ends itself", logging.CRITICAL).join(LAST_WORDS_S)
            self._end_host()
        elif stay.lasted_s >= limits.break_off_s:
            stay.is_breaking_off = True
            self._interruption.send()

    def _tell(self, stay: _Stay, stack: list[FrameType], so: str, level: int) -> threading.Thread:
        """Log where it is, in a thread: whoever keeps the loop may hold a lock of the logging."""
        if self._teller is None or not self._teller.is_alive():
            advice, where = _ADVICE[stay.is_turn], stacks.in_words(stack)
            told = (level, stay.name, stay.lasted_s, so, advice, where)
            self._teller = threading.Thread(target=_log, args=told, daemon=True)
            self._teller.start()
        return self._teller

    # ---- breaking off, on the loop's thread ------------------------------------------------------

    def _error_here(self, frame: FrameType | None) -> BaseException | None:
        """The error to be raised into the code that runs at this moment, if it is the one meant."""
        stay = self._stay
        if stay is None or not stay.is_breaking_off or not self._is_there(stay):
            return None
        stack = stacks.stack_from(frame)
        if not stay.is_turn and not any(each is stay.who for each in stack):
            return None
        if stacks.is_traced() or not stacks.is_in_author_code(stack):
            return None
        return EndlessTurnError() if stay.is_turn else BlockedLoopError()

    def _is_there(self, stay: _Stay) -> bool:
        """Whether that turn, or that round of the loop, is still on."""
        return self._turn is stay.who if stay.is_turn else not self._is_answered


def _log(level: int, *arguments: object) -> None:
    text = "%s has kept the event loop busy for %.0f s: %s. %s It is at:\n%s"
    _logger.log(level, text, *arguments)


def _end_process() -> None:
    logs.flush(LAST_WORDS_S)
    os._exit(EXIT_BLOCKED)
