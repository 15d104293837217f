"""Limits of activities: so many at once over all hosts, whoever waits, ends or dies meanwhile."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from bindings import RuntimeStatus
from host.core.limits import Limit, Rate
from host.engine.limits.record import SLOTS
from host.engine.limits.stored import decode
from host.errors import StorageError
from host.storage.local_queues import LocalQueues
from tests.engine.limited_work import LIMITS, LimitedWork
from tests.kit.hub import Host, Hub, until

WORDS = [f"w{number}" for number in range(5)]
SHARED: dict[str, Any] = {"sweep_s": 300.0}
"""Options of hosts that share a hub."""
PARK_S, LEASE_S = 2.0, 30.0


async def records(hub: Hub) -> list[str]:
    """The limits of which anything is stored."""
    return [each.key for each in (await hub.store.records(SLOTS)).records]


async def park(hub: Hub) -> None:
    """Let sessions end that wait for activities."""
    await hub.clock.advance(timedelta(seconds=PARK_S / 4), steps=8)


def has_begun(work: LimitedWork, count: int) -> bool:
    """Whether so many have begun by now."""
    return len(work.begun) == count


@pytest.mark.parametrize("options", [{}, SHARED])
async def test_no_more_run_than_the_limit_says(each_hub: Hub, options: dict[str, Any]) -> None:
    work = LimitedWork()
    host = await each_hub.start(work.app, limits=LIMITS, **options)
    instance_id = await host.begin("fan_out", WORDS)
    for count, word in enumerate(WORDS, start=1):
        await until(partial(has_begun, work, min(count + 1, 5)))
        await each_hub.clock.until_quiet()
        assert len(work.running) == min(2, 6 - count)
        work.open(word)
    assert (await host.finished(instance_id)).output == [f"{word}!" for word in WORDS]
    assert work.begun == WORDS
    assert work.most == 2


async def test_two_hosts_keep_to_one_limit_together(hub: Hub) -> None:
    work = LimitedWork()
    queues = LocalQueues()
    hosts = [await hub.start(work.app, limits=LIMITS, queues=queues, **SHARED) for _ in range(2)]
    ids = [
        await host.begin("fan_out", [f"{n}{word}" for word in WORDS])
        for n, host in enumerate(hosts)
    ]
    work.open(*(f"{n}{word}" for n in range(2) for word in WORDS))
    await hub.clock.advance(timedelta(seconds=0.5), steps=40)
    for host, instance_id in zip(hosts, ids, strict=True):
        assert (await host.finished(instance_id)).runtime_status is RuntimeStatus.COMPLETED
    assert work.most <= 2
    assert set(work.runs.values()) == {1}


async def test_nothing_is_left_when_all_has_ended(hub: Hub) -> None:
    work = LimitedWork()
    host = await hub.start(work.app, limits=LIMITS, **SHARED)
    work.open(*WORDS)
    await host.run("fan_out", WORDS)
    await hub.clock.advance(timedelta(seconds=0.2), steps=2)
    await host.rest()
    assert await records(hub) == []


async def test_events_come_through_while_an_activity_waits_for_a_slot(each_hub: Hub) -> None:
    work = LimitedWork()
    host = await each_hub.start(work.app, limits={"crawler": Limit(concurrency=1)})
    first = await host.begin("one", "a")
    await until(lambda: work.begun == ["a"])
    second = await host.begin("either", "b")
    await host.started(second)
    await park(each_hub)
    await host.client.raise_event(second, "answer", "yes")
    await host.shows(second, "yes")
    assert work.begun == ["a"]
    work.open("a", "b")
    assert (await host.finished(second)).output == "b!"
    assert (await host.finished(first)).output == "a!"
    assert work.runs == {"a": 1, "b": 1}


async def test_one_that_waits_and_is_terminated_takes_no_slot(each_hub: Hub) -> None:
    work = LimitedWork()
    host = await each_hub.start(work.app, limits={"crawler": Limit(concurrency=1)})
    await host.begin("one", "a")
    await until(lambda: work.begun == ["a"])
    for is_parked in (False, True):
        second = await host.begin("one", "b")
        await host.started(second)
        if is_parked:
            await park(each_hub)
        await host.client.terminate_instance(second, "enough")
        await host.finished(second)
    third = await host.begin("one", "c")
    await host.started(third)
    work.open("a", "c")
    assert (await host.finished(third)).output == "c!"
    assert work.begun == ["a", "c"]


async def test_what_waited_on_a_host_that_died_begins_on_another_and_is_no_try(
    hub: Hub,
) -> None:
    work = LimitedWork()
    limits = {"crawler": Limit(concurrency=1)}
    for _ in range(7):  # more often than an activity may be begun
        host = await hub.start(work.app, limits=limits, **SHARED)
        if not work.runs:
            blocker = await host.begin("one", "a")
            await until(lambda: "a" in work.running)
            instance_id = await host.begin("one", "b")
            await host.started(instance_id)
        await hub.clock.advance(timedelta(seconds=20), steps=16)
        await host.crash()
    work.open("a", "b")
    host = await hub.start(work.app, limits=limits, **SHARED)
    await hub.clock.advance(timedelta(seconds=20), steps=20)
    assert (await host.finished(instance_id)).output == "b!"
    assert blocker


async def test_the_slot_of_a_host_that_died_is_free_when_its_time_is_over(hub: Hub) -> None:
    work = LimitedWork()
    limits = {"crawler": Limit(concurrency=1)}
    first = await hub.start(work.app, limits=limits, **SHARED)
    await first.begin("one", "a")
    await until(lambda: work.begun == ["a"])
    await first.crash()
    second = await hub.start(work.app, limits=limits, **SHARED)
    await second.begin("one", "b")
    await hub.clock.advance(timedelta(seconds=1), steps=20)
    assert work.begun == ["a"]
    await hub.clock.advance(timedelta(seconds=1), steps=50)
    await until(lambda: len(work.begun) >= 2)


async def test_a_store_of_one_process_has_no_slots_of_a_host_before(each_hub: Hub) -> None:
    work = LimitedWork()
    limits = {"crawler": Limit(concurrency=1)}
    first = await each_hub.start(work.app, limits=limits)
    await first.begin("one", "a")
    await until(lambda: work.begun == ["a"])
    await first.crash()
    second = await each_hub.start(work.app, limits=limits)
    await until(lambda: work.begun == ["a", "a"])
    work.open("a")
    await second.rest()


async def test_a_long_activity_keeps_its_slot(hub: Hub) -> None:
    work = LimitedWork()
    limits = {"crawler": Limit(concurrency=1)}
    first = await hub.start(work.app, limits=limits, **SHARED)
    second = await hub.start(work.app, limits=limits, **SHARED)
    await first.begin("one", "a")
    await until(lambda: work.begun == ["a"])
    await second.begin("one", "b")
    await hub.clock.advance(timedelta(seconds=5), steps=60)
    assert work.begun == ["a"]
    work.open("a", "b")
    await hub.clock.advance(timedelta(seconds=1), steps=5)
    await until(lambda: work.begun == ["a", "b"])


@pytest.mark.parametrize("work_lease_s", [15.0, 60.0, 300.0])
async def test_what_waits_for_long_is_offered_all_the_time(hub: Hub, work_lease_s: float) -> None:
    work = LimitedWork()
    limits = {"crawler": Limit(concurrency=1)}
    host = await hub.start(work.app, limits=limits, work_lease_s=work_lease_s, **SHARED)
    await host.begin("one", "a")
    await until(lambda: work.begun == ["a"])
    waiting = await host.begin("one", "b")
    await host.started(waiting)
    await park(hub)
    for _ in range(400):
        await hub.clock.advance(timedelta(seconds=1))
        snapshot = await hub.store.load(waiting)
        assert snapshot is not None
        (lease,) = snapshot.leases
        assert lease.expires_at > hub.clock.now()
    assert work.begun == ["a"]


async def test_an_activity_that_begins_at_most_once_is_not_lost_by_waiting(hub: Hub) -> None:
    work = LimitedWork(at_most_once=True)
    limits = {"crawler": Limit(concurrency=1)}
    first = await hub.start(work.app, limits=limits, **SHARED)
    await first.begin("one", "a")
    await until(lambda: work.begun == ["a"])
    instance_id = await first.begin("one", "b")
    await first.started(instance_id)
    await hub.clock.until_quiet()
    await first.crash()
    work.open("a", "b")
    second = await hub.start(work.app, limits=limits, **SHARED)
    await hub.clock.advance(timedelta(seconds=20), steps=30)
    assert (await second.finished(instance_id)).output == "b!"


async def test_a_rate_lets_so_many_begin_in_its_time(hub: Hub) -> None:
    work = LimitedWork()
    limits = {"crawler": Limit(rate=Rate(2, 10.0))}
    work.open(*WORDS)
    host = await hub.start(work.app, limits=limits)
    instance_id = await host.begin("fan_out", WORDS)
    await until(lambda: len(work.begun) == 2)
    await hub.clock.advance(timedelta(seconds=1), steps=9)
    assert len(work.begun) == 2
    await hub.clock.advance(timedelta(seconds=0.5), steps=4)
    await until(lambda: len(work.begun) == 4)
    await hub.clock.advance(timedelta(seconds=1), steps=12)
    assert (await host.finished(instance_id)).runtime_status is RuntimeStatus.COMPLETED
    await hub.clock.advance(timedelta(seconds=1), steps=12)
    await host.rest()
    assert await records(hub) == []


async def test_each_key_has_its_own_slots(each_hub: Hub) -> None:
    work = LimitedWork(limit_key="{host}")
    limits = {"crawler": Limit(concurrency=1, per_key=True)}
    host = await each_hub.start(work.app, limits=limits, **SHARED)
    words = [{"word": f"{of}{n}", "host": of} for of in "ab" for n in range(2)]
    instance_id = await host.begin("fan_out", words)
    await until(lambda: work.running == {"a0", "b0"})
    await each_hub.clock.until_quiet()
    assert work.running == {"a0", "b0"}
    use = [decode(x, "", "") for x in (await each_hub.store.records(SLOTS)).records]
    assert [(each.key, each.in_use, each.waiting) for each in use] == [("a", 1, 1), ("b", 1, 1)]
    work.open("a0", "a1", "b0", "b1")
    await host.finished(instance_id)


async def test_an_input_without_the_key_fails_the_activity_and_says_so(each_hub: Hub) -> None:
    work = LimitedWork(limit_key="{host}")
    host = await each_hub.start(work.app, limits=LIMITS)
    state = await host.run("one", {"word": "a"})
    assert state.runtime_status is RuntimeStatus.FAILED
    assert state.failure_details is not None
    assert "'host'" in state.failure_details.message
    assert "limit 'crawler'" in state.failure_details.message


async def test_one_key_with_many_keeps_no_other_key_waiting(each_hub: Hub) -> None:
    work = LimitedWork(limit_key="{host}")
    host = await each_hub.start(work.app, limits={"crawler": Limit(concurrency=1)})
    many = [{"word": f"a{n}", "host": "a"} for n in range(4)]
    few = [{"word": f"b{n}", "host": "b"} for n in range(2)]
    work.open(*(each["word"] for each in (*many, *few)))
    await host.run("fan_out", [*many, *few])
    assert work.begun == ["a0", "b0", "a1", "b1", "a2", "a3"]


async def test_the_lower_priority_is_first(each_hub: Hub) -> None:
    work = LimitedWork()

    @work.app.activity_trigger(limit="crawler", priority=-1)
    async def urgent(_word: str) -> str:
        work.begun.append("urgent")
        return "done"

    @work.app.orchestration_trigger()
    async def hurry(context: Any) -> Any:
        return await context.call_activity(urgent, "x")

    host: Host = await each_hub.start(work.app, limits={"crawler": Limit(concurrency=1)})
    first = await host.begin("fan_out", WORDS)
    await until(lambda: work.begun == ["w0"])
    second = await host.begin("hurry")
    await host.started(second)
    await each_hub.clock.until_quiet()
    work.open(*WORDS)
    await host.finished(first)
    assert work.begun == ["w0", "urgent", *WORDS[1:]]


async def test_a_host_that_stops_hands_over_what_waits(hub: Hub) -> None:
    work = LimitedWork()
    limits = {"crawler": Limit(concurrency=1)}
    first = await hub.start(work.app, limits=limits, **SHARED)
    blocker = await first.begin("one", "a")
    await until(lambda: work.begun == ["a"])
    waiting = await first.begin("one", "b")
    await first.started(waiting)
    await park(hub)
    await first.stop()
    second = await hub.start(work.app, limits=limits, **SHARED)
    work.open("a", "b")
    await hub.clock.advance(timedelta(seconds=1), steps=10)
    await second.finished(waiting)
    await second.finished(blocker)


async def test_a_store_that_fails_delays_a_slot_and_loses_none(hub: Hub) -> None:
    work = LimitedWork()
    host = await hub.start(work.app, limits=LIMITS, **SHARED)
    host.store.fail("change_record", StorageError("away"), times=2)
    instance_id = await host.begin("fan_out", WORDS)
    await host.started(instance_id)
    work.open(*WORDS)
    await hub.clock.advance(timedelta(seconds=0.5), steps=8)
    await host.finished(instance_id)
    assert work.most <= 2
    await hub.clock.advance(timedelta(seconds=0.5), steps=8)
    await host.rest()
    assert await records(hub) == []


async def test_all_hosts_follow_a_change_until_it_is_taken_back(hub: Hub) -> None:
    work, queues = LimitedWork(), LocalQueues()
    first = await hub.start(work.app, limits=LIMITS, queues=queues, **SHARED)
    second = await hub.start(work.app, limits=LIMITS, queues=queues, **SHARED)
    await second.begin("fan_out", WORDS)
    await until(lambda: len(work.running) == 2)
    await first.engine.parts.limits.desks.change("crawler", Limit(concurrency=4))
    await hub.clock.pass_time(timedelta(seconds=10))
    await until(lambda: len(work.running) == 4)
    third = await hub.start(work.app, limits=LIMITS, queues=queues, **SHARED)
    await hub.clock.pass_time(timedelta(seconds=1))
    assert third.engine.parts.limits.desks.limit("crawler") == Limit(concurrency=4)
    await first.engine.parts.limits.desks.take_back("crawler")
    await hub.clock.pass_time(timedelta(seconds=10))
    for host in (first, second, third):
        assert host.engine.parts.limits.desks.limit("crawler") == LIMITS["crawler"]
    work.open(*WORDS)
