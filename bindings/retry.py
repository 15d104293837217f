"""When and how often a failed activity or sub-orchestration is tried again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from math import inf

from bindings.errors import FailureDetails


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Tries again with growing pauses, as Durable Task does.

    The pause before attempt n+1 is `first_retry_interval * backoff_coefficient ** (n - 1)`, at most
    `max_retry_interval`. It stops after `max_number_of_attempts` attempts (the first one counts),
    when `retry_timeout` has passed since the first attempt by the orchestration's own clock, when
    the failure (or one of its causes) is named in `non_retryable_errors`, or when `handle` returns
    False for it. `handle` must be deterministic: it runs again on every replay.
    """

    first_retry_interval: timedelta
    max_number_of_attempts: int
    backoff_coefficient: float = 1.0
    max_retry_interval: timedelta | None = None
    retry_timeout: timedelta | None = None
    handle: Callable[[FailureDetails], bool] | None = None
    non_retryable_errors: tuple[type[BaseException] | str, ...] = ()

    def __post_init__(self) -> None:
        if self.first_retry_interval < timedelta(0):
            raise ValueError("first_retry_interval must not be negative.")
        if self.max_number_of_attempts < 1:
            raise ValueError("max_number_of_attempts must be at least 1 (the first try counts).")
        if not 1 <= self.backoff_coefficient < inf:
            raise ValueError("backoff_coefficient must be a number that is at least 1.")
        for name in ("max_retry_interval", "retry_timeout"):
            value: timedelta | None = getattr(self, name)
            if value is not None and value <= timedelta(0):
                raise ValueError(f"{name} must be positive.")
