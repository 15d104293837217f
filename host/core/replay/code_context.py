"""Where the code of one execution runs: in a `contextvars.Context` of its own, first step to last.

So what the code sets there (a precision, a tenant) is there after a wait, on replay as before, and
nobody else sees it. The same context says whose code asks for something: a thread that the code
started has another one. Pure: contexts are values, and know no thread.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from contextvars import Context
from typing import Any, TypeVar

from host.running import RUNNING, Running

T = TypeVar("T")


class CodeContext:
    """The context of one execution's code, and whether the code is being led on."""

    def __init__(self, running: Running) -> None:
        """`running` is the run of this code, and no other's."""
        self._context = Context()
        self._running = running
        self._is_led = False
        self._context.run(RUNNING.set, running)

    def lead(self, step: Callable[[T], None], argument: T) -> None:
        """Run a step in which the code may use its orchestration."""
        self._is_led = True
        try:
            self._context.run(step, argument)
        finally:
            self._is_led = False

    def run(self, step: Callable[[], T]) -> T:
        """Run a step in which it may not."""
        return self._context.run(step)

    @property
    def is_led(self) -> bool:
        """Whether the code is being led on, and whoever asks this is that code."""
        return self._is_led and RUNNING.get() is self._running

    def close_generator(self, generator: AsyncGenerator[Any, Any]) -> BaseException | None:
        """Let an async generator end that the code left; the error that it ended with.

        It is collected at any time, in the midst of another execution's step, or in a thread. What
        it asks of its orchestration then, no replay would ask again; so it may ask for nothing.
        """
        if RUNNING.get() is not self._running:
            return self._context.run(_close, generator)
        was_led, self._is_led = self._is_led, False
        try:
            return _close(generator)
        finally:
            self._is_led = was_led


def _close(generator: AsyncGenerator[Any, Any]) -> BaseException | None:
    try:
        with suppress(StopIteration, StopAsyncIteration):
            generator.aclose().send(None)
    except BaseException as error:  # noqa: BLE001 - an author's code may raise anything
        return error
    return None
