"""The event loop of the process, which goes on when code of the app would end it.

asyncio lets `SystemExit` and `KeyboardInterrupt` out of the loop as soon as a task or a callback
raises one, even where whoever waits for it catches it. An app's coroutine in `asyncio.gather` that
calls a tool's `main()` would so end the host, with all that runs in it. Nothing is lost when it is
left that way: the task has its error, and what is ready stays ready. So the loop is run again, as
it is when an app stops it.

An app that tidies up by cancelling `asyncio.all_tasks()` would end the host's own work for good. So
that function shows, of this loop, the tasks that run the app's coroutines, and no others.
"""

from __future__ import annotations

import asyncio
import asyncio.tasks
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from host.core.failures import caught
from host.core.frames import is_authors
from host.logs import HostLog

_logger = HostLog("funchost")


def run_to_its_end(main: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> None:
    """Run the loop until `main` has ended, whatever its other tasks raise; raises what it raises.

    The loop is not closed: that would wait for threads in which an author's function hangs.
    """
    task = loop.create_task(main)
    with _host_tasks_hidden(loop):
        while True:
            try:
                loop.run_until_complete(task)
            except (SystemExit, KeyboardInterrupt) as error:
                if _is_raised_by(task, error) or _is_ctrl_c(error):
                    raise
                _tell(error)
            except RuntimeError:
                if task.done() or loop.is_closed():
                    raise
                _logger.error(
                    "Code of the app stopped the event loop, which the whole host runs on. It "
                    "goes on: code in a host ends by returning."
                )
            else:
                return


@contextmanager
def _host_tasks_hidden(host_loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Meanwhile `asyncio.all_tasks` shows no task of the host or of a library on this loop."""
    every_task = asyncio.all_tasks

    def all_tasks(loop: asyncio.AbstractEventLoop | None = None) -> set[asyncio.Task[Any]]:
        loop = asyncio.get_running_loop() if loop is None else loop
        found = every_task(loop)
        return found if loop is not host_loop else {each for each in found if _is_apps(each)}

    _set_all_tasks(all_tasks)
    try:
        yield
    finally:
        _set_all_tasks(every_task)


def _set_all_tasks(function: Callable[..., set[asyncio.Task[Any]]]) -> None:
    setattr(asyncio, "all_tasks", function)  # noqa: B010 - a type checker refuses the plain way
    setattr(asyncio.tasks, "all_tasks", function)  # noqa: B010 - where `asyncio.run` looks


def _is_apps(task: asyncio.Task[Any]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and is_authors(code)


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
