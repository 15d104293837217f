"""The operations of the administration: each says which role opens it."""

from __future__ import annotations

from host.http.admin import functions, host_status, keys, queues, reloading
from host.http.admin.room import Administration
from host.http.operations import Operation

OPERATIONS: tuple[Operation[Administration], ...] = (
    *host_status.OPERATIONS,
    *functions.OPERATIONS,
    *queues.OPERATIONS,
    *reloading.OPERATIONS,
    *keys.OPERATIONS,
)
