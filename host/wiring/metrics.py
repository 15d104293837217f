"""What measures a host, and what its figures are shown by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from host.about import installed_version
from host.engine.engine import Engine
from host.http.figures import Figures
from host.metrics.exposition import Exposition
from host.metrics.host_metrics import HostMetrics
from host.metrics.readings import Readings
from host.metrics.scale import ScaleSignal
from host.resources.host_resources import HostResources
from host.wiring.prepared import PreparedHost


def figures_of(prepared: PreparedHost, engine: Engine, resources: HostResources) -> Figures:
    """What is shown of the host's figures."""
    metrics, clock = prepared.metrics, prepared.clock
    queues = None if resources.embedded_queues is None else resources.embedded_queues.states
    readings = Readings(engine, clock, queues)
    about = {"version": installed_version(), "hub": prepared.hub_name}
    return Figures(
        metrics=metrics,
        readings=readings,
        exposition=None if metrics is None else Exposition(metrics, about),
        scale=ScaleSignal(
            readings, clock, lambda: 0.0 if metrics is None else metrics.longest_delay_s
        ),
    )


@asynccontextmanager
async def measured(metrics: HostMetrics | None) -> AsyncIterator[None]:
    """Have the event loop watched meanwhile."""
    if metrics is None:
        yield
        return
    task = asyncio.create_task(metrics.measure(), name="metrics")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
