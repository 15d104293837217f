"""What all desks of a host share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from host.clock import Clock
from host.engine.store_watch import StoreWatch
from host.storage.protocol import HubStore


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskParts:
    """What all desks of a host share. A share is renewed when half of `lease_s` is over."""

    store: HubStore
    clock: Clock
    host_id: str
    is_alone: bool
    """Whether this process has the store for itself."""
    lease_s: float
    store_watch: StoreWatch
    draw: Callable[[], float]
    """A random number from 0 to 1."""
