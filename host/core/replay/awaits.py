"""Where an orchestrator stands in its source, and what to say when it uses something foreign.

Foreign is what needs an event loop. It is noticed when the code waits for it, or before, because
the code sees no event loop: then asyncio, or a library on top of it, says so by a RuntimeError.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Collection
from types import CodeType, FrameType
from typing import Any, NamedTuple

from bindings.errors import ForeignAwaitError
from host.core.failures import Caught, message_of
from host.core.frames import frames_of, place_of, runs_authors, traceback_of

_IN_TIME = "when_any([task, context.create_timer(...)]), or timeout= of a wait for an event,"
_AT_ONCE = "when_all([...]): durable tasks run at once, without tasks of asyncio,"
_DURABLE_ALTERNATIVES = {
    "sleep": "await context.create_timer(...)",
    "wait_for": _IN_TIME,
    "timeout": _IN_TIME,
    "timeout_at": _IN_TIME,
    "wait": "when_all([...]) or when_any([...])",
    "as_completed": "when_any([...]) in a loop",
    "gather": "when_all([...])",
    "create_task": _AT_ONCE,
    "ensure_future": _AT_ONCE,
    "TaskGroup": _AT_ONCE,
    "create_task_group": _AT_ONCE,
    "open": "an activity that does the reading or writing",
    "to_thread": "an activity (a plain def runs in a thread)",
    "run_in_executor": "an activity (a plain def runs in a thread)",
}
_OF_MODULES = {
    "asyncio.timeouts": _IN_TIME,
    "asyncio.taskgroups": _AT_ONCE,
    "asyncio.locks": "await context.wait_for_external_event(...)",
    "asyncio.queues": "await context.wait_for_external_event(...)",
}
"""For methods, whose names do not say what the author wrote."""
_LOOPS = ("asyncio", "anyio", "sniffio", "uvloop", "nest_asyncio", "trio")
_NO_LOOP = ("no running event loop", "There is no current event loop")
_FOR_COLLECTIONS = "when_all([...]) or when_any([...])"
_FOR_NOTHING = "what context.call_activity(...), context.create_timer(...) and the like return"
_DEFAULT_ALTERNATIVE = "an activity that does this, called by context.call_activity(...)"


def foreign_await(awaited: Any, code: Any) -> ForeignAwaitError:
    """The error for awaiting (or yielding) something that is not a durable task."""
    chain = _chain(code)
    culprit = chain[-1][0].co_qualname if chain else type(awaited).__name__
    # The names from the outside in: what the author called says more than what that called.
    called = next(
        (link[0].co_name for link in chain if link[0].co_name in _DURABLE_ALTERNATIVES), ""
    )
    alternative = _DURABLE_ALTERNATIVES.get(called) or _alternative_to(awaited)
    return ForeignAwaitError(
        f"The orchestrator waited for {type(awaited).__name__} ({called or culprit}) at "
        f"{position_of(code) or 'its end'}, which is not durable: it would be lost in a crash and "
        f"differ on replay. Use {alternative} instead."
    )


def foreign_call(error: BaseException) -> ForeignAwaitError | None:
    """The error to give instead of one that says that there is no event loop, else None."""
    frames = frames_of(traceback_of(error))
    if not frames or not issubclass(type(error), (RuntimeError, AttributeError)):
        return None
    if not (_module_of(frames[-1][0]) in _LOOPS or message_of(error).startswith(_NO_LOOP)):
        return None
    authors = max((n for n, each in enumerate(frames) if runs_authors(each[0])), default=0)
    frame, line = frames[authors]
    text = linecache.getline(frame.f_code.co_filename, line).strip()
    alternative = next(filter(None, map(_alternative_of, frames[authors + 1 :])), None)
    alternative = alternative or _alternative_in(text) or _DEFAULT_ALTERNATIVE
    return ForeignAwaitError(
        f"The orchestrator used an event loop at {place_of(traceback_of(error))}: `{text}`, which "
        f"is not durable: it would be lost in a crash and differ on replay. Use {alternative} "
        f"instead. ({message_of(error)})"
    )


def _module_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _alternative_of(entry: tuple[FrameType, int]) -> str | None:
    frame = entry[0]
    by_module = _OF_MODULES.get(str(frame.f_globals.get("__name__", "")))
    return by_module or _DURABLE_ALTERNATIVES.get(frame.f_code.co_name)


def _alternative_in(text: str) -> str | None:
    """By what the line calls, for functions that have no frame, as they are written in C."""
    called = re.findall(r"(\w+)\(", text)
    return next(filter(None, map(_DURABLE_ALTERNATIVES.get, called)), None)


def _alternative_to(awaited: Any) -> str:
    if awaited is None:
        return _FOR_NOTHING
    return _FOR_COLLECTIONS if isinstance(awaited, Collection) else _DEFAULT_ALTERNATIVE


class Position(NamedTuple):
    """A line of an author's code."""

    path: str
    line: int
    function: str

    def __str__(self) -> str:
        text = linecache.getline(self.path, self.line).strip()
        where = f"{self.path}:{self.line} in {self.function}"
        return f"{where}: `{text}`" if text else where


def position_of(code: Any) -> Position | None:
    """Where a suspended coroutine or generator of the author stands; None if it has ended."""
    frames = [frame for _, frame in _chain(code) if frame is not None and _is_authors(frame)]
    if not frames:
        return None
    frame = frames[-1]
    return Position(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname)


def raised_at(error: Caught) -> Position | None:
    """Which line of the author's raised an error; None if that is not known."""
    found = [each for each in frames_of(error.traceback) if runs_authors(each[0])]
    if not found:
        return None
    frame, line = found[-1]
    return Position(frame.f_code.co_filename, line, frame.f_code.co_qualname)


def _is_authors(frame: FrameType) -> bool:
    """Not of this package, and not of a library that the author called."""
    module = str(frame.f_globals.get("__name__", ""))
    return "site-packages" not in frame.f_code.co_filename and not module.startswith(
        ("bindings.", "host.core", "asyncio")
    )


def _chain(code: Any) -> list[tuple[CodeType, FrameType | None]]:
    """The suspended frames from the orchestrator inwards."""
    links: list[tuple[CodeType, FrameType | None]] = []
    while code is not None and len(links) < 1000:
        if hasattr(code, "cr_code"):
            links.append((code.cr_code, code.cr_frame))
            code = code.cr_await
        elif hasattr(code, "gi_code"):
            links.append((code.gi_code, code.gi_frame))
            code = code.gi_yieldfrom
        else:
            break
    return links
