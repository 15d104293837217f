"""Activities that run on under a lease of their host, and a table that takes no renewals."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bindings import OrchestrationContext, TaskFailedError
from host.core.records import Lease
from host.errors import StorageError
from tests.engine.long_work import LongActivity
from tests.kit.hub import Host, Hub, until

SECOND = timedelta(seconds=1)
LEASE_S = 30


class Work(LongActivity):
    """Its orchestrator says what it failed with."""

    def __init__(self, *, at_most_once: bool = False) -> None:
        super().__init__(at_most_once=at_most_once)

        @self.app.orchestration_trigger()
        async def leads(context: OrchestrationContext) -> str:
            try:
                return await context.call_activity(self.works)
            except TaskFailedError as error:
                return error.details.error_type

        self.leads = leads


class Outage:
    """Calls of a method fail while it lasts: those for one instance, or all."""

    def __init__(self, host: Host, method: str, instance_id: str | None = None) -> None:
        self.is_on = True
        self._method, self._instance_id = method, instance_id
        host.store.before = self._fail

    async def _fail(self, name: str, args: tuple[Any, ...]) -> None:
        if self.is_on and name == self._method:
            lease: Lease = args[0]
            if self._instance_id in {None, lease.instance_id}:
                raise StorageError("the table is away")


async def let_its_lease_be_over(hub: Hub, host: Host) -> None:
    """Have the instance led on after the time of its lease."""
    loads = host.store.calls["load"]
    await hub.clock.advance(SECOND, steps=LEASE_S + 2)
    await until(lambda: host.store.calls["load"] > loads)
    await until(lambda: host.engine.open_sessions == 0)


async def outlast_its_lease(hub: Hub, host: Host) -> None:
    """Have no lease renewed until its time is over; then all is well again for as long."""
    outage = Outage(host, "renew_lease")
    await let_its_lease_be_over(hub, host)
    outage.is_on = False
    await hub.clock.advance(SECOND, steps=LEASE_S)
