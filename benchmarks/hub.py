"""A host in this process: SQLite in a temporary folder, and the benchmark's functions."""

from __future__ import annotations

import asyncio
import json
import resource
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.functions import app as function_app
from bindings.http import RequestHead
from host.clock import Clock, SystemClock
from host.core.converter import Converter
from host.engine.client import HubClient
from host.engine.engine import Engine
from host.engine.options import EngineOptions
from host.functions.catalog import Catalog
from host.functions.entities import EntityRunner
from host.functions.model import App, HostFunction
from host.functions.registry import AppVersion, FunctionRegistry
from host.interpreter import tune_interpreter
from host.metrics.host_metrics import HostMetrics
from host.metrics.timed_store import timed
from host.storage.kinds import StorePlace
from host.storage.protocol import HubQueues, HubStore
from host.storage.sqlite.kind import SQLITE
from host.traces.spans import Exporter
from host.traces.tracer import Tracer


class NoLinks:
    def management_urls(self, instance_id: str, request: RequestHead | None) -> dict[str, str]:
        raise NotImplementedError((instance_id, request))


@asynccontextmanager
async def open_hub(
    clock: Clock | None = None,
    metrics: HostMetrics | None = None,
    exporter: Exporter | None = None,
) -> AsyncIterator[HubClient]:
    """A running engine and its client, by the machine's clock unless another is given."""
    clock = clock or SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        place = StorePlace(hub="hub", folder=Path(folder))
        async with (
            SQLITE.opened(place, clock) as (store, queues),
            running_engine(store, queues, clock, metrics, exporter) as engine,
        ):
            yield HubClient(engine, NoLinks())


@asynccontextmanager
async def running_engine(
    store: HubStore,
    queues: HubQueues,
    clock: Clock | None = None,
    metrics: HostMetrics | None = None,
    exporter: Exporter | None = None,
) -> AsyncIterator[Engine]:
    """An engine that runs meanwhile, with the benchmark's functions, on a store that is open.

    It is measured by `metrics` and traced to `exporter`, if there are any.
    """
    converter, clock = Converter(), clock or SystemClock()
    found = _app()
    catalog = Catalog(found, converter)
    version: AppVersion[None] = AppVersion(app=found, catalog=catalog, routes=None, plans={})
    entities = EntityRunner(FunctionRegistry(version), converter, clock)
    tracer = None if exporter is None else Tracer(exporter, store, clock)
    engine = Engine(
        store=store if metrics is None else timed(store, metrics.store),
        queues=queues,
        catalog=catalog,
        entities=entities,
        converter=converter,
        clock=clock,
        options=EngineOptions(traces=tracer is not None),
        observers=[each.observer for each in (metrics, tracer) if each is not None],
        trace_id_of=None if tracer is None else tracer.trace_id_of,
        activities_took=None if metrics is None else metrics.activities_took,
    )
    await engine.start()
    measuring = None if metrics is None else asyncio.create_task(metrics.measure())
    try:
        yield engine
    finally:
        if measuring is not None:
            measuring.cancel()
        await engine.stop()
        entities.close()
        if tracer is not None:
            await tracer.close()


def run(name: str, measure: Callable[[], Coroutine[Any, Any, dict[str, Any]]]) -> None:
    """Run one benchmark and print its JSON line."""
    tune_interpreter()
    figures = uvloop.run(measure())
    peak_mib = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps({"benchmark": name, **figures, "peak_rss_mib": peak_mib}), flush=True)


def _app() -> App:
    return App(
        functions=tuple(
            HostFunction(name=each.name, declaration=each, directory=Path(__file__).parent)
            for each in function_app.get_functions()
        ),
        broken=(),
    )
