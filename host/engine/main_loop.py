"""The event loop of the process, which goes on when code of the app would end it.

asyncio lets `SystemExit` and `KeyboardInterrupt` out of the loop as soon as a task or a callback
raises one, even where whoever waits for it catches it. An app's coroutine in `asyncio.gather` that
calls a tool's `main()` would so end the host, with all that runs in it. Nothing is lost when it is
left that way: the task has its error, and what is ready stays ready. So the loop is run again.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

from host.core.failures import caught
from host.logs import HostLog

_logger = HostLog("funchost")


def run_to_its_end(main: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> None:
    """Run the loop until `main` has ended, whatever its other tasks raise; raises what it raises.

    The loop is not closed: that would wait for threads in which an author's function hangs.
    """
    task = loop.create_task(main)
    while True:
        try:
            loop.run_until_complete(task)
        except (SystemExit, KeyboardInterrupt) as error:
            if _is_raised_by(task, error) or _is_ctrl_c(error):
                raise
            _tell(error)
        else:
            return


def _is_raised_by(task: asyncio.Task[None], error: BaseException) -> bool:
    """Whether `main` ended with it; its end may also come beside what an app's code raised."""
    return task.done() and not task.cancelled() and task.exception() is error


def _is_ctrl_c(error: BaseException) -> bool:
    """Whether the terminal asked for it: so it may be if an app put Python's own handler back."""
    is_default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return is_default and isinstance(error, KeyboardInterrupt)


def _tell(error: BaseException) -> None:
    failed = caught(error)
    _logger.error(
        "A task or callback of the app's code raised %s. It fails, and ends nothing else: "
        "code in a host ends by returning.",
        failed,
        exc_info=failed.exc_info,
    )
