"""`extensions.durableTask` of host.json: the hub, its limits, and what is kept and told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, JsonValue, ValidationInfo, field_validator, model_validator

from bindings.entity_cleaning import IDLE_ENTITY
from bindings.timespans import parse_timespan
from host.settings.http_calls import HttpCallSettings
from host.settings.limits import LimitSettings, check_names
from host.settings.notifications import NotificationSettings
from host.settings.numbers import PositiveInt
from host.settings.sections import Section, member, with_values
from host.settings.timespans import Timespan
from host.settings.versions import VersionFailure, VersionMatch

DEFAULT_HUB_NAME = "TestHubName"
DEFAULT_MAX_PAYLOAD_BYTES = 16 * 1024 * 1024
MIN_RETENTION = timedelta(seconds=1)
MAX_VERSION = 1024
_HUB_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,44}")


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
