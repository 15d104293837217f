"""The storage provider `aws` of host.json (`extensions.durableTask.storageProvider`).

Rules of this file: it turns settings into the layout of a hub and the options of its clients, and
asks nobody. What is not set here, the standard AWS configuration decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, JsonValue, ValidationError, field_validator

from host.errors import ConfigurationError
from host.settings.connections import AwsOptions
from host.settings.numbers import PositiveInt
from host.settings.sections import Section
from host.storage.aws.schema import (
    DEFAULT_PREFIX,
    MAX_POLLS,
    MAX_QUEUE_NAME,
    MAX_VISIBILITY_TIMEOUT_S,
    MIN_VISIBILITY_TIMEOUT_S,
    VISIBILITY_TIMEOUT_S,
    CapacityMode,
    HubLayout,
    longest_queue_name,
)

DEFAULT_SWEEP_S = 300
DEFAULT_FULL_SWEEP_S = 6 * 3600

_PLACE = "host.json: extensions.durableTask.storageProvider"
_TYPE, _AWS = "type", "aws"
# Policies name keys by their ARN: an id says nothing of its account, an alias may move.
_KEY_ARN = re.compile(r"arn:aws[a-z0-9-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+")
_NO_KEY_ARN = (
    "'{}' is not the ARN of a key, like arn:aws:kms:eu-central-1:123456789012:key/1234abcd"
)


# What AWS takes. Templates, where `${` would mean something, rely on it.
_TAG = r"^[\p{L}\p{Z}\p{N}_.:/=+@-]*$"
_TagName = Annotated[str, Field(min_length=1, max_length=128, pattern=_TAG)]
_TagValue = Annotated[str, Field(max_length=256, pattern=_TAG)]
_MAX_TAGS = 49
"""AWS takes 50, and one is the hub's name."""
_AWS_TAGS = "aws:"
_Interval = Annotated[int, Field(ge=1, le=30 * 24 * 3600)]


class _Capacity(StrEnum):
    ON_DEMAND = "onDemand"
    PROVISIONED = "provisioned"


_MODES = {
    _Capacity.ON_DEMAND: CapacityMode.ON_DEMAND,
    _Capacity.PROVISIONED: CapacityMode.PROVISIONED,
}


class AwsSettings(Section):
    """`storageProvider` with the type `aws`.

    The table is named by `tablePrefix` and the hub, or by `tableName` if it has another name: one
    that was restored. The names of all queues start like it. `kmsKeyArn` encrypts all of it.
    `wakeupQueues` is for hubs beyond one FIFO queue's limits, and the same on all hosts.
    `visibilityTimeoutSeconds` is how long a host that vanished keeps its instances from the others,
    `sweepIntervalSeconds` how often one host of the hub looks for hints that were lost, and
    `fullSweepIntervalSeconds` how often it looks at every instance for that.
    """

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    dynamodb_endpoint_url: str | None = None
    sqs_endpoint_url: str | None = None
    table_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,20}$")] = DEFAULT_PREFIX
    table_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{3,80}$")] | None = None
    kms_key_arn: str | None = None
    wakeup_queues: Annotated[int, Field(ge=1, le=100)] = 1
    capacity_mode: _Capacity = _Capacity.ON_DEMAND
    read_capacity_units: PositiveInt = 25
    write_capacity_units: PositiveInt = 25
    visibility_timeout_seconds: Annotated[int, Field(ge=MIN_VISIBILITY_TIMEOUT_S)] = (
        VISIBILITY_TIMEOUT_S
    )
    max_polls: Annotated[int, Field(ge=1, le=50)] = MAX_POLLS
    sweep_interval_seconds: _Interval = DEFAULT_SWEEP_S
    full_sweep_interval_seconds: _Interval = DEFAULT_FULL_SWEEP_S
    tags: dict[_TagName, _TagValue] = Field(default_factory=dict, max_length=_MAX_TAGS)

    @field_validator(
        "wakeup_queues",
        "read_capacity_units",
        "write_capacity_units",
        "visibility_timeout_seconds",
        "max_polls",
        "sweep_interval_seconds",
        "full_sweep_interval_seconds",
        mode="before",
    )
    @classmethod
    def _refuse_truth(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("Input should be a whole number")
        return value

    @field_validator("visibility_timeout_seconds")
    @classmethod
    def _refuse_long_holds(cls, value: int) -> int:
        if value > MAX_VISIBILITY_TIMEOUT_S:
            raise ValueError(
                f"Input should be at most {MAX_VISIBILITY_TIMEOUT_S}: SQS lets a message be held "
                "for 12 hours in all, and a host makes its holds longer while it works; this is "
                "only how long a host that vanished keeps its work from the others"
            )
        return value

    @field_validator("capacity_mode", mode="before")
    @classmethod
    def _fold_mode(cls, value: Any) -> Any:
        names = {mode.lower(): mode for mode in _Capacity}
        return names.get(value.lower(), value) if isinstance(value, str) else value

    @field_validator("tags")
    @classmethod
    def _refuse_tags_of_aws(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name.lower().startswith(_AWS_TAGS):
                raise ValueError(f"'{name}' begins like AWS's own tags, which only AWS sets")
        return value

    @field_validator("kms_key_arn")
    @classmethod
    def _check_key(cls, value: str | None) -> str | None:
        if value is not None and not _KEY_ARN.fullmatch(value):
            raise ValueError(_NO_KEY_ARN.format(value))
        return value

    def layout(self, hub: str) -> HubLayout:
        """What the hub of this name is made of.

        Raises `ConfigurationError` if its queues would have names that SQS does not take.
        """
        layout = HubLayout(
            hub=hub,
            prefix=self.table_prefix,
            table=self.table_name,
            kms_key_arn=self.kms_key_arn,
            wakeup_queues=self.wakeup_queues,
            capacity_mode=_MODES[self.capacity_mode],
            read_units=self.read_capacity_units,
            write_units=self.write_capacity_units,
            tags=self.tags,
        )
        longest = longest_queue_name(layout)
        if (excess := len(longest) - MAX_QUEUE_NAME) > 0:
            raise ConfigurationError(
                f"{_PLACE}: the name of the table is too long for that of a queue: SQS takes"
                f" {MAX_QUEUE_NAME} characters, and '{longest}' has {len(longest)}. Shorten"
                f" tablePrefix, the hub's name or tableName by {excess}."
            )
        return layout

    def options(self, *, region: str | None = None) -> AwsOptions:
        """Where the services are; `region` goes before the settings."""
        return AwsOptions(
            region=region or self.region,
            profile=self.profile,
            endpoint_url=self.endpoint_url,
            dynamodb_endpoint_url=self.dynamodb_endpoint_url,
            sqs_endpoint_url=self.sqs_endpoint_url,
        )


def read_aws_settings(provider: Mapping[str, JsonValue]) -> AwsSettings:
    """The settings in `storageProvider`. Raises `ConfigurationError` with all problems."""
    problems = list(_unknown(provider))
    try:
        settings = AwsSettings.model_validate(dict(provider))
    except ValidationError as error:
        wrong = error.errors(include_url=False)
        problems += [f"{'.'.join(map(str, each['loc']))}: {_said(each['msg'])}." for each in wrong]
        raise ConfigurationError(*(f"{_PLACE}.{problem}" for problem in problems)) from error
    if problems:
        raise ConfigurationError(*(f"{_PLACE}.{problem}" for problem in problems))
    return settings


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")


def _unknown(provider: Mapping[str, JsonValue]) -> Iterable[str]:
    """What is said of keys that do not exist. What is meant for another driver is not looked at."""
    given = {key.lower(): value for key, value in provider.items()}
    if str(given.get(_TYPE, _AWS)).lower() != _AWS:
        return
    names = {str(field.alias).lower(): field.alias for field in AwsSettings.model_fields.values()}
    for key in provider:
        if key.lower() not in {*names, _TYPE}:
            close = get_close_matches(key.lower(), names, n=1)
            hint = f"; is '{names[close[0]]}' meant?" if close else "."
            yield f"{key}: There is no such setting{hint}"
