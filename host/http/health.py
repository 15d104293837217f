"""How a host is: whether it is ready for work, and its status, which names all problems."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from host.clock import Clock
from host.functions.model import App
from host.http.shapes import JsonObject


class Health:
    """Reports on one host.

    `problems` gives what is wrong with it right now, `store_problems` what the store fails right
    now, `counters` what it has met so far.
    """

    def __init__(
        self,
        *,
        host_id: str,
        version: str,
        clock: Clock,
        problems: Callable[[], list[str]],
        store_problems: Callable[[], list[str]],
        counters: Callable[[], Mapping[str, int]],
    ) -> None:
        self._host_id = host_id
        self._version = version
        self._clock = clock
        self._started_at_s = clock.monotonic()
        self._problems = problems
        self._store_problems = store_problems
        self._counters = counters

    def is_ready(self) -> bool:
        """Whether the host works: else it should be given no work for now.

        A store that fails is no reason: whoever is given the work instead has the same store.
        """
        return not self._problems()

    def is_store_failing(self) -> bool:
        """Whether the store, or the queues, fail this host just now."""
        return bool(self._store_problems())

    def status(self, app: App) -> JsonObject:
        """The host's status as Azure Functions writes it; empty members are left out."""
        problems = [*self._problems(), *self._store_problems()]
        errors = list(dict.fromkeys([*problems, *map(str, app.broken)]))  # one may be both
        status: JsonObject = {
            "id": self._host_id,
            "state": "Error" if problems else "Running",
            "version": self._version,
            "processUptime": int((self._clock.monotonic() - self._started_at_s) * 1000),
        }
        found = {"counters": dict(self._counters()), "errors": errors}
        return status | {name: value for name, value in found.items() if value}
