"""Orchestrations that keep to a limit: they begin with a slot, and give it back as they end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from bindings.waiting import WaitKind
from host.core.limits import Limit
from host.engine.limits.cleaner import CLEAN_S
from host.engine.limits.record import SLOTS
from host.engine.limits.stored import decode
from tests.kit.hub import Host, Hub, until

LIMITS = {"two": Limit(concurrency=2)}
SHARED: dict[str, Any] = {"sweep_s": 300.0}
"""Options of hosts that share a hub."""


def new_app() -> FunctionApp:
    app = FunctionApp()

    @app.orchestration_trigger(limit="two")
    async def slow(context: OrchestrationContext, count: int) -> Any:
        go = await context.wait_for_external_event("go")
        if go == "fail":
            raise ValueError("as it was told")
        if count:
            return context.continue_as_new(count - 1)
        return go

    return app


async def holders(hub: Hub) -> set[str]:
    """The orchestrations that have slots."""
    found: set[str] = set()
    for record in (await hub.store.records(SLOTS)).records:
        found |= set(decode(record, "", "").holders)
    return found


async def three(host: Host) -> list[str]:
    """Three of them, of which two have begun."""
    ids = [await host.begin("slow", 0, instance_id=f"i{number}") for number in range(3)]
    for instance_id in ids[:2]:
        await host.started(instance_id)
    await host.rest()
    return ids


async def test_one_that_has_no_slot_is_pending_and_says_what_it_waits_for(each_hub: Hub) -> None:
    host = await each_hub.start(new_app(), limits=LIMITS)
    *_, last = await three(host)
    assert await host.status(last) is RuntimeStatus.PENDING
    (waits,) = await host.client.why(last)
    assert (waits.kind, waits.name) == (WaitKind.LIMIT, "two")
    assert waits.since == each_hub.clock.now()
    assert "limit 'two'" in waits.in_words()


async def test_whatever_ends_one_lets_the_next_one_in(each_hub: Hub) -> None:
    host = await each_hub.start(new_app(), limits=LIMITS)
    first, second, third = await three(host)
    await host.client.raise_event(first, "go", "fail")
    await host.finished(first)
    await host.started(third)
    fourth = await host.begin("slow", 0)
    await host.client.terminate_instance(second)
    await host.finished(second)
    await host.started(fourth)
    await host.client.raise_event(third, "go", "done")
    await host.client.terminate_instance(fourth)
    await host.finished(third)
    await host.finished(fourth)
    await host.rest()
    assert await holders(each_hub) == set()


async def test_one_that_waits_is_terminated_without_a_slot(each_hub: Hub) -> None:
    host = await each_hub.start(new_app(), limits=LIMITS)
    first, second, third = await three(host)
    await host.client.terminate_instance(third)
    assert (await host.finished(third)).runtime_status is RuntimeStatus.TERMINATED
    await host.rest()
    assert await holders(each_hub) == {first, second}
    fourth = await host.begin("slow", 0)
    await host.client.raise_event(first, "go", 1)
    await host.finished(first)
    await host.started(fourth)


async def test_a_slot_is_kept_over_continue_as_new_and_restarts_of_the_host(each_hub: Hub) -> None:
    first = await each_hub.start(new_app(), limits=LIMITS)
    instance_id = await first.begin("slow", 1)
    await first.client.raise_event(instance_id, "go", 1)
    await first.rest()
    assert await holders(each_hub) == {instance_id}
    await first.crash()
    second = await each_hub.start(new_app(), limits=LIMITS)
    others = [await second.begin("slow", 0) for _ in range(2)]
    await second.started(others[0])
    await second.rest()
    assert await second.status(others[1]) is RuntimeStatus.PENDING
    await second.client.raise_event(instance_id, "go", "end")
    assert (await second.finished(instance_id)).output == "end"
    await second.started(others[1])


async def test_one_that_waited_on_a_host_that_died_waits_on_the_next(each_hub: Hub) -> None:
    first = await each_hub.start(new_app(), limits=LIMITS)
    one, _, waiting = await three(first)
    await first.crash()
    second = await each_hub.start(new_app(), limits=LIMITS)
    await second.client.raise_event(one, "go", 1)
    await second.finished(one)
    await second.started(waiting)


async def test_a_slot_that_nobody_gave_back_is_found(hub: Hub) -> None:
    first = await hub.start(new_app(), limits=LIMITS)
    ids = await three(first)
    await first.crash()
    careless = await hub.start(new_app())  # it knows of no limit
    for instance_id in ids[:2]:
        await careless.client.terminate_instance(instance_id)
        await careless.finished(instance_id)
    await careless.client.purge_instance(ids[0])
    await careless.crash()
    assert await holders(hub) == set(ids[:2])
    second = await hub.start(new_app(), limits=LIMITS)
    for _ in range(3):
        await second.begin("slow", 0)
    await hub.clock.pass_time(timedelta(seconds=60))
    await second.rest()
    assert len(await holders(hub)) == 2
    assert not await holders(hub) & set(ids[:2])


async def test_a_slot_that_nobody_gave_back_is_found_though_nobody_waits_for_it(hub: Hub) -> None:
    first = await hub.start(new_app(), limits=LIMITS)
    ended, goes_on = [await first.begin("slow", 0) for _ in range(2)]
    await first.rest()
    await first.crash()
    careless = await hub.start(new_app())  # it knows of no limit
    await careless.client.terminate_instance(ended)
    await careless.finished(ended)
    await careless.crash()
    assert await holders(hub) == {ended, goes_on}
    second = await hub.start(new_app(), limits=LIMITS)
    await hub.clock.advance(timedelta(seconds=CLEAN_S / 2), steps=3)
    await second.rest()
    assert await holders(hub) == {goes_on}


async def test_two_hosts_let_in_no_more_than_one_would(hub: Hub) -> None:
    hosts = [await hub.start(new_app(), limits=LIMITS, **SHARED) for _ in range(2)]
    for number in range(6):
        await hosts[number % 2].begin("slow", 0)
    await hub.clock.pass_time(timedelta(seconds=5))
    begun = await holders(hub)
    assert len(begun) == 2
    for instance_id in begun:
        await hosts[0].client.terminate_instance(instance_id)
    await hub.clock.pass_time(timedelta(seconds=5))
    await until(lambda: len(hosts) == 2)
    assert len(await holders(hub)) == 2
    assert not await holders(hub) & begun
