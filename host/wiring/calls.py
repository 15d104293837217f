"""Who calls an app's functions, with what their bindings name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from bindings.client import DurableClient
from host.functions.invocation import Invoker
from host.http_calls.opening import http_calls
from host.resources.host_resources import HostResources
from host.wiring.data_folder import BLOB_FOLDER, data_folder
from host.wiring.hub import OpenHub
from host.wiring.part_options import blob_rules_of
from host.wiring.prepared import PreparedHost
from host.workers.wiring import WorkerProcesses


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCalls:
    """What functions are called by, and what for."""

    invoker: Invoker
    resources: HostResources


@asynccontextmanager
async def function_calls(
    prepared: PreparedHost, hub: OpenHub, client: DurableClient, workers: WorkerProcesses
) -> AsyncIterator[FunctionCalls]:
    """Have functions called, activities with bindings and requests of `call_http` included.

    What is open for them is closed in the end.
    """
    settings, clock = prepared.settings, prepared.clock
    durable = settings.extensions.durable_task
    async with AsyncExitStack() as held:
        resources = HostResources(
            settings.values,
            hub.kind.home(hub.store, durable.storage_provider),
            clock,
            queues=settings.extensions.queues,
            blob_rules=blob_rules_of(settings),
            blob_folder=data_folder(prepared.options) / BLOB_FOLDER,
            stop_grace_s=settings.funchost.stop_grace_seconds,
        )
        held.push_async_callback(resources.close)
        invoker = Invoker(
            client=client,
            converter=prepared.converter,
            resources=resources,
            clock=clock,
            timeout=prepared.timeout,
            plan_of=prepared.registry.plan_of,
            elsewhere=workers.calls,
            told=None if prepared.metrics is None else partial(prepared.metrics.ran, "triggered"),
        )
        requests = http_calls(durable.http_settings, lambda: resources.values, clock)
        held.push_async_callback(requests.close)
        prepared.slot.invoker = invoker
        prepared.slot.send_http = requests.run
        yield FunctionCalls(invoker=invoker, resources=resources)
