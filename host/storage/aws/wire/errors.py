"""What AWS answers when it does not do what was asked, as errors of the storage tree.

StorageError
├── AwsError                      refused; `code` is the service's, without its namespace; empty
│   │                             if something between answered
│   ├── ConditionFailedError      a condition did not hold; perhaps because of this very call
│   ├── ThrottledError        (+) too many requests, after all retries
│   └── AwsUnavailableError   (*) the service lets this host do nothing at all
│       ├── ResourceMissingError  there is no such table or queue
│       └── AwsFailingError   (+) the service is down, or does not take the keys for now
└── StorageUnavailableError       nobody answered, there are no credentials to ask with, or a part
                                  of a batch was left undone, after all retries

(*) is a `StorageUnavailableError` too, (+) a `StoreAwayError`: who asks again later may be served.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from host.errors import StorageError, StorageUnavailableError, StoreAwayError


class AwsError(StorageError):
    """A service refused a call: `message` is the service's own, the text adds what to do."""

    def __init__(
        self, operation: str, *, code: str, message: str, status: int, advice: str = ""
    ) -> None:
        said = ": ".join(filter(None, (code and f"{code} ({status})", message)))
        super().__init__(f"{operation} failed: {said}" + (f" - {advice}" if advice else ""))
        self.operation = operation
        self.code = code
        self.message = message
        self.status = status


class ConditionFailedError(AwsError):
    """The condition of a write did not hold.

    `may_be_own`: an earlier attempt of the same call may have been carried out, its answer lost,
    so the item that is in the way may be the one that was to be written. `item` is that item if the
    call asked for it with `ReturnValuesOnConditionCheckFailure`.
    """

    def __init__(
        self,
        operation: str,
        *,
        code: str,
        message: str,
        status: int,
        may_be_own: bool,
        item: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(operation, code=code, message=message, status=status)
        self.may_be_own = may_be_own
        self.item = item


class ThrottledError(AwsError, StoreAwayError):
    """The service was asked too often, and went on saying so."""


class AwsUnavailableError(AwsError, StorageUnavailableError):
    """The service does not serve this host: it denies access, or its KMS key cannot be used.

    A start does not wait for that to pass.
    """


class ResourceMissingError(AwsUnavailableError):
    """The table or queue does not exist: no fault of who asks, and nothing is done without it."""


class AwsFailingError(AwsUnavailableError, StoreAwayError):
    """The service cannot serve this host now: it is failing, or does not know its credentials."""
