"""The operations of the administration: each says which role opens it."""

from __future__ import annotations

from host.http.admin import (
    function_stats,
    functions,
    host_status,
    keys,
    queues,
    reloading,
    schedules,
)
from host.http.admin.room import Administration
from host.http.operations import Operation

OPERATIONS: tuple[Operation[Administration], ...] = (
    *host_status.OPERATIONS,
    *function_stats.OPERATIONS,  # before those of one function, whose name may be anything
    *functions.OPERATIONS,
    *queues.OPERATIONS,
    *schedules.OPERATIONS,
    *reloading.OPERATIONS,
    *keys.OPERATIONS,
)
