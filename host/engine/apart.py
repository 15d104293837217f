"""An orchestrator's code runs on the event loop's thread, and sees no event loop.

What it began there (a task, a time-out that cancels the host's own task) would happen outside of
turns: unrecorded, and not again on replay. So asyncio says that there is no loop, and the core
makes a `ForeignAwaitError` of that. Async generators that the code leaves are not asyncio's to
close either: it would do that in a task, at a time of its own.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import _get_running_loop, _set_running_loop
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

from host.core.failures import in_words
from host.core.led import Led
from host.core.live_instance import LiveInstance
from host.logs import HostLog

_logger = HostLog("funchost.engine")


class Apart:
    """Hides the event loop that runs when this is made. Made once, as each look at it costs."""

    __slots__ = ("_hooks", "_loop")

    def __init__(self) -> None:
        self._loop = _get_running_loop()
        # As it comes, the pair of hooks is unknown to the garbage collector: a loop that is done
        # with would be kept for ever, with all that ran on it.
        self._hooks = tuple(sys.get_asyncgen_hooks())

    def begin(self, live: LiveInstance) -> None:
        """From here on code of this instance runs."""
        _set_running_loop(None)
        sys.set_asyncgen_hooks(None, partial(_close_generator, live))

    def end(self) -> None:
        """From here on the host's own code runs."""
        _set_running_loop(self._loop)
        sys.set_asyncgen_hooks(*self._hooks)


def close(live: Led) -> None:
    """Let go of an instance; the `finally` blocks of its code run."""
    if not isinstance(live, LiveInstance) or not live.has_code_here:
        live.close()  # no code runs here
        return
    apart = Apart()
    apart.begin(live)
    try:
        live.close()
    finally:
        apart.end()


def hide_idle_loop() -> None:
    """Have `asyncio.get_event_loop()` find no loop on this thread but the one that runs.

    While none is seen to run it would give, or make, another one, whose tasks nobody runs.
    """
    asyncio.set_event_loop(None)


def _close_generator(live: LiveInstance, generator: AsyncGenerator[Any, Any]) -> None:
    """Called by the interpreter when a generator is collected that was not gone through."""
    apart = Apart()
    apart.begin(live)
    try:
        error = live.close_generator(generator)
    finally:
        apart.end()
    if error is not None:
        _logger.warning(
            "Orchestrator '%s' (%s) left the async generator %s before its end, and cleaning up "
            "after it failed. Use contextlib.aclosing() for generators that you may leave. %s",
            live.state.row.name,
            live.state.instance_id,
            getattr(generator, "__qualname__", generator),
            in_words(error),
        )
