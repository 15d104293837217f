"""What host.json says of limits: how many tasks of a name run at once, or begin in a time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from host.settings.sections import Section
from host.settings.timespans import Timespan

MAX_CONCURRENCY = 100_000
MAX_COUNT = 1_000_000
MIN_PER = timedelta(milliseconds=10)
MAX_PER = timedelta(days=31)
MAX_LIMITS = 1000

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


def check_name(name: str) -> str:
    """A name that a limit can have. Raises ValueError for others."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"'{name}' cannot be a limit's name: use at most 64 letters, digits, '-' and '_', a "
            "letter first"
        )
    return name


class _Strict(Section):
    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, said: Any) -> Any:
        """What is misspelt would limit nothing, and nobody would see it."""
        if not isinstance(said, dict | cls):
            raise ValueError(
                'Write an object such as {"concurrency": 5} or '
                '{"rate": {"count": 10, "per": "00:00:01"}}'
            )
        names = [to_camel(name) for name in cls.model_fields]
        for name in said if isinstance(said, dict) else ():
            if str(name).lower() not in map(str.lower, names):
                raise ValueError(f"'{name}' is none of {', '.join(names)}")
        return said


class RateSettings(_Strict):
    """`rate` of a limit: at most `count` begin in any time of `per`."""

    count: Annotated[int, Field(ge=1, le=MAX_COUNT)]
    per: Timespan = timedelta(seconds=1)

    @field_validator("per")
    @classmethod
    def _check_per(cls, value: timedelta) -> timedelta:
        if not MIN_PER <= value <= MAX_PER:
            raise ValueError("A rate is for 10 milliseconds at least, and 31 days at most")
        return value


class LimitSettings(_Strict):
    """One of `extensions.durableTask.limits`.

    `concurrency` is how many run at once, `rate` how many begin in a time; one of them is there.
    With `perKey` each key is counted by itself.
    """

    concurrency: Annotated[int, Field(ge=1, le=MAX_CONCURRENCY)] | None = None
    rate: RateSettings | None = None
    per_key: bool = False

    @model_validator(mode="after")
    def _check_any(self) -> Self:
        if self.concurrency is None and self.rate is None:
            raise ValueError("It limits nothing: give it a 'concurrency', a 'rate', or both")
        return self


def check_names(limits: Mapping[str, LimitSettings]) -> Mapping[str, LimitSettings]:
    """The limits, if all may be called so. Raises ValueError."""
    if len(limits) > MAX_LIMITS:
        raise ValueError(f"There are {len(limits)} limits; at most {MAX_LIMITS} can be")
    for name in limits:
        check_name(name)
    return limits
