"""What goes wrong with worker processes, and not with what they run."""

from __future__ import annotations

from bindings.errors import FunchostError


class WorkerLostError(FunchostError):
    """The worker process ended while it ran the function: a crash, a kill, no memory."""


class NoWorkerError(FunchostError):
    """There is no worker process: the app does not load in one."""


class FailedInWorkerError(FunchostError):
    """The function raised an error that cannot leave its worker process; this has its text."""


class ResultStaysError(FunchostError):
    """What the function returned cannot leave its worker process."""
