"""The engine's settings, with the defaults that suit one host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf

from bindings.client import RuntimeStatus
from host.core.limits import Limit
from host.core.records import UNCHANGED, Unchanged
from host.core.replay.execution import MAX_ACTIONS_PER_TURN
from host.core.versions import TAKES_ALL, Versioning


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Limits and intervals. Names ending in `_s` are seconds."""

    max_concurrent_activities: int = 200
    """How many activities run at once; more wait in order."""
    max_concurrent_orchestrators: int = 1000
    """How many instances may be held at once (a suspended one in the cache is not held)."""
    max_actions: int = MAX_ACTIONS_PER_TURN
    """How many things an orchestrator may do in one turn."""
    cached_instances: int = 1000
    """How many waiting orchestrations stay in memory; others are replayed when they go on."""
    park_after_s: float = 2.0
    """When nothing came in for this long, running activities are leased and the session ends."""
    lease_s: float = 30.0
    """How long a lease holds; it is renewed at a third of that."""
    tick_s: float = 0.25
    """How often open sessions are looked after."""
    inbox_poll_s: float = 1.0
    """How often an open session looks for messages that other hosts delivered."""
    alarm_poll_s: float = 30.0
    """How often alarms are read although none is known to be due."""
    hold_s: float = 10.0
    """A hint is held longer when less than this is left of its hold."""
    max_hold_s: float = inf
    """What was held for so long is let go of, for a new hint; well below what queues allow."""
    sweep_s: float | None = None
    """How often lost hints are looked for while running, by one host of a hub for all; None where
    one host is all there is, and hints cannot be lost."""
    full_sweep_s: float = 6 * 3600.0
    """How often that is done thoroughly, though no host has vanished."""
    host_lock_s: float = 300.0
    """A host of which nothing was heard for so long has vanished."""
    stuck_turn_s: float = 5.0
    """Code that keeps the event loop busy for longer is reported with its stack."""
    break_off_turn_s: float = 60.0
    """Code that keeps it for longer than this is broken off: it fails, everything else goes on."""
    end_host_s: float = inf
    """If even that does not help for so long, the process ends itself."""
    executor_patience_s: float = 120.0
    """When an executor elsewhere has not answered for so long, it is given up on and asked anew."""
    max_gather_s: float = 0.0
    """How long a hint waits for others in a burst of them to one instance, at most."""
    max_deliveries: int = 5
    """An instance is quarantined when its turns failed this often for no reason of its own, or when
    a host ended this often while it led the instance."""
    quarantine_pause_s: float | None = 300.0
    """How long an instance that hosts vanished with stays quarantined, the first time; then twice
    as long each time, up to a day. None: until somebody redrives it."""
    max_backlog_s: float | None = None
    """Activities that would wait here for longer are handed out to all hosts; None: never."""
    work_lease_s: float = 300.0
    """When nobody took a handed-out activity for this long, it is handed out anew."""
    max_waits: int = 1000
    """How many clients may wait for instances at once."""
    max_inbox_bytes: int = 64 * 1024 * 1024
    """How much of clients' events and other orders may wait for an instance."""
    max_page_bytes: int = 4 * 1024 * 1024
    """How many bytes of rows a page of a listing holds, unless one has more by itself."""
    versioning: Versioning = TAKES_ALL
    """Instances of which versions are run here."""
    limits: Mapping[str, Limit] = field(default_factory=dict)
    """What the names of limits stand for, as host.json says."""
    look_for_jobs_s: float | None = None
    """How often a host looks for jobs that nobody leads, and at its start; None: it leads what is
    started on it."""
    job_page: int = 100
    """So many instances a job sees to between two counts."""
    retention: Mapping[RuntimeStatus, timedelta | None] | None = None
    """How long finished instances are kept, by how they ended: None is for ever, what is not named
    is kept for the default time. Without it nothing is deleted."""
    retention_of_entities: timedelta | Unchanged | None = UNCHANGED
    """How long entities without a state are kept: None is for ever, UNCHANGED the default time."""
    traces: bool = False
    """Whether what is started here belongs to a trace, which is kept with it."""
    replaces_active: bool = False
    """Whether a start replaces an active instance (host.json: `AnyState`)."""
