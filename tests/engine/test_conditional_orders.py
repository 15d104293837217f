"""Restart and redrive act on what their caller was told of, or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from bindings.errors import InstanceAlreadyExistsError, InstanceNotFoundError, InstanceStateError
from host.core.records import Effects
from tests.kit.hub import Host, Hub

app = FunctionApp()


@app.orchestration_trigger()
async def quick(context: OrchestrationContext, label: str) -> str:
    return label


@app.orchestration_trigger()
async def waits(context: OrchestrationContext, label: str) -> Any:
    return await context.wait_for_external_event("go")


def after_the_read(host: Host, happens: Callable[[], Awaitable[Any]], write: str) -> None:
    """Let something happen between what an operation reads and what it writes."""

    async def before(name: str, _args: tuple[Any, ...]) -> None:
        if name == write:
            host.store.before = None
            await happens()

    host.store.before = before


async def test_found_a21_a_restart_leaves_a_run_alone_that_was_started_meanwhile(
    each_hub: Hub,
) -> None:
    host = await each_hub.start(app, replaces_active=True)
    other = await each_hub.start(app)
    await host.run(quick, "first", instance_id="x")
    after_the_read(host, lambda: other.begin(waits, "second", instance_id="x"), "create")
    with pytest.raises(InstanceAlreadyExistsError):
        await host.client.restart_instance("x", restart_with_new_instance_id=False)
    await other.started("x")
    await host.client.raise_event("x", "go", 2)
    assert (await other.finished("x")).output == 2


async def test_found_a21_a_restart_replaces_no_other_run_even_if_that_is_over(
    each_hub: Hub,
) -> None:
    host = await each_hub.start(app)
    await host.run(quick, "first", instance_id="x")
    after_the_read(host, lambda: host.run(quick, "second", instance_id="x"), "create")
    with pytest.raises(InstanceAlreadyExistsError):
        await host.client.restart_instance("x", restart_with_new_instance_id=False)
    assert (await host.finished("x")).output == "second"


async def test_found_a21_a_restart_brings_nothing_back_that_was_purged(each_hub: Hub) -> None:
    host = await each_hub.start(app)
    await host.run(quick, "first", instance_id="x")
    after_the_read(host, lambda: host.client.purge_instance("x"), "create")
    with pytest.raises(InstanceNotFoundError):
        await host.client.restart_instance("x", restart_with_new_instance_id=False)
    assert await host.client.get_instance("x") is None


async def quarantined(hub: Hub, host: Host) -> None:
    await host.begin(waits, "one", instance_id="x")
    await host.started("x")
    await host.rest()
    row = await hub.store.get("x")
    assert row is not None
    await host.engine.parts.quarantine.put(row, "It ends hosts.", hub.clock.now())


async def test_found_a21_a_redrive_that_loses_against_another_is_a_conflict(
    each_hub: Hub,
) -> None:
    host, other = await each_hub.start(app), await each_hub.start(app)
    await quarantined(each_hub, host)
    after_the_read(host, lambda: other.client.redrive_instance("x"), "change_row")
    with pytest.raises(InstanceStateError, match="not quarantined"):
        await host.client.redrive_instance("x")


async def test_found_a21_a_redrive_changes_no_run_that_took_the_place(each_hub: Hub) -> None:
    host, other = await each_hub.start(app), await each_hub.start(app)
    await quarantined(each_hub, host)

    async def replace() -> None:
        await other.client.terminate_instance("x")
        await other.finished("x")
        await other.begin(waits, "two", instance_id="x")
        await other.started("x")

    after_the_read(host, replace, "change_row")
    with pytest.raises(InstanceStateError, match="not quarantined"):
        await host.client.redrive_instance("x")
    state = await host.client.get_instance("x")
    assert state is not None
    assert (state.input, state.runtime_status) == ("two", RuntimeStatus.RUNNING)


async def test_found_a21_a_redrive_keeps_what_else_was_changed_meanwhile(each_hub: Hub) -> None:
    host = await each_hub.start(app)
    await quarantined(each_hub, host)

    async def touch() -> None:
        row = await each_hub.store.get("x")
        assert row is not None
        touched = msgspec.structs.replace(
            row, custom_status='"seen"', updated_at=row.next_update(each_hub.clock.now())
        )
        await each_hub.store.apply(Effects(instance_id="x", row=touched))

    after_the_read(host, touch, "change_row")
    await host.client.redrive_instance("x")
    state = await host.client.get_instance("x")
    assert state is not None
    assert state.custom_status == "seen"
    assert state.blocked_reason is None
