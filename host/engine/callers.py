"""For whom the code that runs right now works: a client that may go away before it is answered.

What serves clients sets `CALLER` in the context of each request. A wait for an instance ends with
its caller: nobody would ever read what came of it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Protocol

from host.core.trace import TraceContext


class Caller(Protocol):
    """Who waits for an answer of this host."""

    @property
    def is_gone(self) -> bool:
        """Whether nobody waits any more."""

    def watch(self, left: Callable[[], None]) -> None:
        """Call `left` once, when the caller goes away."""

    def unwatch(self, left: Callable[[], None]) -> None:
        """Do not call it."""


CALLER: ContextVar[Caller | None] = ContextVar("funchost_caller", default=None)
"""Who waits; None for work that nobody waits for."""


class AskedIn:
    """The trace of what a request starts: its parent is the request's own span."""

    __slots__ = ("is_used", "trace")

    def __init__(self, trace: TraceContext) -> None:
        self.trace = trace
        self.is_used = False
        """Whether anything was started: then the request's span must be there."""

    def take(self) -> TraceContext:
        """The trace, for something that is started."""
        self.is_used = True
        return self.trace


ASKED_IN: ContextVar[AskedIn | None] = ContextVar("funchost_asked_in", default=None)
"""By which request the code that runs right now was asked for; None where traces are off."""
