"""The operations of the administration: each says which role opens it."""

from __future__ import annotations

from host.http.admin import functions, host_status, keys, reloading
from host.http.admin.room import Administration
from host.http.operations import Operation

OPERATIONS: tuple[Operation[Administration], ...] = (
    *host_status.OPERATIONS,
    *functions.OPERATIONS,
    *reloading.OPERATIONS,
    *keys.OPERATIONS,
)
