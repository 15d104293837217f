"""Which hub a request means: it may name one, and then it is for no other.

Another hub may have an instance of the same id, or keys of the same names. Those are not touched.
"""

from __future__ import annotations

from bindings.errors import InvalidArgumentError
from host.http import parameters
from host.http.calls import Call

TASK_HUB = parameters.text("taskHub", "The hub that is meant; any but the host's own is refused.")


def check_hub(call: Call, hub_name: str) -> None:
    """Raise `InvalidArgumentError` if another hub is meant than that of the host."""
    hub = (TASK_HUB.read(call, {}) or "").strip()
    if hub and hub.lower() != hub_name.lower():
        raise InvalidArgumentError(f"This host serves the hub '{hub_name}', not '{hub}'.")
