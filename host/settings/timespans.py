"""Durations in host.json."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

from bindings.timespans import parse_timespan

Timespan = Annotated[timedelta, BeforeValidator(parse_timespan)]
