"""The tasks that an execution hands out: timers, event waits, retries.

Composites live in `bindings.tasks`; here are those that need the execution's operations, given to
them as callables. A task that is over before its time tells its owner, who then forgets it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bindings.errors import FailureDetails, InvalidArgumentError, TaskFailedError
from bindings.retry import RetryPolicy
from bindings.tasks import CancellableTask, CompositeTask, DurableTask, resolve
from host.core.arguments import exact_duration, exact_moment

MAX_TIMER = timedelta(days=3660)


class TimerTask(CancellableTask[None]):
    """A durable timer. `forget` is told when it is cancelled, and may refuse that by raising."""

    __slots__ = ("_forget", "task_id")

    def __init__(self, task_id: int, forget: Callable[[TimerTask], None]) -> None:
        super().__init__()
        self.task_id = task_id
        self._forget = forget

    def cancel(self) -> bool:
        """End the timer: it will not fire."""
        if not self._is_complete:
            self._forget(self)
        return super().cancel()


class EventTask(CancellableTask[Any]):
    """A wait for an external event, with an optional timer that bounds it.

    `forget` is told when the wait is over without an event, and may refuse that by raising.
    """

    __slots__ = ("_forget", "data_type", "name", "timer")

    def __init__(
        self,
        name: str,
        data_type: Any,
        timer: TimerTask | None,
        forget: Callable[[EventTask], None],
    ) -> None:
        super().__init__()
        self.name = name
        self.data_type = data_type
        self.timer = timer
        self._forget = forget
        if timer is not None:
            Deadline(timer, self.time_out)

    def cancel(self) -> bool:
        """End the wait, and its timer."""
        if not self._is_complete:
            self._forget(self)
            self.stop_timer()
        return super().cancel()

    def time_out(self) -> None:
        """End the wait: its time is over."""
        if not self._is_complete:
            self._forget(self)
            resolve(self, error=TimeoutError(f"No event '{self.name}' came in time."))

    def stop_timer(self) -> None:
        """The wait is over: its timer need not fire."""
        if self.timer is not None:
            self.timer.cancel()


class Deadline(CompositeTask[None]):
    """Tells what it bounds that its timer has fired. It never completes itself."""

    __slots__ = ("_time_out",)

    def __init__(self, timer: TimerTask, time_out: Callable[[], None]) -> None:
        super().__init__([timer])
        self._time_out = time_out
        self._watch()

    def _child_completed(self, child: DurableTask[Any]) -> bool:
        if not child.is_failed:
            self._time_out()
        return False


class RetryTask(CompositeTask[Any]):
    """Schedules the work again, after a timer, until it succeeds or the policy says stop."""

    __slots__ = ("_attempts", "_now", "_pause", "_policy", "_schedule", "_started_at")

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        schedule: Callable[[int], DurableTask[Any]],
        pause: Callable[[timedelta], DurableTask[None]],
        now: Callable[[], datetime],
    ) -> None:
        """`schedule` is told which attempt it begins, from 1 on."""
        super().__init__(())
        self._policy = policy
        self._schedule = schedule
        self._pause = pause
        self._now = now
        self._attempts = 0
        self._started_at = now()
        self._try()

    def _try(self) -> None:
        self._attempts += 1
        self._follow(self._schedule(self._attempts))

    def _follow(self, child: DurableTask[Any]) -> None:
        self._children = (child,)
        self._watch()

    def _child_completed(self, child: DurableTask[Any]) -> bool:
        if isinstance(child, TimerTask):
            self._try()
            return False
        error = child.get_exception()
        try:
            delay = self._delay_after(error)
        except BaseException as raised:  # noqa: BLE001 - the author's `handle`: whoever awaits hears
            error, delay = raised, None
        if delay is not None:
            self._follow(self._pause(delay))
            return False
        self._error = error
        self._result = None if error is not None else child.get_result()
        self._is_complete = True
        return True

    def _delay_after(self, error: BaseException | None) -> timedelta | None:
        if not isinstance(error, TaskFailedError):
            return None
        elapsed = self._now() - self._started_at
        return next_delay(self._policy, self._attempts, elapsed, error.details)


def next_delay(
    policy: RetryPolicy, attempts: int, elapsed: timedelta, failure: FailureDetails
) -> timedelta | None:
    """How long to wait before the next attempt; None to give up."""
    if attempts >= policy.max_number_of_attempts or not _may_retry(policy, failure):
        return None
    if policy.retry_timeout is not None and elapsed >= policy.retry_timeout:
        return None
    ceiling = min(policy.max_retry_interval or MAX_TIMER, MAX_TIMER)
    return timedelta(seconds=min(_grown(policy, attempts), ceiling.total_seconds()))


def _may_retry(policy: RetryPolicy, failure: FailureDetails) -> bool:
    if failure.is_non_retriable:
        return False
    if any(failure.is_caused_by(error) for error in policy.non_retryable_errors):
        return False
    return policy.handle is None or bool(policy.handle(failure))


def _grown(policy: RetryPolicy, attempts: int) -> float:
    first = policy.first_retry_interval.total_seconds()
    if not first:
        return 0.0
    try:
        return first * policy.backoff_coefficient ** (attempts - 1)
    except OverflowError:
        return MAX_TIMER.total_seconds()


def due_time(fire_at: datetime | timedelta, now: datetime) -> datetime:
    """When a timer fires: aware, in UTC. Raises `InvalidArgumentError` for impossible times."""
    if isinstance(fire_at, timedelta):
        fire_at = exact_duration(fire_at)
        if not timedelta(0) <= fire_at <= MAX_TIMER:
            raise InvalidArgumentError(f"A timer's duration is 0 to 10 years, not {fire_at}.")
        return now + fire_at
    if not isinstance(fire_at, datetime):
        raise InvalidArgumentError(
            f"create_timer takes a datetime or a timedelta, not {type(fire_at).__name__}."
        )
    fire_at = exact_moment(fire_at, "A timer's time")
    if fire_at.tzinfo is None:
        fire_at = fire_at.replace(tzinfo=UTC)
    if fire_at - now > MAX_TIMER:
        raise InvalidArgumentError(f"A timer may be due at most 10 years ahead, not {fire_at}.")
    try:
        return fire_at.astimezone(UTC)
    except OverflowError:  # in UTC it is before the year 1
        return now
