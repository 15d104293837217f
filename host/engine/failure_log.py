"""What the log says when code of an author fails: with the error itself, for error trackers.

A record is an error if the failure stands, and a warning if the work is tried again. It has the
attributes `instance_id`, `function` and `attempt`, and `exc_info` where the error is at hand.
"""

from __future__ import annotations

import logging

from bindings.errors import FailureDetails
from host.core.failures import Caught, summary
from host.core.history import TaskScheduled
from host.logs import HostLog

_logger = HostLog("funchost.engine")


def log_failed_activity(instance_id: str, scheduled: TaskScheduled, failed: Caught) -> None:
    """An activity raised. Whether it is really tried again, the retry policy has yet to say."""
    attempt, of = scheduled.attempt, scheduled.max_attempts
    may_try_again = attempt < of and not failed.details.is_non_retriable
    _logger.log(
        logging.WARNING if may_try_again else logging.ERROR,
        "Activity '%s' of '%s' failed%s: %s",
        scheduled.name,
        instance_id,
        f" on attempt {attempt} of {of}" if of > 1 else "",
        failed,
        exc_info=failed.exc_info,
        extra={"instance_id": instance_id, "function": scheduled.name, "attempt": attempt},
    )


def log_failed_orchestration(
    instance_id: str, name: str, failure: FailureDetails, error: Caught | None
) -> None:
    """An orchestration failed. `error` is what its code raised, if it did so in this process."""
    _logger.error(
        "Orchestrator '%s' of '%s' failed: %s",
        name,
        instance_id,
        error or summary(failure),
        exc_info=None if error is None else error.exc_info,
        extra={"instance_id": instance_id, "function": name, "attempt": 1},
    )
