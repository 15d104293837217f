"""Who traces a host, if the environment says where traces are to be sent."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from host.clock import Clock
from host.errors import ConfigurationError
from host.storage.protocol import HubStore
from host.traces.otlp import OtlpExporter
from host.traces.settings import trace_settings
from host.traces.tracer import Tracer


@asynccontextmanager
async def traced(store: HubStore, clock: Clock) -> AsyncIterator[Tracer | None]:
    """A tracer, which sends in the end what is left; None if no traces are wanted.

    Raises `ConfigurationError` for an environment that says it wrongly.
    """
    settings = trace_settings(os.environ)
    if settings is None:
        yield None
        return
    try:
        exporter = OtlpExporter(settings, clock)
    except OSError as error:
        raise ConfigurationError(
            f"The certificates in {settings.certificate!a} cannot be read: {error}"
        ) from error
    tracer = Tracer(exporter, store, clock)
    try:
        yield tracer
    finally:
        await tracer.close()
