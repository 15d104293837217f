"""The operations of the webhooks."""

from __future__ import annotations

from host.http.management import (
    audit,
    entities,
    entity_locks,
    events,
    forks,
    hub,
    jobs,
    limits,
    looking,
    overview,
    purging,
    starting,
    steering,
    transfers,
    waits,
    why,
)
from host.http.management.room import Management
from host.http.operations import Operation

OPERATIONS: tuple[Operation[Management], ...] = (
    *starting.OPERATIONS,
    *looking.OPERATIONS,
    *why.OPERATIONS,
    *overview.OPERATIONS,
    *events.OPERATIONS,
    *audit.OPERATIONS,
    *waits.OPERATIONS,
    *steering.OPERATIONS,
    *entities.OPERATIONS,
    *entity_locks.OPERATIONS,
    *purging.OPERATIONS,
    *forks.OPERATIONS,
    *transfers.OPERATIONS,
    *hub.OPERATIONS,
    *jobs.OPERATIONS,
    *limits.OPERATIONS,
)
