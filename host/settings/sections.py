"""What the sections of host.json have in common.

Unknown keys are tolerated, keys match without regard to case.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel

from host.errors import ConfigurationError
from host.settings.values import AppSettings


def _is_number(annotation: Any) -> bool:
    return annotation in (int, float) or any(map(_is_number, get_args(annotation)))


class Section(BaseModel):
    """An object of host.json."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_truth_for_number(cls, value: Any, info: ValidationInfo) -> Any:
        """`true` would pass for 1, where somebody means "on"."""
        wanted = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and _is_number(wanted):
            raise ValueError(f"Write a number; it is {str(value).lower()}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _fold_keys(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        aliases = {to_camel(name).lower(): to_camel(name) for name in cls.model_fields}
        return {aliases.get(str(key).lower(), key): value for key, value in data.items()}


def with_values(text: str, info: ValidationInfo) -> str:
    """The text with the app settings' values for each `%NAME%`."""
    values: AppSettings = (info.context or {}).get("values", AppSettings({}))
    try:
        return values.resolve(text)
    except ConfigurationError as error:
        raise ValueError(str(error)) from error


def member(kind: type[StrEnum], value: Any) -> Any:
    """A member by its value in any case."""
    names = {each.lower(): each for each in kind}
    return names.get(value.lower(), value) if isinstance(value, str) else value
