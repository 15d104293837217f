"""Instances as commands print them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bindings.client import OrchestrationState, RuntimeStatus, state_to_json
from bindings.errors import FailureDetails
from host.cli.showing import (
    GrowingTable,
    facts,
    one_line,
    print_json,
    time_text,
    value_text,
)
from host.core.history_json import failure_to_json

HEAD = ("ID", "NAME", "STATUS", "CREATED", "WHY")


def state_json(state: OrchestrationState) -> dict[str, Any]:
    """The instance as the HTTP API shows it."""
    body = state_to_json(state)
    if state.failure_details is not None:
        body["failureDetails"] = failure_to_json(state.failure_details)
    return body


class StateTable:
    """A table of instances that is printed page by page."""

    def __init__(self) -> None:
        self._table = GrowingTable(HEAD)

    def show(self, states: Iterable[OrchestrationState]) -> None:
        """Print some more rows; before the first ones the heading."""
        self._table.add(_row(state) for state in states)


def print_state(state: OrchestrationState, *, as_json: bool) -> None:
    """Print one instance."""
    if as_json:
        print_json(state_json(state))
    else:
        facts(_facts(state))


def exit_code(state: OrchestrationState) -> int:
    """1 if the instance came to a bad end."""
    is_bad = state.runtime_status.is_finished and state.runtime_status is not _GOOD
    return 1 if is_bad else 0


_GOOD = RuntimeStatus.COMPLETED


def _row(state: OrchestrationState) -> tuple[str, ...]:
    return (
        state.instance_id,
        state.name,
        state.runtime_status.value,
        time_text(state.created_at),
        _why(state),
    )


def _why(state: OrchestrationState) -> str:
    """What is to be known of its state at first sight."""
    if state.failure_details is not None:
        return one_line(_failure(state.failure_details))
    return state.blocked_reason or value_text(state.custom_status)


def _failure(failure: FailureDetails) -> str:
    return f"{failure.error_type}: {failure.message}"


def _facts(state: OrchestrationState) -> Iterator[tuple[str, str]]:
    yield "id", state.instance_id
    yield "name", state.name
    yield "status", state.runtime_status.value
    yield "created", time_text(state.created_at)
    yield "updated", time_text(state.last_updated_at)
    yield "starts at", time_text(state.scheduled_start_at)
    yield "version", state.version or ""
    yield "tags", ", ".join(f"{name}:{value}" for name, value in state.tags.items())
    yield "parent", state.parent_instance_id or ""
    yield "input", value_text(state.input)
    yield "custom status", value_text(state.custom_status)
    failure = state.failure_details
    yield "output", value_text(state.output) if failure is None else ""  # it says the same
    yield "failure", "" if failure is None else "\n".join(_causes(failure))
    yield "blocked", state.blocked_reason or ""


def _causes(failure: FailureDetails) -> Iterator[str]:
    """A line for each error. What the one before it has said already is not said again."""
    yield _failure(failure)
    said, cause = failure, failure.cause
    while cause is not None:
        if not _ends_with(said, cause):
            yield f"caused by {_failure(cause)}"
        elif cause.error_type != said.error_type:
            yield f"caused by {cause.error_type}"
        said, cause = cause, cause.cause


def _ends_with(failure: FailureDetails, cause: FailureDetails) -> bool:
    return failure.message.strip().endswith(cause.message.strip())
