"""An instance in each state that an operator may find it in, on a host of `hosting.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from itertools import count

import msgspec

from bindings import FunctionApp, OrchestrationContext, ReusePolicy
from host.core.records import Instance
from host.engine.starting import NewInstance, first_row
from host.http.by_state import State
from host.storage.protocol import Created
from tests.http.hosting import Host

_numbers = count(1)


def app() -> FunctionApp:
    """Orchestrations that end in every way."""
    app = FunctionApp()

    @app.orchestration_trigger()
    async def ends(context: OrchestrationContext) -> str:
        return "done"

    @app.orchestration_trigger()
    async def fails(context: OrchestrationContext) -> None:
        raise ValueError("no luck")

    @app.orchestration_trigger()
    async def waits(context: OrchestrationContext) -> None:
        await context.wait_for_external_event("go")

    return app


async def in_state(host: Host, state: State) -> str:
    """The id of a new instance in this state."""
    instance_id = f"{state.value}-{next(_numbers)}"
    await _MAKERS[state](host, instance_id)
    return instance_id


async def _unknown(_host: Host, _instance_id: str) -> None:
    """Nobody has the id."""


async def _scheduled(host: Host, instance_id: str) -> None:
    await host.hub.schedule_new_orchestration(
        "waits", instance_id=instance_id, start_at=timedelta(days=1)
    )


async def _pending(host: Host, instance_id: str) -> None:
    """Nobody is told of it."""
    await _store(host, instance_id)


async def _running(host: Host, instance_id: str) -> None:
    await host.hub.schedule_new_orchestration("waits", instance_id=instance_id)
    await host.hub.wait_for_instance_start(instance_id)


async def _suspended(host: Host, instance_id: str) -> None:
    await _running(host, instance_id)
    await host.hub.suspend_instance(instance_id)
    await host.until(instance_id, "Suspended")


async def _completed(host: Host, instance_id: str) -> None:
    await host.hub.schedule_new_orchestration("ends", instance_id=instance_id)
    await host.hub.wait_for_instance_completion(instance_id)


async def _failed(host: Host, instance_id: str) -> None:
    await host.hub.schedule_new_orchestration("fails", instance_id=instance_id)
    await host.hub.wait_for_instance_completion(instance_id)


async def _terminated(host: Host, instance_id: str) -> None:
    await _running(host, instance_id)
    await host.hub.terminate_instance(instance_id)
    await host.hub.wait_for_instance_completion(instance_id)


async def _quarantined(host: Host, instance_id: str) -> None:
    row = await _store(host, instance_id)
    await _change(host, row, is_quarantined=True, blocked_reason="It ended three hosts.")


async def _blocked(host: Host, instance_id: str) -> None:
    row = await _store(host, instance_id)
    await _change(host, row, name="gone", blocked_reason="No host has the function 'gone'.")


async def _store(host: Host, instance_id: str) -> Instance:
    parts = host.engine.parts
    row = first_row(parts, NewInstance(name="waits", instance_id=instance_id))
    assert await parts.store.create(row, ReusePolicy.NEVER) is Created.NEW
    return row


async def _change(host: Host, row: Instance, **changes: object) -> None:
    changes["updated_at"] = row.next_update(host.engine.parts.clock.now())
    assert await host.engine.parts.store.change_row(row, msgspec.structs.replace(row, **changes))


_MAKERS: Mapping[State, Callable[[Host, str], Awaitable[None]]] = {
    State.UNKNOWN: _unknown,
    State.SCHEDULED: _scheduled,
    State.PENDING: _pending,
    State.RUNNING: _running,
    State.SUSPENDED: _suspended,
    State.COMPLETED: _completed,
    State.FAILED: _failed,
    State.TERMINATED: _terminated,
    State.QUARANTINED: _quarantined,
    State.BLOCKED: _blocked,
}
