"""The model of host.json. What its sections say is in files of their own.

Defaults are those of Azure Functions, except where a docstring says otherwise. The sections keep
their own file's names; what this host adds stands in `funchost`, and in `durableTask` as
`maxPayloadBytes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import ValidationInfo, WithJsonSchema, field_validator

from bindings.errors import FunctionDefinitionError
from bindings.function_retry import RETRY_SCHEMA, FunctionRetry, read_retry
from bindings.timespans import parse_timespan
from host.settings.blobs import BlobSettings
from host.settings.cors import NO_WISH, CorsSettings, CorsWish
from host.settings.durable_task import DurableTaskSettings
from host.settings.funchost import FunchostSettings
from host.settings.http import HttpSettings
from host.settings.local import LocalSettings
from host.settings.log_levels import LogFormat, LoggingSettings, LogLevel
from host.settings.queues import QueueSettings
from host.settings.sections import Section, with_values
from host.settings.timespans import Timespan
from host.settings.values import AppSettings


class Extensions(Section):
    """`extensions`."""

    blobs: BlobSettings = BlobSettings()
    http: HttpSettings = HttpSettings()
    durable_task: DurableTaskSettings = DurableTaskSettings()
    queues: QueueSettings = QueueSettings()


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
    def log_format(self) -> LogFormat:
        """How the log is written."""
        return self.document.logging.format

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
