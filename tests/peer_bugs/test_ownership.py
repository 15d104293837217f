"""Bugs that peers had with ownership, duplicates and zombies, end to end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from bindings import (
    FunctionApp,
    InstanceAlreadyExistsError,
    OrchestrationContext,
    OrchestrationState,
    ReusePolicy,
    RuntimeStatus,
)
from host.core import history
from host.core.records import Message
from host.engine.options import EngineOptions
from host.errors import StorageError
from host.storage.local_queues import LocalQueues
from host.storage.protocol import WakeUp
from tests.kit.hub import Host, Hub, until
from tests.kit.seams import EchoQueues

SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=30)


class Duties:
    """An activity that a test can hold up, and orchestrators around it."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()
        self.runs: Counter[str] = Counter()

        @self.app.activity_trigger()
        async def works(label: str) -> str:
            self.runs[label] += 1
            await self.gate.wait()
            return label

        @self.app.orchestration_trigger()
        async def leads(context: OrchestrationContext, label: str) -> str:
            return await context.call_activity(works, label)

        @self.app.orchestration_trigger()
        async def no_op(context: OrchestrationContext) -> None:
            return None

        @self.app.orchestration_trigger()
        async def listens(context: OrchestrationContext) -> list[Any]:
            heard = [await context.wait_for_external_event("said")]
            try:
                heard.append(await context.wait_for_external_event("said", timeout=60 * SECOND))
            except TimeoutError:
                heard.append("silence")
            return heard

        @self.app.orchestration_trigger()
        async def says(context: OrchestrationContext) -> str:
            context.send_event("listener", "said", "once")
            return await context.call_sub_orchestrator(leads, "child")

        self.leads, self.no_op, self.listens, self.says = leads, no_op, listens, says

    async def park(self, host: Host, hub: Hub, instance_id: str) -> None:
        """Start an instance and wait until its activity runs under a lease."""
        await host.begin(self.leads, "work", instance_id=instance_id)
        await until(lambda: self.runs["work"] > 0)
        await hub.clock.advance(3 * SECOND)
        await until(lambda: len(host.engine.parts.parked) == 1)
        await until(lambda: len(host.engine._sessions) == 0)


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
    duties.gate.set()
    host = await each_hub.start(duties.app)
    starts = [
        host.begin(duties.leads, "work", instance_id="it", reuse=ReusePolicy.KEEP)
        for _ in range(10)
    ]
    assert await asyncio.gather(*starts) == ["it"] * 10
    assert (await host.finished("it")).output == "work"
    assert duties.runs["work"] == 1


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


async def test_bug_28_a_ghost_does_not_hold_the_only_place(each_hub: Hub) -> None:
    duties = Duties()
    host = await each_hub.start(duties.app, max_concurrent_activities=1)
    await duties.park(host, each_hub, "ghost")
    waiting = await host.begin(duties.leads, "next")
    await host.client.terminate_instance("ghost")
    await until(lambda: duties.runs["next"] == 1)
    duties.gate.set()
    assert (await host.finished(waiting)).output == "next"


class FragileQueues(LocalQueues):
    """Queues whose next receive fails on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0

    async def receive_wakeups(self, limit: int) -> Sequence[WakeUp]:
        """Take wake-ups, or fail."""
        wakeups = await super().receive_wakeups(limit)
        if self.failures:
            self.failures -= 1
            await self.release(wakeups)
            raise RuntimeError("the queue broke")
        return wakeups


async def test_bug_30_a_dispatcher_that_dies_is_reported_and_lives_again(each_hub: Hub) -> None:
    duties, queues = Duties(), FragileQueues()
    duties.gate.set()
    host = await each_hub.start(duties.app, queues=queues)
    queues.failures = 2
    instance_id = await host.begin(duties.leads, "work")
    await until(lambda: bool(host.engine.problems()))
    assert host.engine.problems() == ["dispatcher: RuntimeError: the queue broke"]
    await each_hub.clock.advance(SECOND, steps=2)
    assert (await host.finished(instance_id)).output == "work"
    await until(lambda: host.engine.problems() == [])


async def test_bug_31_no_wait_misses_an_instance_that_ends_at_once(hub: Hub) -> None:
    duties = Duties()
    host = await hub.start(duties.app)
    for _ in range(20):
        states = await asyncio.gather(*(host.run(duties.no_op) for _ in range(100)))
        assert {state.runtime_status for state in states} == {RuntimeStatus.COMPLETED}
    assert len(host.engine.parts.waiters) == 0


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
