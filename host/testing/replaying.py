"""Whether code still does what a history records that was made by its former self."""

from __future__ import annotations

import json
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from bindings.client import RuntimeStatus
from bindings.errors import FunctionNotFoundError, InvalidArgumentError, NonDeterminismError
from host.core import history, ids
from host.core.converter import Converter
from host.core.executors import Outcome
from host.core.history import ExecutionStarted, HistoryEvent
from host.core.history_reading import history_from_json
from host.core.replay import determinism
from host.core.replay.execution import Execution
from host.core.rewound import led_through
from host.testing.loading import LoadedApp, TestedApp, loaded


def replay(
    history_file: str | PathLike[str], app: TestedApp, *, instance_id: str | None = None
) -> None:
    """Lead the app's code through a history; no activity runs.

    The file is JSON: what `DurableClient.get_instance_history` or `TestEnvironment.history` gave,
    of an instance that is finished or not. `instance_id` is needed only if it cannot be told from
    the ids of sub-orchestrations.

    Raises `NonDeterminismError`, which says what was recorded, what the code does now and where, if
    the code goes another way or ends otherwise; `FunctionNotFoundError` if the app has not the
    orchestrator; `InvalidArgumentError` for what is no history; else as `TestEnvironment` does.
    """
    events = _read(Path(history_file))
    with loaded(app) as found:
        _compare(events, found, instance_id or _instance_id_of(events))


def _read(path: Path) -> list[HistoryEvent]:
    try:
        events: Any = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidArgumentError(f"The history in '{path}' is not JSON: {error}") from error
    if not isinstance(events, list):
        raise InvalidArgumentError(
            f"The history in '{path}' is not a list of events, as get_instance_history gives it."
        )
    return history_from_json(events)


def _start_of(events: Sequence[HistoryEvent]) -> ExecutionStarted:
    found = next((each for each in events if isinstance(each, ExecutionStarted)), None)
    if found is None:
        raise InvalidArgumentError("The history has no ExecutionStarted: it is not whole.")
    return found


def _instance_id_of(events: Sequence[HistoryEvent]) -> str:
    """The id as far as derived ids of children tell it; without any it does not matter."""
    execution_id = _start_of(events).execution_id
    for each in events:
        if isinstance(each, history.SubOrchestrationInstanceCreated):
            end = ids.child_instance_id("", execution_id, each.task_id)
            if each.instance_id.endswith(end):
                return each.instance_id.removesuffix(end)
    return "replayed"


def _compare(events: Sequence[HistoryEvent], app: LoadedApp, instance_id: str) -> None:
    start, catalog = _start_of(events), app.version.catalog
    name = start.name
    function = catalog.orchestrator(name, start.version)
    if function is None:
        names = ", ".join(catalog.orchestrator_names()) or "none"
        raise FunctionNotFoundError(f"The app has no orchestrator '{name}'; it has: {names}.")
    durable = app.settings.extensions.durable_task
    execution = Execution(
        instance_id,
        function,
        catalog,
        Converter(durable.max_payload_bytes),
        durable.max_orchestration_actions,
    )
    try:
        execution.replay(led_through(events))
        _check_end(name, events[-1], execution)
    finally:
        execution.close()


def _check_end(name: str, last: HistoryEvent, execution: Execution) -> None:
    """Raise what the replay found, or that the code ends otherwise than is recorded."""
    if execution.error is not None and isinstance(execution.error.error, NonDeterminismError):
        raise execution.error.error
    if not isinstance(last, Outcome) or _is_by_order(last):
        return
    unrecorded = execution.take_output().actions
    done = determinism.describe(unrecorded[0]) if unrecorded else _end_of(last, execution)
    if done is not None:
        recorded = _in_words(last)
        raise determinism.mismatch(name, "its end", recorded=recorded, done=done)


def _is_by_order(last: Outcome) -> bool:
    """Whether the code had no part in the end."""
    return isinstance(last, history.ExecutionCompleted) and last.status is RuntimeStatus.TERMINATED


def _end_of(last: Outcome, execution: Execution) -> str | None:
    """What the code came to, in words; None if that is what is recorded."""
    outcome = execution.outcome
    if outcome is None or outcome is last:
        return "to wait"
    done = _in_words(outcome)
    return None if done == _in_words(last) else done


def _in_words(outcome: Outcome) -> str:
    if isinstance(outcome, history.ContinueAsNew):
        return "to continue as new"
    failure = outcome.failure
    return "to return" if failure is None else f"to fail with {failure.error_type}"
