"""boto3's clients for the commands that set a hub up, and its errors as the host's.

Rules of this file: who is asked, and what a refusal means to a person; nothing of hubs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
)

from host.errors import ConfigurationError, StorageUnavailableError
from host.settings.connections import AwsOptions
from host.storage.aws.wire.credentials import NO_KEYS
from host.storage.aws.wire.problems import Problem, kind_of

_CONFIG = Config(
    connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3}
)
_NO_SUCH = frozenset(
    {
        "ResourceNotFoundException",
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
    }
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})
_ADVICE = {
    "AWS.SimpleQueueService.QueueDeletedRecently": "Wait a minute and do it again.",
    "QueueDeletedRecently": "Wait a minute and do it again.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupClients:
    """A client of boto3 for each service, and how to make another. They block."""

    dynamodb: Any
    sqs: Any
    make: Callable[[str, str | None], Any]
    """By the service's name and its endpoint, if that is another."""


def setup_clients(options: AwsOptions) -> SetupClients:
    """Raises `ConfigurationError` without a region, `StorageUnavailableError` without a profile."""
    with translated():
        check_region(options)
        session = session_of(options)

        def client(service: str, url: str | None) -> Any:
            return session.client(service, endpoint_url=url or options.endpoint_url, config=_CONFIG)

        return SetupClients(
            dynamodb=client("dynamodb", options.dynamodb_endpoint_url),
            sqs=client("sqs", options.sqs_endpoint_url),
            make=client,
        )


def check_region(options: AwsOptions) -> None:
    """Raise `ConfigurationError` if no region is set, in the words of a command."""
    with translated():
        if region_of(options) is None:
            raise NoRegionError


def region_of(options: AwsOptions) -> str | None:
    """The region that would be asked; None if none is set. Nobody is asked."""
    with translated():
        return session_of(options).region_name or None


def session_of(options: AwsOptions) -> boto3.session.Session:
    """A session of boto3 there. Raises what boto3 does."""
    # boto3 alone of AWS's tools does not know AWS_REGION; and set to nothing is not set.
    region = options.region or os.environ.get("AWS_REGION") or None
    return boto3.session.Session(region_name=region, profile_name=options.profile)


def code_of(error: ClientError) -> str:
    """The service's code of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_missing(error: ClientError) -> bool:
    """Whether there is no such table or queue."""
    return code_of(error) in _NO_SUCH


@contextmanager
def translated() -> Iterator[None]:
    """Turn boto3's errors into the host's, one sentence each."""
    try:
        yield
    except ClientError as error:
        raise ConfigurationError(f"AWS refused: {error}. {_advice_on(error)}".rstrip()) from error
    except NoRegionError as error:
        raise ConfigurationError(
            "No AWS region is set: give --region, or set AWS_REGION, or choose a profile with one."
        ) from error
    except NoCredentialsError as error:
        raise StorageUnavailableError(NO_KEYS) from error
    except (ConnectionError, HTTPClientError) as error:
        raise StorageUnavailableError(
            f"AWS cannot be used: {error}. Check the network, the region and the endpoint URL."
        ) from error
    except (BotoCoreError, ValueError) as error:
        raise StorageUnavailableError(f"AWS cannot be used: {error}") from error


def _advice_on(error: ClientError) -> str:
    """What to do about a refusal: what a host says of it, but for what commands alone meet."""
    code, said = code_of(error), str(error)
    if code in _DENIED:
        return "`funchost hub iam-policy --role setup` prints what is needed."
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    kind = kind_of(code, error.response.get("Error", {}).get("Message", ""), status)
    return _ADVICE.get(code) or Problem(kind=kind, code=code, message=said).advice
