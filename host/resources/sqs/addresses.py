"""What an author calls a queue on SQS: its name, its URL or its ARN.

Rules of this file: pure. A name may come from whoever triggered a function, so a URL names a queue
and a region of AWS, and never a server: requests go where the connection says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from bindings.errors import InvalidArgumentError
from bindings.kinds.queue_rules import check_name
from bindings.kinds.queues import is_fifo
from host.settings.connections import AwsOptions

_ARN: Final = re.compile(r"arn:aws[a-z0-9-]*:sqs:([a-z0-9-]+):(\d{12}):([^:/]+)")
_REGION_IN_HOST: Final = re.compile(
    r"(?:^|\.)(?:sqs(?:-fips)?\.([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.(?:vpce\.)?amazonaws\.com(?:\.cn)?$"
    r"|^(?:[a-z0-9-]+\.)?sqs\.([a-z0-9-]+)\.api\.aws$"
)
_OLD_HOST: Final = "queue.amazonaws.com"
_ACCOUNT: Final = re.compile(r"\d{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueAddress:
    """Which queue is meant. What is None the connection says."""

    name: str
    region: str | None = None
    account: str | None = None
    url: str | None = None

    @property
    def is_fifo(self) -> bool:
        """Whether it is a FIFO queue."""
        return is_fifo(self.name)

    @property
    def is_plain(self) -> bool:
        """Whether it is named by nothing but its name: then it is the host's own account's."""
        return self.account is None and self.url is None

    def place(self, options: AwsOptions) -> AwsOptions:
        """Where to ask for it, for a connection with these options."""
        return options if self.region is None else replace(options, region=self.region)

    def beside(self, name: str) -> QueueAddress:
        """The queue of this name in the same region and account."""
        url = None if self.url is None else f"{self.url.rpartition('/')[0]}/{name}"
        return replace(self, name=_checked(name), url=url)


def read_address(text: str) -> QueueAddress:
    """The queue that this name, URL or ARN means. Raises `InvalidArgumentError`."""
    if text.startswith("arn:"):
        return _read_arn(text)
    if "://" in text:
        return _read_url(text)
    return QueueAddress(name=_checked(text))


def _read_arn(text: str) -> QueueAddress:
    match = _ARN.fullmatch(text)
    if match is None:
        raise InvalidArgumentError(
            f"'{text}' is no ARN of a queue, such as arn:aws:sqs:eu-west-1:123456789012:orders."
        )
    region, account, name = match.groups()
    return QueueAddress(name=_checked(name), region=region, account=account)


def _read_url(text: str) -> QueueAddress:
    parts = urlsplit(text)
    path = [part for part in parts.path.split("/") if part]
    if parts.scheme not in {"http", "https"} or not path or parts.query or parts.fragment:
        raise InvalidArgumentError(
            f"'{text}' is no URL of a queue, such as "
            "https://sqs.eu-west-1.amazonaws.com/123456789012/orders."
        )
    account = path[-2] if len(path) > 1 and _ACCOUNT.fullmatch(path[-2]) else None
    name, region = _checked(path[-1]), _region_of(parts.hostname or "")
    return QueueAddress(name=name, region=region, account=account, url=text)


def _region_of(host: str) -> str | None:
    """The region of a host of AWS's, None of any other."""
    if host == _OLD_HOST:
        return "us-east-1"
    match = _REGION_IN_HOST.search(host)
    return None if match is None else next(filter(None, match.groups()))


def _checked(name: str) -> str:
    check_name(name)
    return name
