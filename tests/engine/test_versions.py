"""Versions of orchestrations: who leads them, and what becomes of those that nobody here may."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from bindings.errors import FunctionNotFoundError
from host.core.versions import Versioning
from host.settings.versions import VersionFailure, VersionMatch
from host.storage.local_queues import LocalQueues
from tests.kit.hub import Host, Hub, until

Ctx = OrchestrationContext
FOR_OTHERS: dict[str, Any] = {"max_backlog_s": 60.0}
"""What makes an engine one of several."""


def strict(version: str | None, failure: VersionFailure = VersionFailure.REJECT) -> Versioning:
    return Versioning(default=version, match=VersionMatch.STRICT, failure=failure)


def older(version: str | None) -> Versioning:
    return Versioning(default=version, match=VersionMatch.CURRENT_OR_OLDER)


def app(label: str) -> FunctionApp:
    """An app whose orchestrators say which version they are, and by whom they were led."""
    functions = FunctionApp()

    @functions.orchestration_trigger()
    async def tells(context: Ctx) -> list[str | None]:
        return [context.version, label]

    @functions.orchestration_trigger()
    async def waits(context: Ctx) -> list[str | None]:
        await context.wait_for_external_event("go")
        return [context.version, label]

    @functions.orchestration_trigger()
    async def parent(context: Ctx, version: str | None) -> Any:
        return await context.call_sub_orchestrator("tells", version=version)

    @functions.orchestration_trigger()
    async def again(context: Ctx, rounds: int) -> str | None:
        if rounds:
            context.continue_as_new(rounds - 1)
        return context.version

    return functions


async def blocked(host: Host, instance_id: str) -> str:
    """Wait until the instance says why it does not go on."""
    reasons: list[str] = []

    async def has_reason() -> bool:
        state = await host.client.get_instance(instance_id)
        assert state is not None
        reasons.extend(filter(None, [state.blocked_reason]))
        return bool(reasons)

    await until(has_reason)
    return reasons[0]


# ---- which version an instance has ---------------------------------------------------------


async def test_what_is_started_has_the_version_of_its_host_unless_another_is_said(
    hub: Hub,
) -> None:
    host = await hub.start(app("a"), versioning=older("2"))
    assert (await host.run("tells")).output == ["2", "a"]
    state = await host.run("tells", version="1")
    assert (state.version, state.output) == ("1", ["1", "a"])
    plain = await hub.start(app("a"))
    assert (await plain.run("tells")).output == [None, "a"]


async def test_children_have_the_version_of_their_parent_unless_another_is_said(hub: Hub) -> None:
    host = await hub.start(app("a"), versioning=older("3"))
    assert (await host.run("parent", version="2")).output == ["2", "a"]
    assert (await host.run("parent", "1", version="2")).output == ["1", "a"]


async def test_a_version_outlives_continue_as_new_and_a_restart(hub: Hub) -> None:
    host = await hub.start(app("a"), versioning=older("3"))
    state = await host.run("again", 3, version="2")
    assert (state.version, state.output) == ("2", "2")
    restarted = await host.client.restart_instance(state.instance_id)
    assert (await host.finished(restarted)).output == "2"


# ---- several functions of one name ---------------------------------------------------------


def versioned() -> FunctionApp:
    functions = FunctionApp()

    @functions.orchestration_trigger(orchestration="order")
    async def order_of_old(context: Ctx) -> str:
        return "old"

    @functions.orchestration_trigger(orchestration="order", version="2")
    async def order(context: Ctx) -> str:
        return "two"

    @functions.orchestration_trigger(orchestration="ship", version="2")
    async def ship(context: Ctx) -> str:
        return f"shipped by {context.version}"

    @functions.orchestration_trigger()
    async def both(context: Ctx) -> list[str]:
        return [
            await context.call_sub_orchestrator("order"),
            await context.call_sub_orchestrator(order),
            await context.call_sub_orchestrator(ship),
        ]

    return functions


@pytest.mark.parametrize(("version", "led_by"), [(None, "old"), ("2", "two"), ("3", "old")])
async def test_an_instance_takes_the_function_of_its_version_else_the_one_without(
    hub: Hub, version: str | None, led_by: str
) -> None:
    host = await hub.start(versioned())
    assert (await host.run("order", version=version)).output == led_by
    assert (await host.run("ORDER", version=version)).output == led_by


async def test_a_function_that_is_named_by_reference_is_that_very_one(hub: Hub) -> None:
    functions = versioned()
    host = await hub.start(functions)
    (ship,) = [each.function for each in functions.get_functions() if each.name == "ship"]
    assert (await host.run(ship)).output == "shipped by 2"
    assert (await host.run("both")).output == ["old", "two", "shipped by 2"]


async def test_a_start_of_a_version_that_nothing_is_for_is_refused(hub: Hub) -> None:
    host = await hub.start(versioned())
    with pytest.raises(FunctionNotFoundError, match="'ship' of version '1', only of '2'"):
        await host.begin("ship", version="1")
    with pytest.raises(FunctionNotFoundError, match="'ship' without a version, only of '2'"):
        await host.begin("ship")


# ---- what a host does not take -------------------------------------------------------------


async def test_what_does_not_match_waits_says_why_and_writes_nothing_more(each_hub: Hub) -> None:
    old = await each_hub.start(app("old"), versioning=older("1"))
    instance_id = await old.begin("tells", version="2")
    reason = await blocked(old, instance_id)
    assert "is of version '2', and this host takes those of version '1' or older" in reason
    await old.rest()
    commits, loads = old.store.calls["commit"], old.store.calls["load"]
    await each_hub.clock.advance(timedelta(minutes=1), steps=10)
    await old.rest()
    assert (old.store.calls["commit"], old.store.calls["load"]) == (commits, loads)
    assert await old.history(instance_id) == []
    await old.stop()
    new = await each_hub.start(app("new"), versioning=older("2"))
    state = await new.finished(instance_id)
    assert (state.output, state.blocked_reason) == (["2", "new"], None)


async def test_in_a_rolling_deploy_each_host_leads_what_it_takes(each_hub: Hub) -> None:
    queues = LocalQueues()
    old = await each_hub.start(app("old"), queues=queues, versioning=strict("1"), **FOR_OTHERS)
    new = await each_hub.start(app("new"), queues=queues, versioning=strict("2"), **FOR_OTHERS)
    begun = [(host, await host.begin("waits")) for host in (old, new) for _ in range(5)]
    begun += [(old, await new.begin("waits", version="1")) for _ in range(5)]
    for _, instance_id in begun:
        await old.client.raise_event(instance_id, "go")
    for leader, instance_id in begun:
        state = await _finished(each_hub, leader, instance_id)
        assert state.output == (["1", "old"] if leader is old else ["2", "new"])


async def _finished(hub: Hub, host: Host, instance_id: str) -> Any:
    """Hints that a host passes on come again after a while."""
    for _ in range(50):
        await hub.clock.advance(timedelta(seconds=0.5))
        state = await host.client.get_instance(instance_id)
        if state is not None and state.runtime_status.is_finished:
            return state
    raise AssertionError(await host.client.get_instance(instance_id))


async def test_what_does_not_match_can_be_terminated(hub: Hub) -> None:
    host = await hub.start(app("old"), versioning=older("1"))
    instance_id = await host.begin("tells", version="2")
    await blocked(host, instance_id)
    await host.client.terminate_instance(instance_id, "gone")
    assert (await host.finished(instance_id)).runtime_status is RuntimeStatus.TERMINATED


async def test_it_fails_instead_if_host_json_says_so(each_hub: Hub) -> None:
    fails = strict("1", VersionFailure.FAIL)
    host = await each_hub.start(app("old"), versioning=fails)
    state = await host.run("tells", version="2")
    assert state.runtime_status is RuntimeStatus.FAILED
    assert state.failure_details is not None
    assert state.failure_details.error_type == "VersionMismatchError"
    assert "is of version '2', and this host takes those of version '1'" in (
        state.failure_details.message
    )
    assert await host.history(state.instance_id) == [
        "OrchestratorStarted",
        "ExecutionStarted",
        "ExecutionCompleted",
    ]
    parent = await host.run("parent", "2")
    assert parent.runtime_status is RuntimeStatus.FAILED


async def test_what_runs_already_fails_where_it_does_not_match(each_hub: Hub) -> None:
    new = await each_hub.start(app("new"))
    instance_id = await new.begin("waits", version="2")
    await new.started(instance_id)
    await new.client.suspend_instance(instance_id)
    await new.stop()
    old = await each_hub.start(app("old"), versioning=strict("1", VersionFailure.FAIL))
    await old.client.raise_event(instance_id, "go")
    assert (await old.finished(instance_id)).runtime_status is RuntimeStatus.FAILED


async def test_what_no_function_is_for_waits_and_does_not_fail(hub: Hub) -> None:
    host = await hub.start(app("all"))
    instance_id = await host.begin("waits", version="1")
    await host.started(instance_id)
    await host.stop()
    lacks = await hub.start(FunctionApp(), versioning=strict("2", VersionFailure.FAIL))
    await lacks.client.raise_event(instance_id, "go")
    reason = await blocked(lacks, instance_id)
    assert "is of version '1', and this host takes those of version '2'" in reason
