"""Where an activity runs: here at once, here after a record of it, or wherever there is room."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from bindings.errors import FailureDetails
from host.core import history
from host.core.executors import ActivityExecutor
from host.core.functions import ActivityFunction
from host.core.history import TaskScheduled
from host.core.leases import Undispatched
from host.engine.activities import ActivityPool


class Placement(msgspec.Struct, frozen=True):
    """A decision for each of some activities."""

    here: list[Undispatched] = []
    once: list[Undispatched] = []
    """To be run here, after their start is on record."""
    limited: list[Undispatched] = []
    """To be run here, as soon as they have a slot of their limit."""
    elsewhere: list[Undispatched] = []
    """To be run by whichever host has room first."""
    lost: list[Undispatched] = []
    """Begun once, by somebody who vanished, and not to be begun again."""
    unknown: list[Undispatched] = []
    """This host does not have the function."""
    functions: dict[str, ActivityFunction] = {}
    """Those of the others, by name: as they were when this was decided."""


def place(
    tasks: Iterable[Undispatched],
    activities: ActivityExecutor,
    pool: ActivityPool,
    max_backlog_s: float | None,
) -> Placement:
    """Decide for each task; `max_backlog_s` is None where there is no other host to help."""
    placement = Placement()
    for task in tasks:
        scheduled = task.scheduled
        function = activities.activity(scheduled.name)
        if function is None:
            placement.unknown.append(task)
            continue
        placement.functions[scheduled.name] = function
        if not function.is_plain:
            _place_by_need(placement, task, function)
        elif max_backlog_s is None or pool.wait_s(len(placement.here)) <= max_backlog_s:
            placement.here.append(task)
        else:
            placement.elsewhere.append(task)
    return placement


def _place_by_need(placement: Placement, task: Undispatched, function: ActivityFunction) -> None:
    """What may begin once, and what needs a slot before it begins."""
    if function.at_most_once and task.was_begun:
        placement.lost.append(task)
    elif function.limit is not None:
        placement.limited.append(task)
    else:
        placement.once.append(task)


def lost_failure(scheduled: TaskScheduled, timestamp: datetime) -> history.TaskFailed:
    """The end of an at-most-once activity whose lease is over, and nobody says what became of it.

    Its host ended, or lost touch with the store; who looks at the lease cannot tell which.
    """
    return history.TaskFailed(
        timestamp=timestamp,
        task_id=scheduled.task_id,
        failure=FailureDetails(
            error_type="ActivityLostError",
            message=(
                f"The host that had the activity '{scheduled.name}' gave no result before its "
                "time was over: it ended, was stopped, or could not reach the store. The activity "
                "may have done its work or a part of it; since it is marked at_most_once, it is "
                "not run again."
            ),
            is_non_retriable=True,
        ),
    )


def poisoned_failure(
    scheduled: TaskScheduled, tries: int, timestamp: datetime
) -> history.TaskFailed:
    """The end of an activity with which too many hosts vanished."""
    return history.TaskFailed(
        timestamp=timestamp,
        task_id=scheduled.task_id,
        failure=FailureDetails(
            error_type="PoisonedActivityError",
            message=(
                f"The activity '{scheduled.name}' was begun {tries} times, and each time its host "
                "ended before it did. It is not run again."
            ),
            is_non_retriable=True,
        ),
    )
