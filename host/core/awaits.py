"""Where an orchestrator stands in its source, and what to say when it awaits something foreign."""

from __future__ import annotations

import linecache
from collections.abc import Collection
from types import CodeType, FrameType
from typing import Any

from bindings.errors import ForeignAwaitError

_DURABLE_ALTERNATIVES = {
    "sleep": "await context.create_timer(...)",
    "wait_for": "when_any([task, context.create_timer(...)])",
    "wait": "when_all([...]) or when_any([...])",
    "gather": "when_all([...])",
    "open": "an activity that does the reading or writing",
    "to_thread": "an activity (a plain def runs in a thread)",
}
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
        f"{position_of(code)}, which is not durable: it would be lost in a crash and differ on "
        f"replay. Use {alternative} instead."
    )


def _alternative_to(awaited: Any) -> str:
    if awaited is None:
        return _FOR_NOTHING
    return _FOR_COLLECTIONS if isinstance(awaited, Collection) else _DEFAULT_ALTERNATIVE


def position_of(code: Any) -> str:
    """Where a suspended coroutine or generator of the author stands: file, line and source text."""
    frames = [frame for _, frame in _chain(code) if frame is not None and _is_authors(frame)]
    if not frames:
        return "its end"
    frame = frames[-1]
    path, line = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(path, line).strip()
    where = f"{path}:{line} in {frame.f_code.co_qualname}"
    return f"{where}: `{text}`" if text else where


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
