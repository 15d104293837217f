"""Which function of the app runs here: what a line of a log is to say besides its message.

Context variables carry it, so tasks and threads that begin in a function know it, too, as far as
Python hands contexts on; a plain `threading.Thread` of the author's does not.
"""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from typing import Final

import msgspec

_HOSTS_LOGGERS: Final = ("host", "funchost")


class Running(msgspec.Struct, eq=False):
    """A run of one function. Whoever makes it keeps it true."""

    function: str
    instance_id: str = ""
    """Empty for functions that belong to no instance; so is the next one."""
    execution_id: str = ""
    attempt: int = 1
    trace_id: str = ""
    """The trace that it belongs to, 32 hexadecimal digits; empty for none."""
    is_replaying: bool = False
    """Whether an orchestrator is led through what it did before: that is logged already."""
    printed: str = ""
    """What it has printed of a line that is not complete."""


RUNNING: Final[ContextVar[Running | None]] = ContextVar("funchost running", default=None)


class InsideFunctions(logging.Filter):
    """Puts on a record in which function it was logged, and drops what is logged on replay.

    The host's own lines are left as they are: what the host does meanwhile is not the function's,
    and where it is, its line says so itself.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be written."""
        running = RUNNING.get()
        if running is None or record.name.partition(".")[0] in _HOSTS_LOGGERS:
            return True
        if running.is_replaying:
            return False
        mark(record, running)
        return True


def end_run(running: Running) -> None:
    """The run is over, and this is its context: nothing that it printed stays behind."""
    if running.printed:
        sys.stdout.flush()


def mark(record: logging.LogRecord, running: Running) -> None:
    """Put on a record where it was logged. What its author says of it himself stays."""
    fields = record.__dict__
    fields["running"] = running
    for name in ("function", "instance_id", "execution_id", "attempt", "trace_id"):
        fields.setdefault(name, getattr(running, name))
