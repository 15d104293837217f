"""`funchost` of host.json, this host's own section."""

from __future__ import annotations

import re
from enum import StrEnum
from ipaddress import ip_network
from math import inf
from pathlib import PurePath
from typing import Annotated

from pydantic import Field, field_validator

from host.settings.numbers import Limit, PositiveInt, PositiveSeconds
from host.settings.sections import Section

MAX_PROCESSES = 256
_PUBLIC_URL = re.compile(r"https?://[A-Za-z0-9.\-_\[\]:]+(/[A-Za-z0-9.\-_~/]*)?")


class Required(StrEnum):
    """What must load before the host says that it is ready."""

    NOTHING = "nothing"
    MODULES = "modules"
    FUNCTIONS = "functions"


class FunchostHttp(Section):
    """`funchost.http`: how clients reach the host, and what they may take of it together.

    `publicUrl` is what all links begin with. Else they begin with what the client's request says,
    and of a request that one of `trustedProxies` (addresses, or networks such as `10.0.0.0/8`)
    passed on, its headers `X-Forwarded-Proto` and `X-Forwarded-Host`. Times are in seconds.

    `maxConnections` are open at once, `maxWaits` requests wait for an instance at once, each at
    most `maxWaitSeconds`. The bodies of all requests that are not answered yet have at most
    `maxBodyBytesInFlight`, packed and unpacked, and what was written of all answers and their
    clients have not read, at most `maxAnswerBytesInFlight`. A page of a listing or of a history has
    `maxPageBytes`, or one part that has more. A head is there after `headTimeoutSeconds`, a body
    after `bodyTimeoutSeconds`; a connection without a request is kept for `idleTimeoutSeconds`, and
    one whose client does not read its answer for `writeTimeoutSeconds`. With `compressAnswers`
    those that are large go out packed to clients that take them so.
    """

    public_url: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    max_connections: PositiveInt = 1000
    max_waits: PositiveInt = 1000
    max_wait_seconds: PositiveSeconds = 230.0
    max_page_bytes: PositiveInt = 4 * 1024 * 1024
    max_answer_bytes_in_flight: PositiveInt = 256 * 1024 * 1024
    max_body_bytes_in_flight: PositiveInt = 128 * 1024 * 1024
    head_timeout_seconds: PositiveSeconds = 20.0
    body_timeout_seconds: PositiveSeconds = 300.0
    idle_timeout_seconds: PositiveSeconds = 75.0
    write_timeout_seconds: PositiveSeconds = 30.0
    compress_answers: bool = True

    @field_validator("public_url")
    @classmethod
    def _check_url(cls, url: str | None) -> str | None:
        if url is not None and not _PUBLIC_URL.fullmatch(url):
            raise ValueError(f"'{url}' is not a URL such as https://hub.example or one with a path")
        return url and url.rstrip("/")

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            try:
                ip_network(network, strict=False)
            except ValueError as error:
                raise ValueError(f"'{network}' is no address or network: {error}") from error
        return networks


class WatchdogSettings(Section):
    """`funchost.watchdog`: how long code may keep the event loop until something is done.

    It is reported (again and again), then broken off, and if that does not help the host ends. -1
    is never.
    """

    report_after_seconds: Limit = 5.0
    break_off_after_seconds: Limit = 60.0
    end_host_after_seconds: Limit = 300.0


NO_WATCHDOG = WatchdogSettings.model_construct(
    report_after_seconds=inf, break_off_after_seconds=inf, end_host_after_seconds=inf
)


class FunchostSettings(Section):
    """`funchost`, this host's own section.

    `include` lists folders (or glob patterns), relative to the app's folder: each is an app folder
    itself, and its functions belong to this app, too. `readyRequires`: with a broken module nobody
    knows what is missing, and a rolling deploy must not replace hosts that have it.
    `stopGraceSeconds` is how long a stop waits for requests, and for activities that run at most
    once. `startPatienceSeconds` is how long a start waits for a store that is away: longer than
    most incidents, and short enough that a wrong endpoint shows as a host that ends. `processes`
    is how many worker processes run plain functions; with 0 threads of the host do. `metrics` is
    whether the host measures itself, `dashboard` whether it serves the pages at `/dashboard`.
    """

    include: tuple[str, ...] = ()
    ready_requires: Required = Required.MODULES
    http: FunchostHttp = FunchostHttp()
    watchdog: WatchdogSettings = WatchdogSettings()
    stop_grace_seconds: Annotated[float, Field(ge=0, le=3600)] = 5.0
    start_patience_seconds: Annotated[float, Field(ge=0, le=86_400)] = 900.0
    processes: Annotated[int, Field(ge=0, le=MAX_PROCESSES)] = 0
    metrics: bool = True
    dashboard: bool = True

    @field_validator("include")
    @classmethod
    def _check_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            if not PurePath(pattern).parts or PurePath(pattern).is_absolute():
                raise ValueError(f"'{pattern}' must be a folder relative to the app's folder")
            if any("**" in part and part != "**" for part in PurePath(pattern).parts):
                raise ValueError(f"'{pattern}': ** must stand alone between slashes")
        return patterns
