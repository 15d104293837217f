"""Breaking off a command that must not end just anywhere."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

from host.cli.entry import SIGNALS, is_to_be_ignored

R = TypeVar("R")

EXIT_BROKEN_OFF = 130


@contextmanager
def broken_off_in_order() -> Iterator[None]:
    """A signal raises `KeyboardInterrupt` within, so that what was begun can be put in order.

    A second one does it again: it breaks off the putting in order. Not around an event loop: what
    is raised in the loop's own code can lose the step of a task, which then waits for ever. That is
    for `run_in_order`.
    """

    def stop(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handlers_as_before():
        for number in SIGNALS:
            if not is_to_be_ignored(number):
                signal.signal(number, stop)
        yield


def run_in_order(main: Coroutine[Any, Any, R]) -> R:
    """Run it on an event loop. A signal cancels it, so that it puts in order what it has begun.

    Then this raises `KeyboardInterrupt`. A second signal cancels the putting in order.
    """

    async def led() -> R:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs has one
        for number in SIGNALS:
            if not is_to_be_ignored(number):
                loop.add_signal_handler(number, task.cancel)
        return await main

    with _handlers_as_before():
        try:
            return asyncio.run(led())
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None


@contextmanager
def _handlers_as_before() -> Iterator[None]:
    """Put the handlers of signals back that others replace within."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
