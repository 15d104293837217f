"""Processes that can die or stand still, as the operating system does it: at any moment, whole.

Rules of this file: a process is a context variable. Every task and callback that a host makes
inherits it, so the event loop knows whose each is without the engine's help. What belongs to a dead
process never runs again, not even its clean-up; what belongs to a frozen one runs when it thaws.
"""

from __future__ import annotations

from asyncio import Handle
from contextvars import Context, ContextVar, copy_context


class Process:
    """One life of one host."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False
        self.is_frozen = False
        self.held: list[Handle] = []

    def __repr__(self) -> str:
        return self.name

    def new_context(self) -> Context:
        """A context in which everything belongs to this process."""
        context = copy_context()
        context.run(CURRENT.set, self)
        return context


CURRENT: ContextVar[Process | None] = ContextVar("process", default=None)
"""Whose code runs now; None for the world outside all hosts."""
