"""Orders: judged by the store alone, hinted always, decided by the turn that takes them in."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from bindings.client import ReusePolicy
from bindings.errors import InstanceAlreadyExistsError, InstanceNotFoundError, InstanceStateError
from host.errors import StorageError
from host.storage.local_queues import LocalQueues
from tests.kit.hub import Host, Hub, until
from tests.kit.seams import RefusingQueues

SECOND = timedelta(seconds=1)
app = FunctionApp()


@app.orchestration_trigger()
async def waits(context: OrchestrationContext) -> Any:
    return await context.wait_for_external_event("go")


@app.orchestration_trigger()
async def quick(context: OrchestrationContext) -> str:
    return "done"


ORDERS = ["suspend", "resume", "terminate", "event"]


async def order(host: Host, kind: str, instance_id: str = "x") -> None:
    match kind:
        case "suspend":
            await host.client.suspend_instance(instance_id)
        case "resume":
            await host.client.resume_instance(instance_id)
        case "terminate":
            await host.client.terminate_instance(instance_id)
        case _:
            await host.client.raise_event(instance_id, "go", kind)


async def waiting(host: Host) -> None:
    """`x` waits for its event."""
    await host.begin(waits, instance_id="x")
    await host.started("x")
    await host.rest()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["suspend", "resume"], RuntimeStatus.RUNNING),
        (["suspend", "resume", "suspend"], RuntimeStatus.SUSPENDED),
        (["suspend", "suspend"], RuntimeStatus.SUSPENDED),
        (["resume"], RuntimeStatus.RUNNING),
        (["suspend", "suspend", "resume"], RuntimeStatus.RUNNING),
        (["resume", "resume", "suspend", "suspend"], RuntimeStatus.SUSPENDED),
    ],
)
@pytest.mark.parametrize("is_taken_in", [True, False], ids=["one by one", "at once"])
async def test_found_a16_orders_are_accepted_whatever_the_status(
    hub: Hub, given: list[str], expected: RuntimeStatus, is_taken_in: bool
) -> None:
    host = await hub.start(app)
    await waiting(host)
    for each in given:
        await order(host, each)
        if is_taken_in:
            await host.rest()
    await host.rest()
    assert await host.status("x") is expected
    await host.client.resume_instance("x")
    await host.client.raise_event("x", "go", 7)
    assert (await host.finished("x")).output == 7


@pytest.mark.parametrize("first", ["suspend", "resume"])
async def test_found_a16_an_order_is_not_refused_for_what_a_turn_does_meanwhile(
    hub: Hub, first: str
) -> None:
    host = await hub.start(app)
    front = await hub.start(app, queues=LocalQueues())  # another host's door, which leads nothing
    await waiting(host)
    await order(host, "suspend")
    if first == "resume":
        await host.rest()
        await order(host, "resume")

    async def take_in(_name: str, _args: tuple[Any, ...]) -> None:
        front.store.before = None
        await host.rest()

    front.store.before = take_in
    second = "resume" if first == "suspend" else "suspend"
    await order(front, second)
    await order(host, second)
    await host.rest()
    expected = RuntimeStatus.RUNNING if second == "resume" else RuntimeStatus.SUSPENDED
    assert await host.status("x") is expected


@pytest.mark.parametrize("kind", ORDERS)
async def test_found_a16_an_order_is_judged_by_the_write_that_stores_it(
    hub: Hub, kind: str
) -> None:
    host = await hub.start(app)
    await waiting(host)
    reads = host.store.calls["get"] + host.store.calls["read_inbox"]
    host.store.before = None
    await host.engine.stop(0.0)
    await order(host, kind)
    assert host.store.calls["get"] + host.store.calls["read_inbox"] == reads


@pytest.mark.parametrize("kind", ORDERS)
async def test_found_a16_who_is_missing_or_finished_is_refused(hub: Hub, kind: str) -> None:
    host = await hub.start(app)
    with pytest.raises(InstanceNotFoundError):
        await order(host, kind)
    await host.run(quick, instance_id="x")
    with pytest.raises(InstanceStateError) as refusal:
        await order(host, kind)
    assert refusal.value.finished


@pytest.mark.parametrize("kind", ORDERS)
@pytest.mark.parametrize("away_for_s", [1, 40])
async def test_found_a16_what_is_stored_is_accepted_and_hinted_when_the_queue_is_back(
    hub: Hub, kind: str, away_for_s: int
) -> None:
    queues = RefusingQueues({"x"})
    host = await hub.start(app, queues=queues)
    await waiting(host)
    queues.is_away = True
    await order(host, kind)  # does not raise
    await hub.clock.advance(SECOND, steps=away_for_s)
    queues.is_away = False
    await hub.clock.advance(SECOND, steps=6)
    await host.rest()
    assert await hub.store.read_inbox("x") == ()


async def test_found_a16_a_start_that_could_not_be_hinted_runs_when_the_queue_is_back(
    hub: Hub,
) -> None:
    queues = RefusingQueues({"y"})
    host = await hub.start(app, queues=queues)
    queues.is_away = True
    assert await host.begin(quick, instance_id="y") == "y"
    queues.is_away = False
    await hub.clock.advance(SECOND, steps=6)
    assert (await host.finished("y")).output == "done"


async def test_found_a16_a_restart_that_could_not_be_hinted_runs_when_the_queue_is_back(
    hub: Hub,
) -> None:
    queues = RefusingQueues({"y"})
    host = await hub.start(app, queues=queues)
    await host.run(quick, instance_id="y")
    await host.rest()
    queues.is_away = True
    await host.client.restart_instance("y", restart_with_new_instance_id=False)
    queues.is_away = False
    await hub.clock.advance(SECOND, steps=6)
    assert (await host.finished("y")).output == "done"


@pytest.mark.parametrize("reuse", list(ReusePolicy))
async def test_found_a16_a_repeated_start_of_a_pending_instance_hints_it_again(
    hub: Hub, reuse: ReusePolicy
) -> None:
    died = await hub.start(app, queues=LocalQueues())
    await died.stop()  # what it hints, nobody hears
    host = await hub.start(app)
    await died.begin(quick, instance_id="y")
    await hub.clock.advance(SECOND, steps=100)
    assert await host.status("y") is RuntimeStatus.PENDING
    if reuse in {ReusePolicy.KEEP, ReusePolicy.KEEP_ACTIVE, ReusePolicy.REPLACE}:
        await host.begin(quick, instance_id="y", reuse=reuse)
    else:
        with pytest.raises(InstanceAlreadyExistsError):
            await host.begin(quick, instance_id="y", reuse=reuse)
    assert (await host.finished("y")).output == "done"


async def test_found_a16_a_caller_that_gives_up_after_the_store_took_it_loses_no_hint(
    hub: Hub,
) -> None:
    host = await hub.start(app)
    await waiting(host)
    given_up = asyncio.Event()

    async def stored_but_unheard(*args: Any, **named: Any) -> None:
        await type(hub.store).send(hub.store, *args, **named)
        given_up.set()
        await asyncio.Event().wait()

    host.store.send = stored_but_unheard  # type: ignore[attr-defined]
    call = asyncio.create_task(host.client.raise_event("x", "go", 1))
    await given_up.wait()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert (await host.finished("x")).output == 1


async def test_found_a16_an_order_whose_fate_is_unknown_is_hinted_too(hub: Hub) -> None:
    host = await hub.start(app)
    await waiting(host)

    async def store_it_and_fail(name: str, args: tuple[Any, ...]) -> None:
        if name == "send":
            host.store.before = None
            await hub.store.send(*args)
            raise StorageError("no answer")

    host.store.before = store_it_and_fail
    with pytest.raises(StorageError):
        await host.client.raise_event("x", "go", 1)
    await hub.clock.advance(SECOND, steps=3)
    assert (await host.finished("x")).output == 1


async def test_found_a16_a_queue_that_is_away_keeps_no_stop_waiting(hub: Hub) -> None:
    queues = RefusingQueues({"x"})
    host = await hub.start(app, queues=queues)
    await waiting(host)
    queues.is_away = True
    await order(host, "suspend")
    before = hub.clock.now()
    await host.stop(grace_s=10.0)
    assert hub.clock.now() == before


async def test_found_a16_a_stop_sends_the_hints_that_it_owes(hub: Hub) -> None:
    queues = RefusingQueues({"x"})
    host = await hub.start(app, queues=queues)
    other = await hub.start(app, queues=queues)
    await waiting(host)
    queues.is_away = True
    await order(host, "suspend")
    queues.is_away = False
    await host.stop()
    await until(lambda: not queues.counts().wakeups_waiting)
    await other.rest()
    assert await other.status("x") is RuntimeStatus.SUSPENDED


async def test_found_a16_whom_a_turn_concerns_is_hinted_without_doing_the_turn_again(
    hub: Hub,
) -> None:
    family, queues, runs = FunctionApp(), RefusingQueues({"X"}), 0

    @family.orchestration_trigger()
    async def child(context: OrchestrationContext) -> int:
        return 1

    @family.activity_trigger()
    async def counted() -> None:
        nonlocal runs
        runs += 1

    @family.orchestration_trigger()
    async def parent(context: OrchestrationContext) -> Any:
        working = context.call_activity(counted)
        started = context.call_sub_orchestrator(child, instance_id="X")
        await working
        return await started

    host = await hub.start(family, queues=queues)
    queues.is_away = True
    await host.begin(parent, instance_id="P")
    await until(lambda: queues.refusals > 0)
    queues.is_away = False
    await hub.clock.advance(SECOND, steps=10)
    assert (await host.finished("P")).output == 1
    assert runs == 1
    assert host.store.calls["load"] <= 3
