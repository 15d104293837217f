"""The engine of a host, with who runs orchestrators, activities and entities for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from host.about import installed_version
from host.core.executors import OrchestratorExecutor
from host.core.replay.changing import ChangingExecutor
from host.engine.engine import Engine
from host.engine.hosts import About
from host.engine.options import EngineOptions
from host.functions.entities import EntityRunner
from host.functions.registry import FunctionRegistry
from host.http.functions.routes import FunctionRoutes
from host.metrics.timed_store import timed
from host.notifications import notifications
from host.settings import HostSettings
from host.traces.tracer import Tracer
from host.wiring.hub import OpenHub
from host.wiring.prepared import PreparedHost
from host.workers.wiring import WorkerProcesses

ExecutorOver: TypeAlias = Callable[[OrchestratorExecutor], OrchestratorExecutor]
"""Gives who runs orchestrators, from who would: he asks that one for those that are not his."""


@asynccontextmanager
async def made_engine(
    prepared: PreparedHost,
    hub: OpenHub,
    chosen: EngineOptions,
    workers: WorkerProcesses,
    executor: ExecutorOver | None,
    *,
    tracer: Tracer | None,
) -> AsyncIterator[Engine]:
    """An engine that has not started; what it uses ends with the context."""
    registry, converter, clock = prepared.registry, prepared.converter, prepared.clock
    own = ChangingExecutor(registry, converter, chosen.max_actions)
    metrics = prepared.metrics
    entities = EntityRunner(
        registry,
        converter,
        clock,
        timeout=prepared.timeout,
        told=None if metrics is None else partial(metrics.ran, "entity"),
    )
    observers = prepared.observers if metrics is None else (metrics.observer, *prepared.observers)
    if tracer is not None:
        observers = (tracer.observer, *observers)
    with closing(entities):
        async with notifications(prepared.settings, clock) as told:
            engine = Engine(
                store=hub.store if metrics is None else timed(hub.store, metrics.store),
                queues=hub.queues,
                catalog=registry,
                converter=converter,
                clock=clock,
                options=chosen if tracer is None else replace(chosen, traces=True),
                trace_id_of=None if tracer is None else tracer.trace_id_of,
                activities_took=None if metrics is None else metrics.activities_took,
                orchestrators=executor and executor(own),
                activities=workers.activities,
                changing=own,
                entities=entities,
                observers=observers,
                about=partial(_about, registry, prepared.settings),
                notifications=told,
            )
            registry.follow(engine.functions_changed)
            yield engine


def _about(registry: FunctionRegistry[FunctionRoutes], settings: HostSettings) -> About:
    """What the host says of itself to who asks which hosts there are."""
    return About(
        version=installed_version(),
        app_version=settings.extensions.durable_task.default_version,
        functions=sorted(function.name for function in registry.version.app.functions),
    )
