"""What the log says when code of an author fails: with the error itself, for error trackers.

A record is an error if the failure stands, and a warning if the work is tried again. It has the
attributes `instance_id`, `function` and `attempt`, and `exc_info` where the error is at hand.
"""

from __future__ import annotations

import logging
from typing import Final

from host.core.failures import summary
from host.engine.observer import ActivityFailed, InstanceEnded, InstanceQuarantined, Observer
from host.logs import HostLog

_logger = HostLog("funchost.engine")


def _log_failed_activity(event: ActivityFailed) -> None:
    instance_id, scheduled, error = event.key.instance_id, event.scheduled, event.error
    attempt, of = scheduled.attempt, scheduled.max_attempts
    may_try_again = attempt < of and not error.details.is_non_retriable
    _logger.log(
        logging.WARNING if may_try_again else logging.ERROR,
        "Activity '%s' of '%s' failed%s: %s",
        scheduled.name,
        instance_id,
        f" on attempt {attempt} of {of}" if of > 1 else "",
        error,
        exc_info=error.exc_info,
        extra={
            "instance_id": instance_id,
            "function": scheduled.name,
            "attempt": attempt,
        },
    )


def _log_failed_orchestration(event: InstanceEnded) -> None:
    row, error = event.row, event.error
    if row.failure is not None:
        _logger.error(
            "Orchestrator '%s' of '%s' failed: %s",
            row.name,
            row.instance_id,
            error or summary(row.failure),
            exc_info=None if error is None else error.exc_info,
            extra={"instance_id": row.instance_id, "function": row.name, "attempt": 1},
        )


def _log_quarantine(event: InstanceQuarantined) -> None:
    _logger.error("'%s' is quarantined: %s", event.row.instance_id, event.reason)


FAILURE_LOG: Final = Observer(
    name="failure log",
    sees={
        ActivityFailed: _log_failed_activity,
        InstanceEnded: _log_failed_orchestration,
        InstanceQuarantined: _log_quarantine,
    },
)
