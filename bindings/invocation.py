"""What a triggered function may ask for besides its trigger: output values and its own identity."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event
from typing import Final, Generic, TypeVar

from bindings.errors import FailureDetails

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryContext:
    """Which try of a run this is, for functions with a `retry`."""

    retry_count: int = 0
    """How many tries there were before; 0 for the first one."""
    max_retry_count: int = 0
    """How many may follow the first one; -1 for ever. 0 for functions without a `retry`."""
    exception: FailureDetails | None = None
    """What the try before this one raised."""


FIRST_TRY: Final = RetryContext()


class Out(Generic[T]):
    """The value of an output binding, for functions that do not use their return value."""

    def __init__(self, value: T | None = None) -> None:
        """`value` is what there was before, of a binding that is an input, too."""
        self._value = value
        self._is_set = False

    def set(self, value: T) -> None:
        """Set what the binding sends when the function returns."""
        self._value = value
        self._is_set = True

    def get(self) -> T | None:
        """What was set, else what there was before, or None."""
        return self._value

    @property
    def is_set(self) -> bool:
        """Whether the function has set a value."""
        return self._is_set


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionContext:
    """The invocation that a parameter named `context` receives.

    `cancelled` is set once nobody waits for the result of an activity any more: its instance was
    terminated, another host runs the activity now, or this host stops. A coroutine is cancelled
    then; a plain function runs on in its thread, unheard, until it looks here. Ask
    `context.cancelled.is_set()` between two steps, or sleep by `context.cancelled.wait(seconds)`,
    which is True at once when it is set. Of functions that are no activities it is never set.
    """

    function_name: str
    invocation_id: str
    function_directory: str
    cancelled: Event = field(default_factory=Event, compare=False, repr=False)
    retry_context: RetryContext = FIRST_TRY
