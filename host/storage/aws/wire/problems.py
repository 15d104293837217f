"""What went wrong with one attempt: read from the wire, and told as an error at the end.

Rules of this file: pure. Every way in which an attempt can fail is one `Kind`; what follows from a
kind (whether the write may have been carried out, whether to try again, which error to raise) is
decided by the kind alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

import msgspec

from host.errors import StorageError, StoreAwayError
from host.storage.aws.wire.errors import (
    AwsError,
    AwsFailingError,
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
    KEYS_REFUSED = auto()
    """The keys are unknown, or valid no longer. Fresh ones help, and so may time: under roles the
    services now and then do not know keys that they knew a moment ago."""
    FORBIDDEN = auto()
    """The keys do not allow this."""
    UNREADABLE = auto()
    """The KMS key of the table or queue cannot be used."""
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
            "OverLimit",  # as many messages of the queue are held as may be
            "KmsThrottled",
            "KMS.ThrottlingException",
        ),
        Kind.THROTTLED,
    ),
    **dict.fromkeys(
        (
            "ReplicatedWriteConflictException",
            "TransactionConflictException",
            "TransactionInProgressException",  # the same one, sent again before it was done
        ),
        Kind.CONFLICTING,
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
    **dict.fromkeys(("RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"), Kind.STALE),
    **dict.fromkeys(
        (
            "ExpiredToken",
            "ExpiredTokenException",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ),
        Kind.KEYS_REFUSED,
    ),
    **dict.fromkeys(
        (
            "AccessDenied",
            "AccessDeniedException",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "NotAuthorized",
            "OptInRequired",
        ),
        Kind.FORBIDDEN,
    ),
    **dict.fromkeys(
        (
            "KmsAccessDenied",
            "KmsDisabled",
            "KmsInvalidKeyUsage",
            "KmsInvalidState",
            "KmsNotFound",
            "KmsOptInRequired",
            "KMS.AccessDeniedException",
            "KMS.DisabledException",
            "KMS.InvalidKeyUsageException",
            "KMS.InvalidStateException",
            "KMS.NotFoundException",
            "KMS.OptInRequired",
        ),
        Kind.UNREADABLE,
    ),
}
"""What a code means. One with a service's name before it, and not here, means what it does without
that name."""

_CANCELLED = "TransactionCanceledException"
_REASON = re.compile(r"\w+")
_REASONS = {
    "ConditionalCheckFailed": "ConditionalCheckFailedException",
    "TransactionConflict": "TransactionConflictException",
    "ProvisionedThroughputExceeded": "ProvisionedThroughputExceededException",
    "ThrottlingError": "ThrottlingException",
    "AccessDenied": "AccessDeniedException",
}
"""Reasons why an item kept a transaction from being done, as the codes of single writes."""
_OF_SIGNATURES = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch"})

_ADVICE_ON_KMS = (
    "The table or queue is encrypted with a KMS key that cannot be used. See that the key is "
    "enabled, and that its policy and this host's role allow kms:Decrypt and kms:GenerateDataKey."
)
_ADVICE_ON_ACCESS = "Allow it to this host's role: `funchost hub iam-policy` prints what is needed."
_ADVICE_ON_KEYS = "Check the AWS credentials of this host, and the region."
_ADVICE_ON_EXPIRED_KEYS = "Renew the AWS credentials of this host."
_ADVICE = {
    Kind.MISSING: "Has the hub been created here? `funchost hub create` does it.",
    Kind.STALE: "Check this machine's clock.",
    Kind.UNREADABLE: _ADVICE_ON_KMS,
}
_NOT_AWS = "The answer is not JSON: is this the right endpoint?"


_OF_KMS = re.compile(r"\bkms\b|master key|encryption key", re.IGNORECASE)
"""In what DynamoDB says when it may not use the key of its table."""


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
            return StoreAwayError(
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
            advice=self.advice,
        )

    @property
    def advice(self) -> str:
        """What to do about it, if there is more to say than the service did."""
        if self.kind is Kind.KEYS_REFUSED:
            is_over = self.code.startswith("Expired")
            return _ADVICE_ON_EXPIRED_KEYS if is_over else _ADVICE_ON_KEYS
        if self.kind is not Kind.FORBIDDEN:
            return _ADVICE.get(self.kind, "")
        if not self.code.startswith("AccessDenied"):
            return _ADVICE_ON_KEYS
        return _ADVICE_ON_KMS if _OF_KMS.search(self.message) else _ADVICE_ON_ACCESS


_ERRORS = {
    Kind.MISSING: ResourceMissingError,
    Kind.THROTTLED: ThrottledError,
    Kind.CONFLICTING: AwsFailingError,
    Kind.FAILING: AwsFailingError,
    Kind.STALE: AwsFailingError,
    Kind.KEYS_REFUSED: AwsFailingError,
    Kind.FORBIDDEN: AwsUnavailableError,
    Kind.UNREADABLE: AwsUnavailableError,
}


class _Refusal(msgspec.Struct):
    """The body of an error; DynamoDB and SQS differ in the case of `message`."""

    type: str = msgspec.field(name="__type", default="")
    message: str = ""
    capital_message: str = msgspec.field(name="Message", default="")
    item: dict[str, Any] | None = msgspec.field(name="Item", default=None)


_ANSWERS = msgspec.json.Decoder(dict[str, Any])
_REFUSALS = msgspec.json.Decoder(_Refusal)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading a body raises that is not AWS's: something between answers for it."""


def read_answer(response: Response) -> dict[str, Any] | Problem:
    """What the service answered."""
    if response.status != 200:
        return _read_refusal(response)
    try:
        return _ANSWERS.decode(response.body) if response.body else {}
    except _UNREADABLE:
        return Problem(kind=Kind.FAILING, code="NoJson", message=_NOT_AWS, status=200)


def read_failure(error: TransportError) -> Problem:
    """Why there is no answer."""
    return Problem(kind=_FAILURES[error.failure], message=str(error))


def read_entry(failed: Mapping[str, Any]) -> Problem:
    """Why one entry of a batch failed, as SQS says it in `Failed`.

    The code decides, as it does for whole requests: throttled entries, too, are told with
    `SenderFault`. Whose fault it is counts for codes that nobody knows.
    """
    code, message = str(failed.get("Code") or ""), str(failed.get("Message") or "")
    status = 400 if failed.get("SenderFault") else 500
    return Problem(kind=kind_of(code, message, status), code=code, message=message, status=status)


def _read_refusal(response: Response) -> Problem:
    status = response.status
    try:
        refusal = _REFUSALS.decode(response.body)
    except _UNREADABLE:
        refusal = None
    if refusal is None or not refusal.type:
        return _unexplained(response, refusal)
    code = refusal.type.rpartition("#")[2]
    message = refusal.message or refusal.capital_message
    kind = kind_of(_reason_of(message) if code == _CANCELLED else code, message, status)
    return Problem(kind=kind, code=code, message=message, status=status, item=refusal.item)


def _reason_of(message: str) -> str:
    """The code of the first reason that a cancelled transaction gives in its message.

    That ends in a list of one reason an item: "[None, ConditionalCheckFailed]".
    """
    reasons = _REASON.findall(message.rpartition("[")[2])
    return next((_REASONS[each] for each in reasons if each in _REASONS), "")


def _unexplained(response: Response, refusal: _Refusal | None) -> Problem:
    """The problem of an answer without a code: of a balancer, a gateway, a proxy between."""
    status = response.status
    said = refusal and (refusal.message or refusal.capital_message)
    message = (
        f"AWS answered {status}: {said}" if said else f"AWS answered {status} without a reason"
    )
    if response.body and not said and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        message += f". {_NOT_AWS}"
    return Problem(kind=kind_of("", "", status), message=message, status=status)


def kind_of(code: str, message: str, status: int) -> Kind:
    """What a service's code means; `status` decides for codes that nobody knows."""
    if code in _OF_SIGNATURES and message.startswith("Signature "):
        return Kind.STALE  # "Signature expired: ..." or "Signature not yet current: ..."
    known = _CODES.get(code) or _CODES.get(code.rpartition(".")[2])
    if known is not None:
        return known
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Kind.THROTTLED
    return Kind.FAILING if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Kind.REFUSED
