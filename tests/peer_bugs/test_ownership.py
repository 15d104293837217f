"""Bugs that peers had with ownership, duplicates and zombies, end to end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from bindings import (
    FunctionApp,
    InstanceAlreadyExistsError,
    OrchestrationContext,
    OrchestrationState,
    ReusePolicy,
)
from host.core import history
from host.core.records import Message
from host.engine.options import EngineOptions
from host.errors import StorageError
from host.storage.local_queues import LocalQueues
from tests.kit.hub import Host, Hub, until
from tests.kit.seams import EchoQueues
from tests.peer_bugs.duties import LEASE, SECOND, Duties


async def _both_finished(hosts: Sequence[Host], instance_id: str) -> OrchestrationState:
    await until(lambda: not any(len(host.engine.parts.pool) for host in hosts))

    async def is_finished() -> bool:
        return (await hosts[0].status(instance_id)).is_finished

    await until(is_finished)
    return await hosts[0].finished(instance_id)


async def test_bug_17_of_two_hosts_that_lead_one_turn_only_the_winner_is_heard(
    each_hub: Hub,
) -> None:
    duties, group = Duties(), list[LocalQueues]()
    duties.gate.set()
    hosts = [await each_hub.start(duties.app, queues=EchoQueues(group)) for _ in range(2)]
    await hosts[0].begin(duties.listens, instance_id="listener")
    await hosts[0].started("listener")
    await hosts[0].begin(duties.says, instance_id="speaker")
    assert (await _both_finished(hosts, "speaker")).output == "child"
    children = [
        state
        async for state in hosts[0].client.get_all_instances()
        if state.parent_instance_id == "speaker"
    ]
    assert len(children) == 1
    for host in hosts:
        await host.rest()
    await each_hub.clock.advance(61 * SECOND)
    assert (await _both_finished(hosts, "listener")).output == ["once", "silence"]


async def test_bug_17_the_loser_of_a_turn_sends_nothing(each_hub: Hub) -> None:
    duties = Duties()
    duties.gate.set()
    loser, winner = [await each_hub.start(duties.app) for _ in range(2)]
    for orchestrator, instance_id in ((duties.listens, "listener"), (duties.tells, "teller")):
        await loser.begin(orchestrator, instance_id=instance_id)
        await loser.started(instance_id)
    await loser.rest()
    is_held, may_go_on = asyncio.Event(), asyncio.Event()

    async def hold_up(name: str, _: tuple[Any, ...]) -> None:
        if name == "commit" and not is_held.is_set():
            is_held.set()
            await may_go_on.wait()

    loser.store.before = hold_up
    await loser.client.raise_event("teller", "go")
    await until(is_held.is_set)
    await each_hub.clock.advance(SECOND)
    told_at = each_hub.clock.now().isoformat()
    await winner.engine.wake(["teller"])
    assert (await winner.finished("teller")).output == told_at
    may_go_on.set()
    await loser.rest()
    assert loser.engine.counters()["conflicts"] == 1
    told = await loser.engine.instances.history("teller")
    sent = [json.loads(x.input or "") for x in told if isinstance(x, history.EventSent)]
    assert sent == [told_at]
    assert duties.runs == {told_at: 1}
    await each_hub.clock.advance(61 * SECOND)
    assert (await _both_finished([loser, winner], "listener")).output == [told_at, "silence"]


async def test_bug_18_a_stopped_host_handles_nothing_that_it_had_taken(each_hub: Hub) -> None:
    duties = Duties()
    host = await each_hub.start(duties.app, max_concurrent_orchestrators=1)
    ids = [await host.begin(duties.leads, f"work{n}") for n in range(5)]
    await until(lambda: duties.runs["work0"] == 1)
    await host.stop(0.0)
    commits = host.store.calls["commit"]
    duties.gate.set()
    await each_hub.clock.advance(60 * SECOND)
    assert host.store.calls["commit"] == commits
    assert sum(duties.runs.values()) == 1
    second = await each_hub.start(duties.app)
    for number, instance_id in enumerate(ids):
        assert (await second.finished(instance_id)).output == f"work{number}"


async def test_bug_19_and_25_a_host_that_comes_back_does_not_own_what_it_does_not_serve(
    each_hub: Hub,
) -> None:
    duties = Duties()
    first = await each_hub.start(duties.app)
    await duties.park(first, each_hub, "it")
    await first.crash()
    second = await each_hub.start(duties.app)
    assert second.engine.parts.host_id != first.engine.parts.host_id
    await each_hub.clock.advance(LEASE / 3, steps=4)  # nobody renews the dead host's lease
    await until(lambda: duties.runs["work"] == 2)
    duties.gate.set()
    assert (await second.finished("it")).output == "work"


async def test_bug_20_a_dead_hosts_work_is_free_after_one_lease_without_anybodys_help(
    each_hub: Hub,
) -> None:
    duties = Duties()
    other = await each_hub.start(duties.app)
    first = await each_hub.start(duties.app)
    await duties.park(first, each_hub, "it")
    await first.crash()
    await each_hub.clock.advance(LEASE)
    await until(lambda: duties.runs["work"] == 2)
    duties.gate.set()
    await other.finished("it")


async def test_bug_21_a_second_start_of_an_active_id_is_refused(each_hub: Hub) -> None:
    duties = Duties()
    host = await each_hub.start(duties.app)
    await host.begin(duties.leads, "first", instance_id="it")
    await host.started("it")
    with pytest.raises(InstanceAlreadyExistsError):
        await host.begin(duties.leads, "second", instance_id="it")
    duties.gate.set()
    assert (await host.finished("it")).output == "first"


async def test_bug_22_a_zombies_result_does_not_reach_a_new_instance_of_the_same_id(
    each_hub: Hub,
) -> None:
    duties, patient = Duties(), Duties()
    zombie = await each_hub.start(duties.app)
    await duties.park(zombie, each_hub, "it")
    other = await each_hub.start(patient.app)
    await other.client.terminate_instance("it")
    await other.finished("it")
    await other.client.purge_instance("it")
    await other.begin(patient.leads, "new", instance_id="it")
    await until(lambda: patient.runs["new"] == 1)
    duties.gate.set()
    await zombie.rest()
    assert zombie.store.calls["finish_lease"] == 1
    assert "TaskCompleted" not in await other.history("it")
    patient.gate.set()
    assert (await other.finished("it")).output == "new"


async def test_bug_23_answers_that_come_twice_are_recorded_once(each_hub: Hub) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def child(context: OrchestrationContext) -> str:
        return "child"

    @app.orchestration_trigger()
    async def parent(context: OrchestrationContext) -> list[str]:
        first = await context.call_sub_orchestrator(child)
        return [first, await context.wait_for_external_event("go")]

    host = await each_hub.start(app)
    instance_id = await host.begin(parent)
    await host.started(instance_id)
    await host.rest()
    snapshot = await each_hub.store.load(instance_id)
    assert snapshot is not None
    answers: tuple[history.InboxEvent, ...] = (
        history.SubOrchestrationInstanceCompleted(
            timestamp=each_hub.clock.now(), task_id=1, result='"again"'
        ),
        history.TaskCompleted(timestamp=each_hub.clock.now(), task_id=1, result='"again"'),
    )
    for number, answer in enumerate(answers):
        message = Message(
            message_id=f"copy{number}",
            execution_id=snapshot.instance.execution_id,
            event=answer,
        )
        await each_hub.store.send(instance_id, message)
        await host.engine.wake([instance_id])
    await host.rest()
    await host.client.raise_event(instance_id, "go", "on")
    assert (await host.finished(instance_id)).output == ["child", "on"]
    events = await host.history(instance_id)
    assert events.count("SubOrchestrationInstanceCompleted") == 1
    assert "TaskCompleted" not in events


async def test_bug_24_a_start_that_is_repeated_makes_one_instance(each_hub: Hub) -> None:
    duties = Duties()
    host = await each_hub.start(duties.app)

    async def start_often() -> list[str]:
        starts = [
            host.begin(duties.leads, "work", instance_id="it", reuse=ReusePolicy.KEEP)
            for _ in range(10)
        ]
        return await asyncio.gather(*starts)

    assert await start_often() == ["it"] * 10
    await until(lambda: duties.runs["work"] == 1)
    assert await start_often() == ["it"] * 10
    await each_hub.clock.until_quiet()
    duties.gate.set()
    assert (await host.finished("it")).output == "work"
    assert await start_often() == ["it"] * 10
    await host.rest()
    assert duties.runs["work"] == 1


async def test_bug_25_a_host_that_drains_claims_nothing_while_its_successor_starts(
    each_hub: Hub,
) -> None:
    duties, group = Duties(), list[LocalQueues]()
    first = await each_hub.start(duties.app, queues=EchoQueues(group))
    await duties.park(first, each_hub, "old")
    stopping = asyncio.create_task(first.stop(60.0))
    await each_hub.clock.until_quiet()
    second = await each_hub.start(duties.app, queues=EchoQueues(group))
    assert second.engine.parts.host_id != first.engine.parts.host_id
    commits = first.store.calls["commit"]
    await second.begin(duties.leads, "new", instance_id="new")
    await until(lambda: duties.runs["new"] == 1)
    duties.gate.set()
    await stopping
    assert first.store.calls["commit"] == commits
    assert (await second.finished("new")).output == "new"
    assert (await second.finished("old")).output == "work"
    assert duties.runs == {"work": 1, "new": 1}


async def test_bug_26_hints_for_what_is_over_gone_or_elsewhere_do_nothing(each_hub: Hub) -> None:
    duties = Duties()
    duties.gate.set()
    host = await each_hub.start(duties.app)
    await host.run(duties.no_op, instance_id="over")
    await host.run(duties.no_op, instance_id="gone")
    await host.client.purge_instance("gone")
    await host.begin(duties.listens, instance_id="waits")
    await host.started("waits")
    await host.rest()
    commits = host.store.calls["commit"]
    await host.engine.wake(["over", "gone", "waits", "never was"])
    await host.rest()
    assert host.store.calls["commit"] == commits
    assert sum(duties.runs.values()) == 0


async def test_bug_27_a_recovery_that_fails_is_an_error_and_can_be_done_again(
    each_hub: Hub,
) -> None:
    duties = Duties()
    duties.gate.set()
    first = await each_hub.start(duties.app)
    await first.stop()
    instance_id = await first.begin(duties.leads, "work")
    second = Host(each_hub, duties.app, LocalQueues(), EngineOptions())
    second.store.fail("recoverable", StorageError("a blip"))
    with pytest.raises(StorageError, match="a blip"):
        await second.engine.start()
    await second.engine.start()
    assert (await second.finished(instance_id)).output == "work"
    await second.stop()


async def test_bug_32_a_host_with_an_old_copy_cannot_write_into_the_history(each_hub: Hub) -> None:
    duties = Duties()
    first = await each_hub.start(duties.app)
    second = await each_hub.start(duties.app)
    await first.begin(duties.listens, instance_id="it")
    await first.started("it")
    await first.rest()  # it waits in the first host's cache now
    await second.client.raise_event("it", "said", "second")
    await second.rest()
    await first.client.raise_event("it", "said", "third")
    assert (await first.finished("it")).output == ["second", "third"]
    snapshot = await each_hub.store.load("it")
    assert snapshot is not None
    assert [batch.number for batch in snapshot.batches] == [0, 1, 2]


async def test_bug_33_effects_that_are_applied_twice_change_nothing(each_hub: Hub) -> None:
    duties = Duties()
    duties.gate.set()
    host = await each_hub.start(duties.app)
    await host.begin(duties.listens, instance_id="listener")
    await host.started("listener")
    await host.run(duties.says, instance_id="speaker")
    await host.rest()

    async def everything() -> list[Any]:
        rows = [state.instance_id async for state in host.client.get_all_instances()]
        return [await each_hub.store.load(instance_id) for instance_id in sorted(rows)]

    before = await everything()
    for commit in host.store.commits:
        await each_hub.store.apply(commit.effects)
    await host.engine.wake(["listener", "speaker"])
    await host.rest()
    assert await everything() == before
