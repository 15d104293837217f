"""The worker processes of a host, or that it has none: then nothing of them is imported."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from host.clock import Clock
from host.core.executors import ActivityExecutor
from host.errors import ConfigurationError
from host.functions.invocation import DEFAULT_THREADS, CallsElsewhere
from host.functions.registry import FunctionRegistry
from host.settings import HostSettings

if TYPE_CHECKING:
    from host.workers.frames import Setup
    from host.workers.pool import WorkerPool

_CAN_SPAWN: Final = os.name == "posix"


@dataclass(slots=True)
class _Given:
    """The settings that workers load the app with."""

    settings: HostSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerProcesses:
    """Who runs activities and calls functions for a host; None for the host itself."""

    pool: WorkerPool | None = None
    given: _Given | None = None
    activities: ActivityExecutor | None = None
    calls: CallsElsewhere | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Have the processes run meanwhile."""
        if self.pool is None:
            yield
            return
        async with self.pool.running():
            yield

    def use(self, settings: HostSettings) -> None:
        """Have workers that are started from now on load the app with these settings."""
        if self.given is not None:
            self.given.settings = settings

    def problems(self) -> list[str]:
        """Why functions wait, in words; empty if all is well."""
        return [] if self.pool is None else self.pool.problems()


def worker_processes(
    count: int,
    app_dir: Path,
    settings: HostSettings,
    registry: FunctionRegistry[Any],
    *,
    timeout: timedelta | None,
    clock: Clock,
) -> WorkerProcesses:
    """So many worker processes for an app; they load it anew when the registry has changed.

    Raises `ConfigurationError` where there can be none.
    """
    if not count:
        return WorkerProcesses()
    if not _CAN_SPAWN:
        raise ConfigurationError("There are no worker processes on this system: use 0 processes.")
    from host.workers.calls import (  # noqa: PLC0415 - see the head of this file
        WorkerActivities,
        WorkerCalls,
        names_of_former_code,
    )
    from host.workers.link import setup_of  # noqa: PLC0415
    from host.workers.pool import WorkerPool  # noqa: PLC0415

    activities = settings.extensions.durable_task.max_concurrent_activity_functions
    threads = DEFAULT_THREADS + (activities or DEFAULT_THREADS)

    given = _Given(settings)

    def setup() -> Setup:
        app = registry.version.app
        names = {each.name for each in app.functions} - names_of_former_code(app)
        return setup_of(app_dir, given.settings, functions=names, threads=threads)

    pool = WorkerPool(count, setup, clock)
    registry.follow(pool.renew)
    return WorkerProcesses(
        pool=pool,
        given=given,
        activities=WorkerActivities(registry, pool, timeout),
        calls=WorkerCalls(registry, pool, timeout, clock),
    )
