"""When and how often a failed activity or sub-orchestration is tried again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from math import inf

from bindings.errors import FailureDetails
from bindings.shown_values import shown_value
from bindings.signatures import is_async

MAX_ATTEMPTS = 2**63 - 1
"""More than any host will ever make, and the largest number that every store and reader holds."""

_DURATIONS = ("first_retry_interval", "max_retry_interval", "retry_timeout")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Tries again with growing pauses, as Durable Task does.

    The pause before attempt n+1 is `first_retry_interval * backoff_coefficient ** (n - 1)`, at most
    `max_retry_interval`. It stops after `max_number_of_attempts` attempts (the first one counts),
    when `retry_timeout` has passed since the first attempt by the orchestration's own clock, when
    the failure (or one of its causes) is of a class in `non_retryable_errors`, or of one derived
    from it, or when `handle` returns False for it. `handle` is a plain function and must be
    deterministic: it runs again on every replay. What it raises is raised by the await.

    Raises ValueError or TypeError for what cannot be.
    """

    first_retry_interval: timedelta
    max_number_of_attempts: int
    backoff_coefficient: float = 1.0
    max_retry_interval: timedelta | None = None
    retry_timeout: timedelta | None = None
    handle: Callable[[FailureDetails], bool] | None = None
    non_retryable_errors: tuple[type[BaseException] | str, ...] = ()

    def __post_init__(self) -> None:
        errors: object = self.non_retryable_errors
        if isinstance(errors, str | type):  # one, where a tuple is meant
            object.__setattr__(self, "non_retryable_errors", (errors,))
        self._check_types()
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
        if self.max_number_of_attempts > MAX_ATTEMPTS:
            raise ValueError(f"max_number_of_attempts must be at most {MAX_ATTEMPTS}.")
        self._make_plain()

    def _make_plain(self) -> None:
        """Numbers and times of derived classes would get into what is stored."""
        object.__setattr__(self, "max_number_of_attempts", int(self.max_number_of_attempts))
        for name in _DURATIONS:
            value = getattr(self, name)
            if value is not None and type(value) is not timedelta:
                plain = timedelta(value.days, value.seconds, value.microseconds)
                object.__setattr__(self, name, plain)

    def _check_types(self) -> None:
        for name in _DURATIONS:
            value = getattr(self, name)
            if not isinstance(value, timedelta) and (value is not None or name.startswith("first")):
                raise TypeError(f"{name} must be a timedelta, not {shown_value(value)}.")
        attempts: object = self.max_number_of_attempts
        if not isinstance(attempts, int) or isinstance(attempts, bool):
            raise TypeError(
                f"max_number_of_attempts must be a whole number, not {shown_value(attempts)}."
            )
        if self.handle is not None and (not callable(self.handle) or is_async(self.handle)):
            raise TypeError("handle must be a plain function: the answer of an async def is true.")
        for error in self.non_retryable_errors:
            if not isinstance(error, str) and not _is_error_class(error):
                raise TypeError(
                    f"non_retryable_errors holds {shown_value(error)}, which is no exception class."
                )


def _is_error_class(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)
