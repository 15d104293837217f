"""Kinds of numbers in host.json."""

from __future__ import annotations

from math import inf
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from host.settings.http import UNBOUNDED

MIN_LIMIT_S = 0.1

PositiveInt = Annotated[int, Field(gt=0)]
Limit = Annotated[
    float,
    Field(ge=MIN_LIMIT_S),
    BeforeValidator(lambda value: inf if value in (UNBOUNDED, str(UNBOUNDED)) else value),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": MIN_LIMIT_S}, {"const": UNBOUNDED}]}),
]
"""Seconds until something is done; -1 for never, which is read as infinite."""
PositiveSeconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
