"""What went wrong with one attempt: read from the wire, and told as an error at the end.

Rules of this file: pure. Every way in which an attempt can fail is one `Kind`; what follows from a
kind (whether the write may have been carried out, whether to try again, which error to raise) is
decided by the kind alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import msgspec

from host.errors import StorageError, StorageUnavailableError
from host.storage.aws.wire.errors import (
    AwsError,
    AwsUnavailableError,
    ConditionFailedError,
    ResourceMissingError,
    ThrottledError,
)
from host.storage.aws.wire.transport import Failure, Response, TransportError


class Kind(Enum):
    """In which way an attempt failed."""

    UNREACHABLE = auto()
    CONNECTION_LOST = auto()
    TIMED_OUT = auto()
    FAILING = auto()
    """The service had an error of its own, or its answer makes no sense."""
    THROTTLED = auto()
    CONFLICTING = auto()
    """Another write of the same item was under way."""
    STALE = auto()
    """The request was too old when it arrived: this process was stopped, or its clock is wrong."""
    EXPIRED = auto()
    """The keys are no longer valid."""
    FORBIDDEN = auto()
    """The keys are not valid here, or do not allow this."""
    CONDITION_FAILED = auto()
    MISSING = auto()
    REFUSED = auto()


_UNANSWERED = frozenset({Kind.UNREACHABLE, Kind.CONNECTION_LOST, Kind.TIMED_OUT})
_UNCERTAIN = frozenset({Kind.CONNECTION_LOST, Kind.TIMED_OUT, Kind.FAILING})

_FAILURES = {
    Failure.NOT_CONNECTED: Kind.UNREACHABLE,
    Failure.CONNECTION_LOST: Kind.CONNECTION_LOST,
    Failure.TIMED_OUT: Kind.TIMED_OUT,
}

_CODES = {
    "ConditionalCheckFailedException": Kind.CONDITION_FAILED,
    "ResourceNotFoundException": Kind.MISSING,
    "QueueDoesNotExist": Kind.MISSING,
    "AWS.SimpleQueueService.NonExistentQueue": Kind.MISSING,
    **dict.fromkeys(
        (
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "RequestThrottled",
            "RequestThrottledException",
            "SlowDown",
            "ThrottledException",
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
        ),
        Kind.THROTTLED,
    ),
    **dict.fromkeys(
        ("ReplicatedWriteConflictException", "TransactionConflictException"), Kind.CONFLICTING
    ),
    **dict.fromkeys(
        (
            "InternalError",
            "InternalFailure",
            "InternalServerError",
            "RequestTimeout",
            "RequestTimeoutException",
            "ServiceUnavailable",
            "ServiceUnavailableException",
        ),
        Kind.FAILING,
    ),
    **dict.fromkeys(("RequestExpired", "RequestTimeTooSkewed"), Kind.STALE),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException"), Kind.EXPIRED),
    **dict.fromkeys(
        (
            "AccessDenied",
            "AccessDeniedException",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "NotAuthorized",
            "OptInRequired",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ),
        Kind.FORBIDDEN,
    ),
}

_ADVICE = {
    Kind.MISSING: "Has the hub been created here? `funchost hub create` does it.",
    Kind.STALE: "Check this machine's clock.",
    Kind.EXPIRED: "Renew the AWS credentials of this host.",
}
_NOT_AWS = "The answer is not JSON: is this the right endpoint?"
_ADVICE_ON_ACCESS = "Allow it to this host's role: `funchost hub iam-policy` prints what is needed."
_ADVICE_ON_KEYS = "Check the AWS credentials of this host, and the region."


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One attempt without success."""

    kind: Kind
    message: str
    code: str = ""
    status: int = 0
    item: Mapping[str, Any] | None = None

    @property
    def may_have_landed(self) -> bool:
        """Whether the service may have done, or may yet do, what was asked."""
        return self.kind in _UNCERTAIN

    def to_error(self, operation: str, url: str, *, may_be_own: bool) -> StorageError:
        """The error for the caller. `may_be_own`: an earlier attempt may have landed."""
        if self.kind in _UNANSWERED:
            return StorageUnavailableError(
                f"{operation} failed: AWS cannot be reached at {url}: {self.message}. "
                "Check the network, the region and the endpoint URL."
            )
        if self.kind is Kind.CONDITION_FAILED:
            return ConditionFailedError(
                operation,
                code=self.code,
                message=self.message,
                status=self.status,
                may_be_own=may_be_own,
                item=self.item,
            )
        return _ERRORS.get(self.kind, AwsError)(
            operation,
            code=self.code,
            message=self.message,
            status=self.status,
            advice=self._advice(),
        )

    def _advice(self) -> str:
        if self.kind is not Kind.FORBIDDEN:
            return _ADVICE.get(self.kind, "")
        return _ADVICE_ON_ACCESS if self.code.startswith("AccessDenied") else _ADVICE_ON_KEYS


_ERRORS = {
    Kind.MISSING: ResourceMissingError,
    Kind.THROTTLED: ThrottledError,
    Kind.CONFLICTING: AwsUnavailableError,
    Kind.FAILING: AwsUnavailableError,
    Kind.STALE: AwsUnavailableError,
    Kind.EXPIRED: AwsUnavailableError,
    Kind.FORBIDDEN: AwsUnavailableError,
}


class _Refusal(msgspec.Struct):
    """The body of an error; DynamoDB and SQS differ in the case of `message`."""

    type: str = msgspec.field(name="__type", default="")
    message: str = ""
    capital_message: str = msgspec.field(name="Message", default="")
    item: dict[str, Any] | None = msgspec.field(name="Item", default=None)


_ANSWERS = msgspec.json.Decoder(dict[str, Any])
_REFUSALS = msgspec.json.Decoder(_Refusal)


def read_answer(response: Response) -> dict[str, Any] | Problem:
    """What the service answered."""
    if response.status != 200:
        return _read_refusal(response)
    try:
        return _ANSWERS.decode(response.body) if response.body else {}
    except msgspec.DecodeError:
        return Problem(kind=Kind.FAILING, code="NoJson", message=_NOT_AWS, status=200)


def read_failure(error: TransportError) -> Problem:
    """Why there is no answer."""
    return Problem(kind=_FAILURES[error.failure], message=str(error))


def _read_refusal(response: Response) -> Problem:
    try:
        refusal = _REFUSALS.decode(response.body)
    except msgspec.DecodeError:
        refusal = _Refusal(message=_NOT_AWS)
    code = refusal.type.rpartition("#")[2] or "HttpError"
    message = refusal.message or refusal.capital_message
    return Problem(
        kind=_kind_of(code, message, response.status),
        code=code,
        message=message,
        status=response.status,
        item=refusal.item,
    )


def _kind_of(code: str, message: str, status: int) -> Kind:
    if code == "InvalidSignatureException" and message.startswith("Signature "):
        return Kind.STALE  # "Signature expired: ..." or "Signature not yet current: ..."
    if code in _CODES:
        return _CODES[code]
    if status == 429:
        return Kind.THROTTLED
    return Kind.FAILING if status >= 500 else Kind.REFUSED
