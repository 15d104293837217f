"""What AWS answers about an author's queue, in words that say what to do about it.

The wire's own advice is about the hub, which `funchost hub create` makes; these queues are the
author's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bindings.errors import InvalidArgumentError
from host.errors import (
    ResourceAwayError,
    ResourceError,
    StorageUnavailableError,
    StoreAwayError,
)
from host.resources.sqs.addresses import QueueAddress
from host.storage.aws.wire.errors import AwsError, ResourceMissingError

_DENIED: Final = ("AccessDenied", "NotAuthorized")


class QueueMissingError(ResourceError):
    """There is no such queue."""


@contextmanager
def said_of(address: QueueAddress, region: str, *, sends: bool = False) -> Iterator[None]:
    """Makes a `ResourceError` of what happens inside, as it concerns this queue.

    With `sends`, what the service refuses is a message that it does not take
    (`InvalidArgumentError`); then it was asked of one message.
    """
    try:
        yield
    except ResourceMissingError as error:
        raise QueueMissingError(missing_text(address, region)) from error
    except StoreAwayError as error:
        raise ResourceAwayError(
            f"The SQS queue '{address.name}' does not answer: {error}"
        ) from error
    except AwsError as error:
        if is_denied(error):
            raise ResourceError(denied_text(error, address)) from error
        if sends and type(error) is AwsError:
            raise InvalidArgumentError(refused_text(address, error.message)) from error
        raise ResourceError(f"The SQS queue '{address.name}' cannot be used: {error}") from error
    except StorageUnavailableError as error:
        raise ResourceAwayError(
            f"The SQS queue '{address.name}' does not answer: {error}"
        ) from error


def is_denied(error: AwsError) -> bool:
    """Whether this host's role may not do it."""
    return error.code.startswith(_DENIED)


def missing_text(address: QueueAddress, region: str) -> str:
    """There is no such queue."""
    account = f" of the account {address.account}" if address.account else ""
    fifo = " --attributes FifoQueue=true" if address.is_fifo else ""
    return (
        f"There is no SQS queue '{address.name}' in {region}{account}. Create it (aws sqs "
        f"create-queue --queue-name {address.name}{fifo}), or mend queueName, the connection or "
        "the region."
    )


def denied_text(error: AwsError, address: QueueAddress) -> str:
    """The host's role may not do it, or the queue's key cannot be used."""
    action = f"sqs:{error.operation.removesuffix('Batch')}"
    return (
        f"{error.operation} was denied for the SQS queue '{address.name}': {error.message} - Allow "
        f"{action} on it to this host's role, and the use of its KMS key if it has one; what a "
        "host needs of the queues of functions is in docs/how-to/queues-on-sqs.md."
    )


def refused_text(address: QueueAddress, message: str) -> str:
    """SQS does not take a message."""
    return f"The SQS queue '{address.name}' does not take a message: {message}"
