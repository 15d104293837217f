"""A coroutine that nobody awaited is an error in the log.

`client.raise_event(...)` without its `await` does nothing, and the function goes on as if it had.
Python notices when it drops the coroutine, but says so by a bare warning: without a time, a level
or what to do. Such a warning comes once for each line of code, so a busy function floods no log.
"""

from __future__ import annotations

import inspect
import re
import warnings
from typing import TextIO

from host.core.frames import is_hosts
from host.logs import HostLog

_NEVER_AWAITED = re.compile(r"coroutine '(.+?)' was never awaited")
_log = HostLog("funchost")


def report_forgotten_awaits() -> None:
    """Have Python's warnings of such coroutines logged, for the life of the process."""
    show_others = warnings.showwarning

    def show(  # noqa: PLR0917 - as Python calls it
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        found = _NEVER_AWAITED.match(str(message))
        if found is None or not issubclass(category, RuntimeWarning):
            show_others(message, category, filename, lineno, file, line)
            return
        _log.error(
            "%s(...) was not awaited, so it did nothing: write await before the call.%s",
            found[1],
            _place(filename, lineno),
        )

    warnings.showwarning = show


def _place(filename: str, line: int) -> str:
    """Where the code that runs right now dropped it, in words; nothing if the host did."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename != filename:
        frame = frame.f_back
    if frame is None or is_hosts(frame.f_code):
        return ""
    return f" It was dropped at {filename}:{line} in {frame.f_code.co_qualname}."
