"""An instance's status as the management API shows it: on demand without input, with history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from bindings.client import OrchestrationState
from host.engine.responses import status_json

JsonObject: TypeAlias = dict[str, Any]


def status_to_json(
    state: OrchestrationState,
    *,
    show_input: bool = True,
    history: Sequence[JsonObject] | None = None,
) -> JsonObject:
    """The status object. `historyEvents` is there only if there is a history."""
    status = status_json(state)
    if not show_input:
        status["input"] = None
    if history is not None:
        status["historyEvents"] = list(history)
    return status
