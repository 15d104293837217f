"""Errors of the host itself, in one tree under `bindings.errors.FunchostError`.

HostError
├── ConfigurationError   host.json, settings or the command line are wrong; exit code 2
├── StartStoppedError    the host was told to stop before it had started
├── ExecutorError        who runs orchestrators elsewhere failed; nothing of the turn is stored
├── ResourceError        what a binding names is not there, or not as it has to be
│   └── ResourceAwayError         it does not answer, and that may pass
└── StorageError         the store could not do it; nothing was done unless it says so
    ├── Conflict         another turn won, or the instance was purged or replaced
    ├── DamagedDataError what is stored of one instance cannot be read
    ├── QueueFullError   a queue of messages takes no more
    └── StorageUnavailableError   the store cannot be reached or opened
        └── StoreAwayError        and that may pass
"""

from __future__ import annotations

from bindings.errors import FunchostError


class HostError(FunchostError):
    """The root of the host's own errors."""


class ConfigurationError(HostError):
    """The configuration is wrong. `problems` lists every finding, each naming its place."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ExecutorError(HostError):
    """Who runs orchestrators elsewhere did not answer, or gave nonsense.

    The orchestrator's code is not to blame: an answer that says so is none of these. Nothing of the
    turn is stored, and it is asked for again.
    """


class ResourceError(HostError):
    """A queue, table or blob that a binding names is not there, or not as it has to be.

    It is no part of the hub, so this is no error of the store. The text says what to do.
    """


class ResourceAwayError(ResourceError):
    """It does not answer for now: the same again may work."""


class StorageError(HostError):
    """The store could not do what was asked; nothing of it was done."""


class Conflict(StorageError):  # noqa: N818 - the contract's word
    """The condition of a commit did not hold: drop what is in memory and load again."""


class DamagedDataError(StorageError):
    """What is stored of an instance cannot be read. The others are not concerned.

    The text names what is damaged, and what can be done about it.
    """


class QueueFullError(StorageError):
    """A queue of messages has as much as it may."""

    def __init__(self, queue: str, max_bytes: int) -> None:
        super().__init__(
            f"The queue '{queue}' is full: it has {max_bytes} bytes, which is its limit "
            "(extensions.queues.maxQueueBytes of host.json). Something has to take messages out."
        )


class StorageUnavailableError(StorageError):
    """The store cannot be opened or reached."""


class StoreAwayError(StorageUnavailableError):
    """It cannot for now: who asks again later may be served. A host that starts waits for it."""


class StartStoppedError(HostError):
    """The host was told to stop before it had started."""


class ScheduleNotFoundError(HostError):
    """The app has no function of this name with a timer."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The app has no timer '{name}'.")


class ScheduleStateError(HostError):
    """The state of a timer does not allow what is asked."""


class JobNotFoundError(HostError):
    """There is no job with this id, or it was over long ago."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job '{job_id}': it never was, or was over a week ago.")


class JobEndedError(HostError):
    """All of the job was done."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"All of the job '{job_id}' is done: there is nothing left to cancel.")
