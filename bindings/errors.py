"""Errors that authors of functions meet.

FunchostError
├── OrchestrationError            raised into, or by, an orchestrator
│   ├── TaskFailedError           a durable task ended in failure
│   │   └── DataMismatchError     what an event or a task brought does not fit the asked type
│   ├── TaskCancelledError        the result of a cancelled timer or event wait was read
│   └── NonDeterminismError       the code does not do what its history says it did
│       └── ForeignAwaitError     an orchestrator awaited something that is not durable
├── SerializationError            a value is not JSON, or does not fit its annotation
│   ├── DataMismatchError         (see above: it is both)
│   ├── ResultMismatchError       what a function returned does not fit its return annotation
│   └── PayloadTooLargeError      a value is JSON, but larger than the hub allows
├── ClientError                   a management operation was refused
│   ├── InstanceNotFoundError
│   ├── InstanceAlreadyExistsError
│   ├── InstanceStateError        the instance is in a state that does not allow the operation
│   ├── FunctionNotFoundError
│   ├── RowExistsError            a table has a row under the key of a new one
│   ├── TooManyWaitsError         as many requests wait on this host as may
│   ├── RemoteError               a host that is asked over HTTP did not answer as it should
│   │   ├── HostUnavailableError  no host answers, or it cannot store anything now
│   │   └── AccessDeniedError     the host wants another key
│   └── InvalidArgumentError
│       └── NotAwaitedError       an argument is the coroutine or task that was to give it
├── HttpCallError                 a request of call_http is not sent, or its answer not taken
└── FunctionDefinitionError       a decorator or function.json says something impossible
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureDetails:
    """What is known of a failure after it crossed the history.

    `error_type` is the exception's class name; `stack_trace` the formatted traceback, without the
    host's own frames; `cause` the failure that the exception was raised from; `notes` what was
    added by `add_note`; `sub_failures`, of an exception group, the failures of its exceptions;
    `base_types` the names of the classes that the exception's class is derived from, the nearest
    first.
    """

    error_type: str
    message: str
    stack_trace: str = ""
    cause: FailureDetails | None = None
    is_non_retriable: bool = False
    notes: tuple[str, ...] = ()
    sub_failures: tuple[FailureDetails, ...] = ()
    base_types: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The message; with the type before it where the message says nothing by itself.

        That of a `KeyError` is only the key, and many errors have none.
        """
        message = self.message.strip()
        if not message:
            return self.error_type
        is_key = "KeyError" in (self.error_type, *self.base_types)
        if is_key or not any(map(str.isalpha, message)):
            return f"{self.error_type}: {self.message}"
        return self.message

    def is_caused_by(self, error: type[BaseException] | str) -> bool:
        """Whether this failure, a cause or a sub-failure of it, is of the named exception class.

        As in `except`, an error of a derived class is one of its base class, too.
        """
        name = error if isinstance(error, str) else error.__name__
        left = [self]
        while left:
            failure = left.pop()
            if name == failure.error_type or name in failure.base_types:
                return True
            left.extend(failure.sub_failures)
            if failure.cause is not None:
                left.append(failure.cause)
        return False


class FunchostError(Exception):
    """The root of all errors of this package."""


class OrchestrationError(FunchostError):
    """Something went wrong in an orchestration."""


class TaskFailedError(OrchestrationError):
    """An activity or sub-orchestration failed; `details` holds type, message, stack and cause."""

    def __init__(self, message: str, details: FailureDetails) -> None:
        super().__init__(message)
        self.details = details


class LockLostError(TaskFailedError):
    """A call within a critical section was not done: the section has lost the entity's lock.

    Somebody has unlocked the entity (`funchost entities unlock`) or removed it. What the section
    did before that counts.
    """


class TaskCancelledError(OrchestrationError):
    """The result of a cancelled timer or event wait was asked for."""


class NonDeterminismError(OrchestrationError):
    """On replay, the orchestrator did something else than its history records."""


class ForeignAwaitError(NonDeterminismError):
    """An orchestrator awaited something that is not a durable task."""


class SerializationError(FunchostError):
    """A value cannot be written as JSON, or JSON does not fit the annotated type."""


class ResultMismatchError(SerializationError):
    """What a function returned does not fit its return annotation: the function failed."""


class DataMismatchError(TaskFailedError, SerializationError):
    """What an event or a task brought does not fit the type that the orchestrator asked for."""


class PayloadTooLargeError(SerializationError):
    """A payload is larger than a limit; `size` and `limit` are bytes.

    The text names the `setting` of the limit; None is for a limit that is fixed.
    """

    def __init__(
        self, what: str, size: int, limit: int, setting: str | None = "maxPayloadBytes in host.json"
    ) -> None:
        way_out = "" if setting is None else f", or raise {setting}"
        super().__init__(
            f"{what} is {size:,} bytes of JSON; the limit is {limit:,} bytes. Store large data "
            f"elsewhere and pass a reference{way_out}."
        )
        self.size = size
        self.limit = limit


class HttpCallError(FunchostError):
    """A request of `call_http` was not sent, or its answer not taken: the text says why.

    Orchestrators see it as the `details.error_type` of a `TaskFailedError`. It is not tried again.
    """


class BlobNotFoundError(FunchostError):
    """There is no blob of this path (`container/name`), and the function asks for one."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"There is no blob '{path}'. If that may be, let the annotation of the parameter allow "
            "None."
        )
        self.path = path


class BlobTooLargeError(FunchostError):
    """A blob is larger than a limit; `size`, as far as it is known, and `limit` are bytes."""

    def __init__(self, what: str, size: int, limit: int, setting: str) -> None:
        super().__init__(
            f"{what} has {size:,} bytes or more; the limit is {limit:,} bytes. Use a stream, or "
            f"raise extensions.blobs.{setting} in host.json."
        )
        self.size = size
        self.limit = limit


class RequestBodyError(FunchostError, ValueError):
    """The body of an HTTP request is not what the function asks for, or did not come as a whole.

    If nobody catches it, the answer has its `status` (400 and above) and its text.
    """

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class ClientError(FunchostError):
    """A management operation was refused."""


class InstanceNotFoundError(ClientError):
    """No instance has this id."""

    def __init__(self, instance_id: str) -> None:
        is_entity = str(instance_id).startswith("@")
        hint = " That is the id of an entity: it has a list and operations of its own."
        super().__init__(
            f"No orchestration instance has the id '{instance_id}'.{hint if is_entity else ''}"
        )
        self.instance_id = instance_id


class InstanceAlreadyExistsError(ClientError):
    """An instance with this id exists and the reuse policy forbids to replace it."""

    def __init__(self, instance_id: str, status: str) -> None:
        super().__init__(
            f"An orchestration instance '{instance_id}' with the status {status} already exists."
        )
        self.instance_id = instance_id
        self.status = status


class InstanceStateError(ClientError):
    """The instance's state (`status`, final if `finished`) does not allow the operation."""

    def __init__(self, instance_id: str, status: str, operation: str, *, finished: bool) -> None:
        super().__init__(f"Cannot {operation} '{instance_id}': its status is {status}.")
        self.instance_id = instance_id
        self.status = status
        self.finished = finished


class EntityNotLockedError(ClientError):
    """An entity that was to be unlocked is not locked, or by another instance."""


class FunctionNotFoundError(ClientError):
    """No function of this kind has this name; the message lists the known ones."""


class RowExistsError(ClientError):
    """A table has a row already under the key of one that was to be inserted."""


class InvalidArgumentError(ClientError, ValueError):
    """An instance id, event name, date or other argument has an impossible value.

    `status` is the HTTP status with which a remote host refused it, None if none was asked.
    """

    status: int | None = None


class NotAwaitedError(InvalidArgumentError):
    """What was given is still to come: the `await` before its call is missing.

    This is a mistake of the function, so uncaught the answer is 500.
    """


class InboxFullError(ClientError):
    """As much waits in the instance's inbox as may. Uncaught, the answer is 429."""

    def __init__(self, instance_id: str, limit: int) -> None:
        super().__init__(
            f"The inbox of '{instance_id}' has {limit:,} bytes that it has not taken in yet, as "
            "much as may wait. Send again later, or raise maxInboxBytes in host.json."
        )
        self.instance_id = instance_id


class TooManyWaitsError(ClientError):
    """As many requests wait for instances on this host as may. Uncaught, the answer is 429."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} requests wait for instances on this host already, as many as may; ask for "
            "the status later, or raise maxWaits in host.json."
        )
        self.limit = limit


class RemoteError(ClientError):
    """A host did not answer as it should; `status` is that of its answer, None without one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class HostUnavailableError(RemoteError):
    """No host answers at the address, or it cannot store anything now."""


class AccessDeniedError(RemoteError):
    """The host wants another key, or one at all."""


class FunctionDefinitionError(FunchostError):
    """A decorator, signature or function.json cannot be made into a function."""
