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


def eternal(label: str = "") -> FunctionApp:
    """Rounds of version 1 that go on in version 2, with an activity between the two."""
    functions = FunctionApp()

    @functions.orchestration_trigger(orchestration="rounds", version="1")
    async def rounds_of_old(context: Ctx, said: list[Any]) -> None:
        heard = await context.wait_for_external_event("go")
        context.continue_as_new([*said, [context.version, label, heard]], version="2")

    @functions.orchestration_trigger(orchestration="rounds", version="2")
    async def rounds(context: Ctx, said: list[Any]) -> list[Any]:
        heard = await context.wait_for_external_event("go")
        if len(said) < 2:
            context.continue_as_new([*said, [context.version, label, heard]])
        return [*said, [context.version, label, heard]]

    @functions.orchestration_trigger(orchestration="walks", version="1")
    async def walks_of_old(context: Ctx) -> None:
        context.continue_as_new(version="2")

    @functions.orchestration_trigger(orchestration="walks", version="2")
    async def walks(context: Ctx) -> list[Any]:
        return [context.version, label]

    return functions


ROUNDS = [["1", "a", 1], ["2", "a", 2], ["2", "a", 3]]


async def test_an_eternal_orchestration_goes_on_in_another_version(each_hub: Hub) -> None:
    host = await each_hub.start(eternal("a"))
    instance_id = await host.begin("rounds", [], version="1")
    for number in (1, 2, 3):
        await host.client.raise_event(instance_id, "go", number)
        await host.rest()
    state = await host.finished(instance_id)
    assert (state.version, state.output) == ("2", ROUNDS)
    again = await host.client.restart_instance(instance_id)
    assert await host.status(again) is not RuntimeStatus.FAILED
    assert (await host.started(again)).version == "2"


async def test_it_is_replayed_exported_and_forked_in_that_version(each_hub: Hub) -> None:
    host = await each_hub.start(eternal("a"))
    instance_id = await host.begin("rounds", [], version="1")
    await host.client.raise_event(instance_id, "go", 1)
    await host.rest()
    assert (await host.started(instance_id)).version == "2"
    await host.stop()
    again = await each_hub.start(eternal("a"))
    lines = [line async for line in again.client.export_instance(instance_id)]
    forked = await again.client.fork_instance(instance_id, after_event=0)
    await again.client.raise_event(instance_id, "go", 2)
    await again.rest()
    await again.client.raise_event(instance_id, "go", 3)
    assert (await again.finished(instance_id)).output == ROUNDS
    assert (await again.started(forked)).version == "2"
    await again.client.purge_instance(instance_id)
    said = [each.status async for each in again.client.import_instances(lines)]
    assert said == ["imported"]
    assert (await again.started(instance_id)).version == "2"


async def test_the_host_of_the_next_version_takes_over_from_the_one_of_before(
    each_hub: Hub,
) -> None:
    queues = LocalQueues()
    old = await each_hub.start(eternal("old"), queues=queues, versioning=strict("1"), **FOR_OTHERS)
    new = await each_hub.start(eternal("new"), queues=queues, versioning=strict("2"), **FOR_OTHERS)
    instance_id = await old.begin("rounds", [])
    await old.client.raise_event(instance_id, "go", 1)
    for number in (2, 3):
        await each_hub.clock.advance(timedelta(seconds=0.5), steps=20)
        await old.client.raise_event(instance_id, "go", number)
    state = await _finished(each_hub, new, instance_id)
    assert state.output == [["1", "old", 1], ["2", "new", 2], ["2", "new", 3]]


async def test_the_next_host_need_not_be_told_of_it(each_hub: Hub) -> None:
    queues = LocalQueues()
    old = await each_hub.start(eternal("old"), queues=queues, versioning=strict("1"), **FOR_OTHERS)
    new = await each_hub.start(eternal("new"), queues=queues, versioning=strict("2"), **FOR_OTHERS)
    for _ in range(5):
        instance_id = await old.begin("walks")
        assert (await _finished(each_hub, new, instance_id)).output == ["2", "new"]


async def test_what_no_host_takes_from_then_on_waits_and_says_why(each_hub: Hub) -> None:
    old = await each_hub.start(eternal("a"), versioning=older("1"))
    instance_id = await old.begin("rounds", [])
    await old.client.raise_event(instance_id, "go", 1)
    reason = await blocked(old, instance_id)
    assert "is of version '2', and this host takes those of version '1' or older" in reason
    await old.stop()
    new = await each_hub.start(eternal("a"), versioning=older("2"))
    for number in (2, 3):
        await new.client.raise_event(instance_id, "go", number)
        await new.rest()
    assert (await new.finished(instance_id)).output == ROUNDS


@pytest.mark.parametrize("version", ["", 2, "x" * 2000])
async def test_a_next_version_that_is_none_fails_the_code(hub: Hub, version: Any) -> None:
    functions = FunctionApp()

    @functions.orchestration_trigger()
    async def odd(context: Ctx) -> None:
        context.continue_as_new(version=version)

    state = await (await hub.start(functions)).run("odd")
    assert state.runtime_status is RuntimeStatus.FAILED


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

    async def is_over() -> bool:
        await hub.clock.advance(timedelta(seconds=0.5))
        state = await host.client.get_instance(instance_id)
        return state is not None and state.runtime_status.is_finished

    await until(is_over)
    return await host.client.get_instance(instance_id)


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
