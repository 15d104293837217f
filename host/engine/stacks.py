"""What the event loop's thread is doing right now, as its frames tell.

A frame of asyncio, or of who runs the loop, ends the look outwards: what is beyond it runs the
loop, and is not run by it. A loop that is not Python's own has no frames.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import traceback
from types import FrameType

from host.core.frames import is_hosts, runs_authors, runs_hosts
from host.core.replay import author_code
from host.engine import main_loop

_ASYNCIO = asyncio.__file__.removesuffix("__init__.py")
_RUNNERS = (_ASYNCIO, main_loop.__file__)
_AUTHOR_CODE = author_code.__file__
_DEBUGGERS = ("bdb", "pdb")
_DEBUGGER_MODULES = ("pydevd", "_pydevd_bundle.pydevd_constants")
_DEBUGGER_TOOL = 0
"""The number under which debuggers use `sys.monitoring`."""


def stack_of(thread_id: int) -> list[FrameType]:
    """What the loop runs in this thread, the innermost frame first."""
    frame = sys._current_frames().get(thread_id)  # noqa: SLF001 - the documented way
    return stack_from(frame)


def stack_from(frame: FrameType | None) -> list[FrameType]:
    """The frames from this one outwards, as far as the loop runs them; none if no loop runs."""
    frames: list[FrameType] = []
    while frame is not None:
        if frame.f_code.co_filename.startswith(_RUNNERS):
            return frames
        frames.append(frame)
        frame = frame.f_back
    return []


def is_idle(stack: list[FrameType]) -> bool:
    """Whether nothing runs: the loop waits for something to do, or for the processor."""
    return not stack or stack[0].f_code.co_filename == selectors.__file__


def author_of(stack: list[FrameType]) -> FrameType | None:
    """The outermost frame of an author: the function that the host called."""
    return next((each for each in reversed(stack) if runs_authors(each)), None)


def is_in_author_code(stack: list[FrameType]) -> bool:
    """Whether an author's code is at work, or what it called, and not the host on its behalf."""
    for frame in stack:
        if runs_hosts(frame):
            return frame is not stack[0] and frame.f_code.co_filename == _AUTHOR_CODE
        if runs_authors(frame):
            return True
    return False


def in_words(stack: list[FrameType]) -> str:
    """The stack as a traceback shows it, without the host's outermost frames."""
    frames = list(stack)
    while len(frames) > 1 and is_hosts(frames[-1].f_code):
        frames.pop()
    lines = ((frame, frame.f_lineno) for frame in reversed(frames))
    return "".join(traceback.StackSummary.extract(lines).format())


def is_debugged(stack: list[FrameType]) -> bool:
    """Whether somebody looks at this code with a debugger: then nothing takes too long."""
    if any(name in sys.modules for name in _DEBUGGER_MODULES):
        return True
    monitoring = getattr(sys, "monitoring", None)  # from Python 3.12 on
    if monitoring is not None and monitoring.get_tool(_DEBUGGER_TOOL) is not None:
        return True
    return any(
        frame.f_globals.get("__name__") in _DEBUGGERS or _is_debuggers(frame.f_trace)
        for frame in stack
    )


def is_traced() -> bool:
    """Whether a debugger traces the thread that asks."""
    return _is_debuggers(sys.gettrace())


def _is_debuggers(trace: object) -> bool:
    """Whether this is the trace function of a debugger, and not one that measures coverage."""
    owner = getattr(trace, "__self__", trace)
    return trace is not None and not type(owner).__module__.startswith("coverage")
