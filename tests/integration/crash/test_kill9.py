"""A host is killed three times in the middle of a thousand orchestrations; nothing shows of it.

The first kill comes while instances are being started, the second while all of them wait or work,
the third while timers run that come due before the next host is there.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.crash.activity_log import (
    Run,
    assert_in_order,
    assert_no_host_repeats_a_step,
)
from tests.integration.crash.surviving_client import WEBHOOKS, Sent, SurvivingClient
from tests.integration.crash.workload import (
    BONUS,
    CHILDREN_OF_PARENT,
    ITEMS,
    STOP,
    THOUSAND,
    Job,
    mixed_jobs,
)

if TYPE_CHECKING:
    from tests.integration.crash.conftest import CrashHub

pytestmark = pytest.mark.process

KILLS = 3
PATIENCE_S = 30.0
"""How long the last host may take: a bound for broken runs, not a measure."""
BELL_RINGS_AFTER = timedelta(seconds=1.5)


@pytest.mark.timeout(90)
async def test_a_thousand_orchestrations_survive_three_kills(hub: CrashHub) -> None:
    jobs = mixed_jobs(THOUSAND)

    await kill_while_starting(hub, jobs)
    sent = await kill_while_all_run(hub, jobs)
    bell = await kill_while_timers_run(hub, jobs)
    statuses = await all_finished(hub.client, jobs)

    log = hub.log()
    assert_no_host_repeats_a_step(log)
    assert [s for s in statuses.values() if s["runtimeStatus"] != "Completed"] == []
    for job in jobs:
        output, runs = statuses[job.instance_id]["output"], log[job.instance_id]
        if job.is_fed_by_client:
            assert_events(job, sent[job.instance_id], output, runs)
        elif job.function == "alarm":
            assert datetime.fromisoformat(output) >= bell
            assert_ran(job, runs)
            await assert_timers_fired_once(hub.client, job)
        else:
            assert output == job.expected, job
            assert_ran(job, runs)

    await assert_list_agrees(hub.client, statuses)
    await assert_purge_removes_all(hub.client, list(statuses))
    assert (await hub.client.ask("/readyz")).status == 200
    assert await hub.host.terminate() == 0
    hub.assert_no_tracebacks()
    hub.assert_integrity()


# ---- the three kills -----------------------------------------------------------------


async def kill_while_starting(hub: CrashHub, jobs: list[Job]) -> None:
    """Start all; the host dies in the middle, and the next one gets the rest."""
    await hub.start()
    async with asyncio.TaskGroup() as group:
        starts = [group.create_task(start(hub.client, job)) for job in jobs]
        await hub.progress("before", 600)
        await hub.kill9()
        assert not all(task.done() for task in starts)
        await hub.start()


async def kill_while_all_run(hub: CrashHub, jobs: list[Job]) -> dict[str, Sent]:
    """The host dies while it takes in events; hardly any instance is through."""
    feeds: dict[str, asyncio.Task[Sent]] = {}
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            if job.is_fed_by_client:
                feeds[job.instance_id] = group.create_task(feed(hub.client, job))
            elif job.function in {"chain", "notifier"}:
                group.create_task(hub.client.signal(job.instance_id, "go"))
        await hub.progress("item", 200)
        await hub.kill9()
        log = hub.log()
        through = [job for job in jobs if is_through(job, log.get(job.instance_id, []))]
        assert len(through) < len(jobs) / 2
        await hub.start()
    return {instance_id: task.result() for instance_id, task in feeds.items()}


async def kill_while_timers_run(hub: CrashHub, jobs: list[Job]) -> datetime:
    """The host dies when all alarms are set, and the next one comes when they are due."""
    bell = datetime.now(UTC) + BELL_RINGS_AFTER
    alarms = [job for job in jobs if job.function == "alarm"]
    others = [job for job in jobs if job.function in {"fan_out", "parent", "countdown"}]
    async with asyncio.TaskGroup() as group:
        for job in alarms:
            group.create_task(hub.client.signal(job.instance_id, "go", bell.isoformat()))
        for job in others:
            group.create_task(hub.client.signal(job.instance_id, "go"))
        await hub.progress("armed", len(alarms))
        await hub.kill9()
        # Real time: the hosts are real processes, whose clock no test can turn.
        await asyncio.sleep((bell - datetime.now(UTC)).total_seconds())
        await hub.start()
    return bell


async def start(client: SurvivingClient, job: Job) -> None:
    await client.start(job.function, job.instance_id, job.input)
    if job.function == "countdown":
        await client.signal(job.instance_id, "bonus", BONUS)


async def feed(client: SurvivingClient, job: Job) -> Sent:
    return await client.feed(job.instance_id, "item", list(range(ITEMS)), STOP)


async def all_finished(client: SurvivingClient, jobs: list[Job]) -> dict[str, dict[str, Any]]:
    """Every job's status in the end. Fails with those that never come to an end."""
    statuses: dict[str, dict[str, Any]] = {}
    try:
        async with asyncio.timeout(PATIENCE_S):
            for job in jobs:
                statuses[job.instance_id] = await client.finished(job.instance_id)
    except TimeoutError:
        listed = await client.list_instances("&runtimeStatus=Pending,Running,Suspended")
        unfinished = [status["instanceId"] for status in listed]
        pytest.fail(f"{len(unfinished)} instances are stuck: {unfinished[:20]}")
    return statuses


# ---- what must be true in the end ------------------------------------------------------


def is_through(job: Job, runs: list[Run]) -> bool:
    return bool(job.steps) and {run.step for run in runs} == set(job.steps)


def assert_ran(job: Job, runs: list[Run]) -> None:
    """Every step ran, and no more often than the kills explain."""
    if job.is_sequence:
        assert_in_order(job.instance_id, runs, list(job.steps), KILLS)
    else:
        assert {run.step for run in runs} == set(job.steps), (job.instance_id, runs)


def assert_events(job: Job, sent: Sent, seen: list[int], runs: list[Run]) -> None:
    """What was accepted was seen once and in order; what nobody knows of, at most once."""
    assert seen == sorted(set(seen)), job
    assert set(sent.accepted) <= set(seen) <= {*sent.accepted, *sent.unsure}, (job, sent, seen)
    assert_in_order(job.instance_id, runs, [f"item-{n}" for n in seen], KILLS)


async def assert_timers_fired_once(client: SurvivingClient, job: Job) -> None:
    """Of three timers two fired, each once; the third one was cancelled."""
    path = f"{WEBHOOKS}/instances/{job.instance_id}?showHistory=true"
    events = (await client.ask(path)).json["historyEvents"]
    timers = [event for event in events if event["EventType"].startswith("Timer")]
    fired = [event for event in timers if event["EventType"] == "TimerFired"]
    assert len(fired) == 2, (job, timers)
    assert len({event["FireAt"] for event in fired}) == 2, (job, timers)
    assert all(event["Timestamp"] >= event["FireAt"] for event in fired), (job, timers)


async def assert_list_agrees(client: SurvivingClient, statuses: dict[str, Any]) -> None:
    """The listing says of every instance, children included, what its own status says."""
    listed = {status["instanceId"]: status for status in await client.list_instances()}
    assert len(listed) == len(statuses) + THOUSAND.parents * CHILDREN_OF_PARENT
    for instance_id, status in listed.items():
        assert status == (await client.status(instance_id)).json
        assert status["runtimeStatus"] == "Completed"
    assert statuses.items() <= listed.items()
    assert await client.list_instances("&runtimeStatus=Pending,Running,Suspended") == []


async def assert_purge_removes_all(client: SurvivingClient, instance_ids: list[str]) -> None:
    """All is finished, so all can be purged."""
    one = await client.call("DELETE", f"{WEBHOOKS}/instances/{instance_ids[0]}")
    assert (one.status, one.json) == (200, {"instancesDeleted": 1})
    rest = await client.call("DELETE", f"{WEBHOOKS}/instances?createdTimeFrom=2000-01-01")
    total = len(instance_ids) + THOUSAND.parents * CHILDREN_OF_PARENT
    assert (rest.status, rest.json) == (200, {"instancesDeleted": total - 1})
    assert await client.list_instances() == []
    assert (await client.status(instance_ids[-1])).status == 404
