"""The model of host.json.

Defaults are those of Azure Functions, except where a docstring says otherwise. The sections keep
their own file's names; what this host adds stands in `funchost`, and in `durableTask` as
`maxPayloadBytes`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_network
from math import inf
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    JsonValue,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from bindings.entity_cleaning import IDLE_ENTITY
from bindings.errors import FunctionDefinitionError
from bindings.function_retry import RETRY_SCHEMA, FunctionRetry, read_retry
from bindings.timespans import parse_timespan
from host.settings.cors import NO_WISH, CorsSettings, CorsWish
from host.settings.http import UNBOUNDED, HttpSettings
from host.settings.http_calls import HttpCallSettings
from host.settings.limits import LimitSettings, check_names
from host.settings.local import LocalSettings
from host.settings.notifications import NotificationSettings
from host.settings.queues import QueueSettings
from host.settings.sections import Section, member, with_values
from host.settings.timespans import Timespan
from host.settings.values import AppSettings
from host.settings.versions import VersionFailure, VersionMatch

DEFAULT_HUB_NAME = "TestHubName"
DEFAULT_MAX_PAYLOAD_BYTES = 16 * 1024 * 1024
MIN_LIMIT_S = 0.1
MIN_RETENTION = timedelta(seconds=1)
MAX_VERSION = 1024
MAX_PROCESSES = 256

_PUBLIC_URL = re.compile(r"https?://[A-Za-z0-9.\-_\[\]:]+(/[A-Za-z0-9.\-_~/]*)?")
_HUB_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,44}")

PositiveInt = Annotated[int, Field(gt=0)]
Limit = Annotated[
    float,
    Field(ge=MIN_LIMIT_S),
    BeforeValidator(lambda value: inf if value in (UNBOUNDED, str(UNBOUNDED)) else value),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": MIN_LIMIT_S}, {"const": UNBOUNDED}]}),
]
PositiveSeconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class OverridableStates(StrEnum):
    """Which existing instances a start with their id replaces."""

    NON_RUNNING = "NonRunningStates"
    ANY = "AnyState"


class RetentionSettings(Section):
    """`extensions.durableTask.retention`: how long instances are kept, by how they ended.

    A timespan, or null for ever. What is not there is kept for 30 days, in hubs that were made
    since there is retention; in older ones for ever. Canceled instances go with `terminated`.
    `entities` is of those without a state, from their last operation on.
    """

    completed: Timespan | None = None
    failed: Timespan | None = None
    terminated: Timespan | None = None
    entities: Timespan | None = None

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, said: Any) -> Any:
        """What is misspelt would have its instances deleted after 30 days."""
        if not isinstance(said, dict | cls):
            raise ValueError(
                'Write an object such as {"completed": "30.00:00:00", "failed": null}, where null '
                "keeps them for ever"
            )
        for name in said if isinstance(said, dict) else ():
            if str(name).lower() not in cls.model_fields:
                raise ValueError(f"'{name}' is none of {', '.join(cls.model_fields)}")
        return said

    @field_validator("completed", "failed", "terminated", "entities", mode="before")
    @classmethod
    def _check_period(cls, value: Any) -> timedelta | None:
        try:
            period = None if value is None else parse_timespan(value)
        except ValueError as error:
            raise ValueError(f"{error}; null keeps them for ever") from error
        if period is not None and period < MIN_RETENTION:
            raise ValueError("Instances are kept for 1 second at least; null keeps them for ever")
        return period

    @field_validator("entities", mode="after")
    @classmethod
    def _check_entities(cls, period: timedelta | None) -> timedelta | None:
        """Who sends again after a crash finds the entity that knows his message."""
        if period is not None and period < IDLE_ENTITY:
            raise ValueError(
                "Entities without a state are kept for half an hour at least; null keeps them for "
                "ever"
            )
        return period

    @property
    def given(self) -> Mapping[str, timedelta | None]:
        """What is said, by these names."""
        return {name: getattr(self, name) for name in sorted(self.model_fields_set)}


class DurableTaskSettings(Section):
    """`extensions.durableTask`.

    `maxPayloadBytes`, an addition of this host, limits each input, output and event, in bytes of
    JSON, and `maxInboxBytes` what clients send to one instance and it has not taken in.
    `quarantinePauseSeconds`, another one, is how long an instance rests after hosts vanished with
    it again and again; it doubles each time, and 0 is for ever. Limits that are None are the
    engine's to choose. `storageProvider` belongs to the driver that its `type` names.

    Without a `versionMatchStrategy` a host takes all instances, or if it has a `defaultVersion`
    those of that version and older ones.
    """

    hub_name: str = DEFAULT_HUB_NAME
    max_concurrent_activity_functions: PositiveInt | None = None
    max_concurrent_orchestrator_functions: PositiveInt | None = None
    max_orchestration_actions: PositiveInt = 100_000
    max_payload_bytes: PositiveInt = DEFAULT_MAX_PAYLOAD_BYTES
    quarantine_pause_seconds: Annotated[int, Field(ge=0, le=86_400)] = 300
    max_inbox_bytes: PositiveInt = 64 * 1024 * 1024
    overridable_existing_instance_states: OverridableStates = OverridableStates.NON_RUNNING
    default_version: str | None = None
    version_match_strategy: VersionMatch | None = None
    version_failure_strategy: VersionFailure = VersionFailure.REJECT
    storage_provider: dict[str, JsonValue] = Field(default_factory=dict)
    retention: RetentionSettings = RetentionSettings()
    notifications: NotificationSettings = NotificationSettings()
    http_settings: HttpCallSettings = HttpCallSettings()
    limits: dict[str, LimitSettings] = Field(default_factory=dict)

    @field_validator("limits")
    @classmethod
    def _check_limits(cls, limits: dict[str, LimitSettings]) -> dict[str, LimitSettings]:
        return dict(check_names(limits))

    @field_validator("default_version")
    @classmethod
    def _resolve_version(cls, version: str | None, info: ValidationInfo) -> str | None:
        version = with_values(version or "", info).strip()
        if len(version) > MAX_VERSION:
            raise ValueError(f"A version has at most {MAX_VERSION} characters")
        return version or None

    @field_validator("hub_name")
    @classmethod
    def _resolve_hub_name(cls, name: str, info: ValidationInfo) -> str:
        name = with_values(name, info)
        if not _HUB_NAME.fullmatch(name):
            raise ValueError(
                f"'{name}' cannot be a hub's name: use 3 to 45 letters and digits, a letter first"
            )
        return name

    @field_validator("overridable_existing_instance_states", mode="before")
    @classmethod
    def _fold_states(cls, value: Any) -> Any:
        return member(OverridableStates, value)

    @field_validator("version_match_strategy", mode="before")
    @classmethod
    def _fold_match(cls, value: Any) -> Any:
        return member(VersionMatch, value)

    @field_validator("version_failure_strategy", mode="before")
    @classmethod
    def _fold_failure(cls, value: Any) -> Any:
        return member(VersionFailure, value)


class BlobSettings(Section):
    """`extensions.blobs`.

    So many blobs are worked on at once for one function (`maxDegreeOfParallelism`; None is 8 for
    each processor), and one is tried so often (`poisonBlobThreshold`). What is read or written as
    one value has at most `maxValueBytes`, what is written in pieces `maxBlobBytes`.
    """

    max_degree_of_parallelism: PositiveInt | None = None
    poison_blob_threshold: PositiveInt = 5
    max_value_bytes: PositiveInt = 64 * 1024 * 1024
    max_blob_bytes: PositiveInt = 10 * 1024 * 1024 * 1024


class Extensions(Section):
    """`extensions`."""

    blobs: BlobSettings = BlobSettings()

    http: HttpSettings = HttpSettings()
    durable_task: DurableTaskSettings = DurableTaskSettings()
    queues: QueueSettings = QueueSettings()


class LogLevel(StrEnum):
    """How much is logged, by the names of host.json."""

    TRACE = "Trace"
    DEBUG = "Debug"
    INFORMATION = "Information"
    WARNING = "Warning"
    ERROR = "Error"
    CRITICAL = "Critical"
    NONE = "None"


class LogLevels(Section):
    """`logging.logLevel`: how much is logged, by `default` and by category.

    A category is the name of a logger, of the app, of a library or of the host; the longest one
    that a logger's name begins with counts, as everywhere in Python.
    """

    default: LogLevel = LogLevel.INFORMATION
    categories: dict[str, LogLevel] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather_categories(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        levels = {name: _level(each) for name, each in value.items()}
        default = next((name for name in levels if name.lower() == "default"), None)
        given = {} if default is None else {"default": levels.pop(default)}
        return {**given, "categories": levels}


def _level(value: Any) -> Any:
    """A level in any case."""
    return member(LogLevel, value)


class LoggingSettings(Section):
    """`logging`."""

    log_level: LogLevels = LogLevels()


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
    is how many worker processes run plain functions; with 0 threads of the host do.
    """

    include: tuple[str, ...] = ()
    ready_requires: Required = Required.MODULES
    http: FunchostHttp = FunchostHttp()
    watchdog: WatchdogSettings = WatchdogSettings()
    stop_grace_seconds: Annotated[float, Field(ge=0, le=3600)] = 5.0
    start_patience_seconds: Annotated[float, Field(ge=0, le=86_400)] = 900.0
    processes: Annotated[int, Field(ge=0, le=MAX_PROCESSES)] = 0

    @field_validator("include")
    @classmethod
    def _check_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            if not PurePath(pattern).parts or PurePath(pattern).is_absolute():
                raise ValueError(f"'{pattern}' must be a folder relative to the app's folder")
            if any("**" in part and part != "**" for part in PurePath(pattern).parts):
                raise ValueError(f"'{pattern}': ** must stand alone between slashes")
        return patterns


class HostDocument(Section):
    """The whole of host.json.

    `functionTimeout` has no default here: a host of one's own need not end long work.
    `watchDirectories` are folders of the app in which any file counts for a host that watches,
    `watchFiles` names of files that do in any folder, besides modules and settings.
    """

    version: Literal["2.0"]
    function_timeout: Timespan | None = None
    functions: tuple[str, ...] | None = None
    watch_directories: tuple[str, ...] = ()
    watch_files: tuple[str, ...] = ()
    retry: Annotated[FunctionRetry | None, WithJsonSchema(dict(RETRY_SCHEMA))] = None
    logging: LoggingSettings = LoggingSettings()
    extensions: Extensions = Extensions()
    funchost: FunchostSettings = FunchostSettings()

    @field_validator("function_timeout", mode="before")
    @classmethod
    def _check_timeout(cls, value: Any) -> timedelta | None:
        if value is None or str(value).strip() == "-1":
            return None
        timeout = parse_timespan(value)
        if timeout < timedelta(seconds=1):
            raise ValueError("The timeout is at least 1 second; -1 means none")
        return timeout

    @field_validator("retry", mode="before")
    @classmethod
    def _read_retry(cls, value: Any, info: ValidationInfo) -> FunctionRetry | None:
        """An empty object says nothing, as in Azure's templates."""
        if value is None or value == {}:
            return None
        if isinstance(value, dict):
            value = {
                name: with_values(each, info) if isinstance(each, str) else each
                for name, each in value.items()
            }
        try:
            return read_retry(value)
        except FunctionDefinitionError as error:
            raise ValueError(str(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """All settings of one app. Made by `load_settings`; without arguments, all defaults.

    `values` are the app settings: the environment, then local.settings.json. `exports` are those
    that the environment does not have yet; whoever runs the app's functions puts them there.
    """

    document: HostDocument = field(default_factory=lambda: HostDocument(version="2.0"))
    values: AppSettings = field(default_factory=lambda: AppSettings({}))
    local: LocalSettings = field(default_factory=LocalSettings)
    exports: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    """What is to be said of keys of host.json that mean nothing and were to mean something."""
    cors_wish: CorsWish = NO_WISH
    """What local.settings.json or the command line says of pages of other sites."""

    @property
    def version(self) -> str:
        """The version of host.json's format."""
        return self.document.version

    @property
    def function_timeout(self) -> timedelta | None:
        """How long a function may run; None for as long as it likes."""
        return self.document.function_timeout

    @property
    def functions(self) -> tuple[str, ...] | None:
        """The only functions to load; None for all."""
        return self.document.functions

    @property
    def retry(self) -> FunctionRetry | None:
        """When failed runs of functions are repeated that do not say it; None for never."""
        return self.document.retry

    @property
    def log_level(self) -> LogLevel:
        """How much is logged."""
        return self.document.logging.log_level.default

    @property
    def log_categories(self) -> Mapping[str, LogLevel]:
        """How much is logged by loggers of these names and below."""
        return self.document.logging.log_level.categories

    @property
    def extensions(self) -> Extensions:
        """The sections `http` and `durableTask`."""
        return self.document.extensions

    @property
    def cors(self) -> CorsSettings:
        """Pages of which other sites may ask functions. Raises ValueError for what cannot be."""
        return self.cors_wish.over(self.extensions.http.cors)

    @property
    def funchost(self) -> FunchostSettings:
        """The section of this host alone."""
        return self.document.funchost

    def resolve(self, text: str) -> str:
        """The app setting's value for `%NAME%`, any other text as it is."""
        return self.values.resolve(text)

    def is_disabled(self, function_name: str) -> bool:
        """Whether an app setting switches the function off.

        The name with underscores is for shells, which cannot set variables with dots.
        """
        names = (f"AzureWebJobs.{function_name}.Disabled", f"AzureWebJobs_{function_name}_Disabled")
        return any(self.values.is_true(name) for name in names)
