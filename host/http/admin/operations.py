"""The operations of the administration: everything but the ping needs the master key."""

from __future__ import annotations

from host.http.admin import functions, host_status, reloading
from host.http.admin.room import Administration
from host.http.operations import Operation

OPERATIONS: tuple[Operation[Administration], ...] = (
    *host_status.OPERATIONS,
    *functions.OPERATIONS,
    *reloading.OPERATIONS,
)
