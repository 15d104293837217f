"""An instance's status as the management API shows it: on demand without input, with history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from bindings.client import state_to_json
from host.core.records import Instance
from host.engine.states import state_of
from host.http.management.history_view import shown_failure
from host.http.raw_json import raw

JsonObject: TypeAlias = dict[str, Any]


def status_to_json(
    row: Instance,
    *,
    show_input: bool = True,
    show_output: bool = True,
    show_stacks: bool = False,
    history: Sequence[Any] | None = None,
) -> JsonObject:
    """The status object, for `raw_json.to_json`. `historyEvents` is there only with a history."""
    status = state_to_json(state_of(row, fetch_payloads=False)) | {
        "input": raw(row.input) if show_input else None,
        "customStatus": raw(row.custom_status),
        "output": raw(row.output) if show_output else None,
    }
    if row.failure is not None:
        status["failureDetails"] = shown_failure(row.failure, stacks=show_stacks)
    if history is not None:
        status["historyEvents"] = list(history)
    return status
