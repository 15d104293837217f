"""`retry` of a function: when a run that failed is repeated for the same trigger value.

It is written the same way in a function.json, in host.json (for all functions that can have one)
and by the decorator `retry`: names, strategies and numbers are read without regard to case, and as
texts too, since app settings and environment variables are texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final

from bindings.errors import FunctionDefinitionError
from bindings.shown_values import shown_value
from bindings.timespans import TIMESPAN_PATTERN, parse_timespan

FOR_EVER: Final = -1
MAX_RETRY_COUNT: Final = 2**31 - 1
MAX_DELAY: Final = timedelta(hours=24)
LEAST_DELAY_FOR_EVER: Final = timedelta(seconds=1)
"""A function that always fails would keep its host busy with nothing else."""
RANDOM_PART: Final = 0.2
"""How much of a growing delay is chance, so that what failed together does not come together."""
_MAX_DOUBLINGS: Final = 60
_COUNT = re.compile(r"-?\d{1,10}", re.ASCII)


class NotRetried(Exception):  # noqa: N818 - it says what is to become of the value
    """The base of what no `retry` repeats: its listener knows which part of the value failed."""


class RetryStrategy(StrEnum):
    """How long the delays are."""

    FIXED_DELAY = "fixedDelay"
    EXPONENTIAL_BACKOFF = "exponentialBackoff"


_INTERVALS: Final[Mapping[RetryStrategy, tuple[str, ...]]] = {
    RetryStrategy.FIXED_DELAY: ("delayInterval",),
    RetryStrategy.EXPONENTIAL_BACKOFF: ("minimumInterval", "maximumInterval"),
}
_NAMES: Final = ("strategy", "maxRetryCount", "delayInterval", "minimumInterval", "maximumInterval")


def _schema(strategy: RetryStrategy) -> dict[str, Any]:
    timespan = {"type": "string", "pattern": f"^({TIMESPAN_PATTERN}|%[^%]+%)$"}
    count = {"anyOf": [{"type": "integer", "minimum": FOR_EVER}, {"type": "string"}]}
    intervals = _INTERVALS[strategy]
    return {
        "type": "object",
        "properties": {
            "strategy": {"const": strategy.value},
            "maxRetryCount": {
                **count,
                "description": "how many tries follow the first; -1: no end",
            },
            **dict.fromkeys(intervals, timespan),
        },
        "required": ["strategy", "maxRetryCount", *intervals],
        "additionalProperties": False,
    }


RETRY_SCHEMA: Final[Mapping[str, Any]] = {
    "description": "when a run that failed is repeated for the same trigger value",
    "anyOf": [_schema(each) for each in RetryStrategy],
}
"""The JSON schema of a `retry`, written with the usual names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRetry:
    """How often a failed run is repeated, and after which delays."""

    strategy: RetryStrategy
    max_retry_count: int
    """How many tries follow the first one; `FOR_EVER` for as many as it takes."""
    shortest: timedelta
    longest: timedelta
    """The same as the shortest one if the delay is fixed."""

    @property
    def is_endless(self) -> bool:
        """Whether it is tried for as long as it fails."""
        return self.max_retry_count == FOR_EVER

    def delay(self, number: int, chance: float) -> timedelta:
        """The delay before the retry of this number, from 1; `chance` is from 0 to 1.

        A growing one doubles each time, plus or minus a random part, and stays within its bounds.
        """
        if self.strategy is RetryStrategy.FIXED_DELAY:
            return self.shortest
        grown = self.shortest.total_seconds() * 2.0 ** min(number - 1, _MAX_DOUBLINGS)
        usual = min(grown, self.longest.total_seconds())
        seconds = usual * (1 + RANDOM_PART * (2 * chance - 1))
        return min(max(timedelta(seconds=seconds), self.shortest), self.longest)

    def to_json(self) -> dict[str, Any]:
        """The policy as a function.json writes it."""
        delays = (self.shortest, self.longest)
        return {
            "strategy": self.strategy.value,
            "maxRetryCount": self.max_retry_count,
            **{
                name: timespan_text(delay)
                for name, delay in zip(_INTERVALS[self.strategy], delays, strict=False)
            },
        }


def usual_retry(document: object) -> Mapping[str, Any]:
    """What is said, by the usual names. Raises `FunctionDefinitionError` for other names."""
    if not isinstance(document, Mapping):
        raise FunctionDefinitionError(
            "'retry' must be an object with 'strategy' and 'maxRetryCount', not "
            f"{shown_value(document)}."
        )
    usual = {name.lower(): name for name in _NAMES}
    given: dict[str, Any] = {}
    for key, value in document.items():
        name = usual.get(str(key).lower())
        if name is None:
            near = get_close_matches(str(key).lower(), usual, n=1)
            meant = f"is '{usual[near[0]]}' meant?" if near else f"there are {', '.join(_NAMES)}."
            raise FunctionDefinitionError(f"'retry' has a '{key}', which means nothing: {meant}")
        if value is not None:
            given[name] = value
    return given


def read_retry(document: object) -> FunctionRetry:
    """The policy. Raises `FunctionDefinitionError`, which says what would be right."""
    given = usual_retry(document)
    strategy = _strategy(given.get("strategy"))
    count = _count(given.get("maxRetryCount"))
    wanted = _INTERVALS[strategy]
    for name in _NAMES[2:]:
        if name in given and name not in wanted:
            raise FunctionDefinitionError(
                f"'retry' has a '{name}', which the strategy '{strategy}' does not know: it takes "
                f"{' and '.join(wanted)}."
            )
    delays = [_delay(given, name, strategy) for name in wanted]
    retry = FunctionRetry(
        strategy=strategy, max_retry_count=count, shortest=delays[0], longest=delays[-1]
    )
    _check_delays(retry)
    return retry


def timespan_text(span: timedelta) -> str:
    """The duration as a function.json writes it."""
    days = f"{span.days}." if span.days else ""
    rest = timedelta(seconds=span.seconds, microseconds=span.microseconds)
    return f"{days}{'0' if rest < timedelta(hours=10) else ''}{rest}"


def _strategy(value: object) -> RetryStrategy:
    folded = {each.lower(): each for each in RetryStrategy}
    found = folded.get(value.replace("_", "").strip().lower()) if isinstance(value, str) else None
    if found is None:
        said = "has no 'strategy'" if value is None else f"has the strategy {shown_value(value)}"
        raise FunctionDefinitionError(f"'retry' {said}: write one of {', '.join(RetryStrategy)}.")
    return found


def _count(value: object) -> int:
    text = str(value).strip() if isinstance(value, str | int) else ""
    if _COUNT.fullmatch(text) and FOR_EVER <= int(text) <= MAX_RETRY_COUNT:
        return int(text)
    said = (
        "has no 'maxRetryCount'" if value is None else f"has the maxRetryCount {shown_value(value)}"
    )
    raise FunctionDefinitionError(
        f"'retry' {said}: write how many tries may follow the first one, as a whole number; "
        f"{FOR_EVER} is for ever."
    )


def _delay(given: Mapping[str, Any], name: str, strategy: RetryStrategy) -> timedelta:
    value = given.get(name)
    if value is None:
        raise FunctionDefinitionError(
            f"'retry' has no '{name}', which the strategy '{strategy}' needs: write a duration "
            "such as 00:00:10."
        )
    try:
        delay = parse_timespan(value)
    except ValueError as error:
        raise FunctionDefinitionError(
            f"'{name}' of 'retry' is {shown_value(value)}. {error}."
        ) from None
    if not timedelta(0) <= delay <= MAX_DELAY:
        raise FunctionDefinitionError(
            f"'{name}' of 'retry' is {timespan_text(delay)}: it is at most "
            f"{timespan_text(MAX_DELAY)}."
        )
    return delay


def _check_delays(retry: FunctionRetry) -> None:
    if retry.shortest > retry.longest:
        raise FunctionDefinitionError(
            "'minimumInterval' of 'retry' is longer than 'maximumInterval': exchange them."
        )
    if retry.strategy is RetryStrategy.EXPONENTIAL_BACKOFF and not retry.shortest:
        raise FunctionDefinitionError(
            "'minimumInterval' of 'retry' is 0, which never grows: write 00:00:01, say."
        )
    if retry.is_endless and retry.shortest < LEAST_DELAY_FOR_EVER:
        raise FunctionDefinitionError(
            f"'retry' is for ever and its delays are shorter than "
            f"{timespan_text(LEAST_DELAY_FOR_EVER)}: a function that always fails would keep its "
            "host busy. Write longer ones, or another 'maxRetryCount'."
        )
