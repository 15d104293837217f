"""What host.json says of `call_http`: whom it may ask besides the public internet, and how much."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Annotated, Any, NamedTuple

from pydantic import Field, field_validator

from host.settings.sections import Section
from host.settings.timespans import Timespan

DEFAULT_POLL_MS = 30_000
MIN_POLL_MS = 1_000
MAX_POLL_MS = 86_400_000
DEFAULT_REQUEST_TIMEOUT = timedelta(seconds=100)
MAX_REQUEST_TIMEOUT = timedelta(days=1)
DEFAULT_MAX_RESPONSE_BYTES = 1024 * 1024

_ENTRY = re.compile(
    r"(?P<any>\*\.)?(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?)(:(?P<port>\d{1,5}))?"
)
_ADVICE = "write a host, host:port, *.domain, or a network such as 10.1.0.0/16"


class AllowedHost(NamedTuple):
    """An entry of `allowedHosts`: a host or the domain above it, at one port or all; a network."""

    host: str = ""
    is_domain: bool = False
    port: int | None = None
    network: IPv4Network | IPv6Network | None = None


def read_allowed(entry: Any) -> AllowedHost:
    """What an entry names. Raises ValueError."""
    text = entry.strip().lower() if isinstance(entry, str) else ""
    if "/" in text:
        try:
            return AllowedHost(network=ip_network(text))
        except ValueError as error:
            raise ValueError(f"'{entry}' is no network ({error}): {_ADVICE}") from None
    found = _ENTRY.fullmatch(text)
    if found is None or (found["port"] and not 1 <= int(found["port"]) <= 65535):
        raise ValueError(f"'{entry}' is no host: {_ADVICE}")
    host = found["host"]
    if host.startswith("["):
        host = str(IPv6Address(host[1:-1]))
    return AllowedHost(
        host=host,
        is_domain=found["any"] is not None,
        port=int(found["port"]) if found["port"] else None,
    )


class HttpCallSettings(Section):
    """`extensions.durableTask.httpSettings`.

    All but the pause between polls is this host's own. `allowedHosts` are those that `call_http`
    may ask although their addresses are none of the public internet.
    """

    default_async_request_sleep_time_milliseconds: Annotated[
        int, Field(ge=MIN_POLL_MS, le=MAX_POLL_MS)
    ] = DEFAULT_POLL_MS
    allowed_hosts: tuple[str, ...] = ()
    max_response_bytes: Annotated[int, Field(gt=0)] = DEFAULT_MAX_RESPONSE_BYTES
    request_timeout: Timespan = DEFAULT_REQUEST_TIMEOUT

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _check_hosts(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise ValueError(f"Write a list of hosts: {_ADVICE}")
        for each in value:
            read_allowed(each)
        return tuple(map(str, value))

    @field_validator("request_timeout")
    @classmethod
    def _check_timeout(cls, value: timedelta) -> timedelta:
        if not timedelta(0) < value <= MAX_REQUEST_TIMEOUT:
            raise ValueError("A request takes more than no time, and at most a day")
        return value

    @property
    def allowed(self) -> tuple[AllowedHost, ...]:
        """What `allowedHosts` names."""
        return tuple(map(read_allowed, self.allowed_hosts))

    @property
    def poll_s(self) -> float:
        """The pause between polls of which the server says nothing, in seconds."""
        return self.default_async_request_sleep_time_milliseconds / 1000
