"""Locks of entities over HTTP, by the client of other programs, and from the command line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from bindings import (
    DurableClient,
    Entity,
    EntityId,
    EntityNotLockedError,
    FunctionApp,
    LockLostError,
    OrchestrationContext,
    RemoteClient,
)
from tests.http.hosting import Host, running_host
from tests.http.test_entities import entities
from tests.kit.hub import until

A, B = EntityId("Counter", "a"), EntityId("Counter", "")


def app() -> FunctionApp:
    app = FunctionApp(http_auth_level="anonymous")

    @app.entity_trigger()
    class Counter(Entity[int]):
        initial_state = 0

        def add(self, number: int = 1) -> int:
            self.state += number
            return self.state

    @app.orchestration_trigger()
    async def ask(context: OrchestrationContext) -> Any:
        return await context.call_entity(B, "add")

    @app.orchestration_trigger()
    async def keep(context: OrchestrationContext) -> list[Any]:
        async with context.lock_entities(A, B):
            await context.wait_for_external_event("go")
            try:
                return [await context.call_entity(A, "add"), await context.call_entity(B, "add")]
            except LockLostError:
                return ["lost", await context.call_entity(B, "add")]

    return app


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with running_host(app=app()) as host:
        yield host


async def keeps(client: DurableClient, instance_id: str) -> None:
    await client.schedule_new_orchestration("keep", instance_id=instance_id)

    await until(lambda: has_asked(client, instance_id))


async def has_asked(client: DurableClient, instance_id: str) -> bool:
    state = await client.get_entity_lock(B)
    if state is None or state.holder is None:
        return False
    return instance_id in {each.instance_id for each in (state.holder, *state.waiters)}


async def test_a_call_that_waits_for_a_locked_entity_names_who_has_it(host: Host) -> None:
    await keeps(host.hub, "first")
    await host.hub.schedule_new_orchestration("ask", instance_id="caller")
    await host.hub.signal_entity(B, "add")
    await until(lambda: has_asked(host.hub, "caller"))
    why = await (await host.call("GET", "instances/caller/why")).json()
    assert "'first' has locked @counter@ since 20" in why["waitingFor"][0]["reason"]
    shown = await (await host.call("GET", "entities/counter/$/lock")).json()
    assert [(x["instanceId"], x["operation"]) for x in shown["waiters"]] == [("caller", "add")]
    assert shown["waitingSignals"] == 1
    async with RemoteClient(host.origin) as client:
        assert await client.get_entity_lock(B) == await host.hub.get_entity_lock(B)
    printed = (await entities(host, "locks", "counter", "")).stdout
    assert "caller" in printed
    assert "its operation 'add'" in printed
    assert "Signals that wait: 1." in printed


async def test_who_has_a_lock_and_who_waits_is_shown(host: Host) -> None:
    assert (await host.call("GET", "entities/counter/a/lock")).status == 404
    await host.call("POST", "entities/counter/a?op=add")
    await until(lambda: has_state(host))
    shown = await (await host.call("GET", "entities/counter/a/lock")).json()
    assert shown == {"isLocked": False, "waiters": [], "waitingSignals": 0}
    await keeps(host.hub, "first")
    await keeps(host.hub, "second")
    shown = await (await host.call("GET", "entities/counter/$/lock")).json()
    assert (shown["isLocked"], shown["holder"]["instanceId"]) == (True, "first")
    assert [each["instanceId"] for each in shown["waiters"]] == ["second"]
    page = await (
        await host.call("GET", "entities?onlyLocked=true&includeWithoutState=true")
    ).json()
    assert {(x["entityId"]["key"], x["lockedBy"]) for x in page} == {("a", "first"), ("", "first")}
    assert len(await (await host.call("GET", "entities?onlyLocked=true")).json()) == 1
    await host.hub.raise_event("first", "go")
    assert (await host.hub.wait_for_instance_completion("first")).output == [2, 1]
    await host.hub.raise_event("second", "go")
    assert (await host.hub.wait_for_instance_completion("second")).output == [3, 2]


async def has_state(host: Host) -> bool:
    return (await host.call("GET", "entities/counter/a")).status == 200


async def test_unlocking_by_force_is_heard_by_the_section(host: Host) -> None:
    assert (await host.call("POST", "entities/counter/a/unlock")).status == 409
    await keeps(host.hub, "first")
    refused = await host.call("POST", "entities/counter/a/unlock?holder=another")
    assert (refused.status, "'first'" in await refused.text()) == (409, True)
    done = await host.call("POST", "entities/counter/a/unlock?holder=first")
    assert done.status == 202
    assert (await done.json())["holder"]["instanceId"] == "first"
    await until(lambda: is_free(host.hub, A))
    assert (await host.call("POST", "entities/counter/a/unlock")).status == 409
    await host.hub.raise_event("first", "go")
    assert (await host.hub.wait_for_instance_completion("first")).output == ["lost", 1]
    await until(lambda: is_free(host.hub, B))


async def is_free(client: DurableClient, entity_id: EntityId) -> bool:
    state = await client.get_entity_lock(entity_id)
    return state is not None and not state.is_locked


async def test_the_remote_client_does_what_the_client_of_a_function_does(host: Host) -> None:
    async with RemoteClient(host.origin) as client:
        assert await client.get_entity_lock(B) is None
        with pytest.raises(EntityNotLockedError, match="is not locked"):
            await client.unlock_entity(B)
        await keeps(client, "first")
        await keeps(client, "second")
        assert await client.get_entity_lock(B) == await host.hub.get_entity_lock(B)
        state = await client.get_entity(B)
        assert state is not None
        assert state.locked_by == "first"
        with pytest.raises(EntityNotLockedError, match="locked by 'first', not 'x'"):
            await client.unlock_entity(B, holder="x")
        assert (await client.unlock_entity(B, holder="first")).instance_id == "first"


async def test_the_command_line_shows_locks_and_unlocks(host: Host) -> None:
    nothing = await entities(host, "locks")
    assert (nothing.stdout, nothing.stderr.strip()) == ("", "No entity is locked.")
    assert (await entities(host, "locks", "--json")).stderr == ""
    assert "no entity" in (await entities(host, "locks", "counter", "a", code=1)).stderr
    await keeps(host.hub, "first")
    await keeps(host.hub, "second")
    shown = (await entities(host, "locks")).stdout
    assert "@counter@a is locked by first since " in shown
    assert "WAITS" in shown
    assert "second" in shown
    (line,) = (await entities(host, "locks", "counter", "a", "--json")).stdout.splitlines()
    holder = json.loads(line)["holder"]
    assert holder["instanceId"] == "first"
    assert datetime.fromisoformat(holder["since"]).tzinfo is not None
    assert (
        "locked by 'first'"
        in (await entities(host, "unlock", "counter", "a", "--holder", "x", code=1)).stderr
    )
    assert "'first' had locked it" in (await entities(host, "unlock", "counter", "a")).stdout
    await until(lambda: is_free(host.hub, A))
