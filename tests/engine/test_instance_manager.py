"""The instance manager: values are JSON texts, which go in and come out as they are."""

from __future__ import annotations

from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, OrchestrationQuery
from bindings.errors import FunctionNotFoundError, InstanceNotFoundError
from host.core.history import EventRaised, ExecutionStarted
from host.engine.starting import NewInstance
from tests.kit.hub import Host, Hub

TEXT = '{"b":1.50,"a":"\\u00e4"}'
"""A text that no JSON library writes in this way."""


def waiting_app() -> FunctionApp:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def waits(context: OrchestrationContext) -> Any:
        return await context.wait_for_external_event("go")

    return app


@pytest.fixture
async def host(hub: Hub) -> Host:
    return await hub.start(waiting_app())


async def test_an_input_is_stored_as_it_was_given(host: Host) -> None:
    manager = host.engine.instances
    await manager.start(NewInstance(name="WAITS", input=TEXT, instance_id="it"))
    row = await manager.wait_for_start("it")
    assert (row.name, row.input) == ("waits", TEXT)
    begun = [each for each in await manager.history("it") if isinstance(each, ExecutionStarted)]
    assert [each.input for each in begun] == [TEXT]


async def test_an_event_is_stored_as_it_was_given(host: Host) -> None:
    manager = host.engine.instances
    await manager.start(NewInstance(name="waits", instance_id="it"))
    await manager.raise_event("it", "go", TEXT)
    await manager.wait_for_end("it")
    raised = [each for each in await manager.history("it") if isinstance(each, EventRaised)]
    assert [each.input for each in raised] == [TEXT]


@pytest.mark.parametrize("with_new_id", [True, False])
async def test_a_restart_has_the_same_input(host: Host, with_new_id: bool) -> None:
    manager = host.engine.instances
    await manager.start(NewInstance(name="waits", input=TEXT, instance_id="it"))
    await manager.terminate("it", '"enough"')
    assert (await manager.wait_for_end("it")).output == '"enough"'
    again = await manager.restart("it", with_new_id=with_new_id)
    assert (again == "it") is not with_new_id
    row = await manager.wait_for_start(again)
    assert (row.input, row.is_finished) == (TEXT, False)


async def test_all_that_a_query_finds_is_shown_and_purged(host: Host) -> None:
    manager = host.engine.instances
    for number in range(3):
        await manager.start(NewInstance(name="waits", instance_id=f"a{number}"))
    await manager.start(NewInstance(name="waits", instance_id="b"))
    for instance_id in ("a0", "a1", "b"):
        await manager.terminate(instance_id, None)
        await manager.wait_for_end(instance_id)
    found = OrchestrationQuery(instance_id_prefix="a")
    assert {row.instance_id async for row in manager.query_all(found)} == {"a0", "a1", "a2"}
    assert await manager.purge_all(found) == 2
    assert await manager.find("a0") is None
    assert await manager.find("b") is not None


async def test_what_is_not_there_is_refused(host: Host) -> None:
    manager = host.engine.instances
    with pytest.raises(FunctionNotFoundError, match="'waits'"):
        await manager.start(NewInstance(name="nope"))
    for order in (
        manager.history("it"),
        manager.restart("it", with_new_id=True),
        manager.raise_event("it", "go", None),
        manager.terminate("it", None),
        manager.redrive("it"),
        manager.purge("it"),
        manager.check_active("it"),
        manager.wait_for_end("it"),
    ):
        with pytest.raises(InstanceNotFoundError):
            await order
