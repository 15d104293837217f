"""Limits of entities: so many do operations at once, whoever waits, fails, stops or dies."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from bindings import EntityContext, EntityId, OrchestrationContext, RuntimeStatus
from bindings.waiting import WaitKind
from host.core.history import EntityOperationCompleted
from host.core.limits import Limit, Rate
from host.engine.limits import entities as limited
from host.engine.limits.record import SLOTS
from host.engine.limits.stored import decode
from host.storage.local_queues import LocalQueues
from tests.engine.limited_entities import LIMITS, LimitedDesks
from tests.kit.hub import Host, Hub, until

KEYS = [f"k{number}" for number in range(5)]
LEFT = ["few", "other"]
SHARED: dict[str, Any] = {"sweep_s": 300.0}
"""Options of hosts that share a hub."""


def desk(key: str) -> EntityId:
    return EntityId("desk", key)


async def signal(host: Host, keys: Iterable[str], operation: str = "work") -> None:
    for key in keys:
        await host.client.signal_entity(desk(key), operation)


def has_begun(work: LimitedDesks, count: int) -> bool:
    """Whether so many operations have begun by now."""
    return len(work.begun) == count


async def done(host: Host, key: str) -> Any:
    """What the entity has done."""
    found = await host.client.get_entity(desk(key))
    return None if found is None else found.state


async def shares(hub: Hub) -> dict[str, int]:
    """How many slots are taken, by limit and key."""
    found = {}
    for record in (await hub.store.records(SLOTS)).records:
        found[record.key] = decode(record, "", "").in_use
    return found


@pytest.mark.parametrize("options", [{}, SHARED])
async def test_no_more_work_than_the_limit_says(each_hub: Hub, options: dict[str, Any]) -> None:
    work = LimitedDesks()
    host = await each_hub.start(work.app, limits=LIMITS, **options)
    await signal(host, KEYS)
    for count in range(1, 6):
        await until(partial(has_begun, work, min(count + 1, 5)))
        await each_hub.clock.until_quiet()
        assert len(work.running) == min(2, 6 - count)
        work.open(next(iter(work.running)))
    await host.rest()
    assert sorted(work.begun) == KEYS
    assert work.most == 2
    assert [await done(host, key) for key in KEYS] == [1] * 5


async def test_two_hosts_keep_to_one_limit_together(hub: Hub) -> None:
    work, queues = LimitedDesks(), LocalQueues()
    hosts = [await hub.start(work.app, limits=LIMITS, queues=queues, **SHARED) for _ in range(2)]
    await signal(hosts[0], KEYS)
    await until(partial(has_begun, work, 2))
    await hub.clock.advance(timedelta(seconds=1), steps=5)
    assert len(work.running) == 2
    assert sum((await shares(hub)).values()) == 2
    work.open(*KEYS)
    await until(partial(has_begun, work, 2))
    for _ in range(20):
        await hub.clock.advance(timedelta(seconds=1))
    assert [await done(hosts[0], key) for key in KEYS] == [1] * 5
    assert work.most == 2


async def test_one_that_fails_gives_its_slot_back(each_hub: Hub) -> None:
    work = LimitedDesks()
    work.open(*KEYS)
    host = await each_hub.start(work.app, limits=LIMITS)
    await signal(host, KEYS, "fail")
    await signal(host, KEYS)
    await host.rest()
    assert [await done(host, key) for key in KEYS] == [1] * 5
    assert len(work.begun) == 10


@pytest.mark.parametrize("limit_key", [None, "{key}"])
async def test_who_waits_says_so(each_hub: Hub, limit_key: str | None) -> None:
    work = LimitedDesks(limit_key=limit_key)
    host = await each_hub.start(work.app, limits=LIMITS)
    ids = [await host.begin("orderly", key) for key in KEYS[:3]]
    await until(partial(has_begun, work, 2))
    await each_hub.clock.until_quiet()
    waits = {instance_id: await host.client.why(instance_id) for instance_id in ids}
    kinds = [each.kind for (each,) in waits.values()]
    assert sorted(kinds) == [WaitKind.ENTITY, WaitKind.ENTITY, WaitKind.LIMIT]
    (waiting,) = next(each for each in waits.values() if each[0].kind is WaitKind.LIMIT)
    assert waiting.name == "few"
    assert "limit 'few'" in waiting.in_words()
    assert "@desk@" in waiting.in_words()
    work.open(*KEYS)
    assert [(await host.finished(each)).output for each in ids] == [1, 1, 1]


async def test_who_has_the_slot_that_he_waits_for_is_told(each_hub: Hub) -> None:
    work = LimitedDesks()

    @work.app.orchestration_trigger(limit="few")
    async def greedy(context: OrchestrationContext, key: str) -> None:
        await context.call_entity(desk(key), "work")

    host = await each_hub.start(work.app, limits={"few": Limit(concurrency=1)})
    instance_id = await host.begin("greedy", "a")
    await host.started(instance_id)
    await each_hub.clock.until_quiet()
    (waiting,) = await host.client.why(instance_id)
    assert waiting.kind is WaitKind.LIMIT
    assert "it has a slot of this limit itself" in waiting.in_words()


async def test_what_waited_is_dated_when_it_was_done(each_hub: Hub) -> None:
    work = LimitedDesks()
    host = await each_hub.start(work.app, limits={"few": Limit(concurrency=1)})
    await signal(host, ["a"])
    await until(partial(has_begun, work, 1))
    instance_id = await host.begin("orderly", "b")
    await each_hub.clock.until_quiet()
    await each_hub.clock.advance(timedelta(minutes=1), steps=40)
    freed_at = each_hub.clock.now()
    work.open("a", "b")
    await host.finished(instance_id)
    events = await host.engine.instances.history(instance_id)
    (answer,) = [each for each in events if isinstance(each, EntityOperationCompleted)]
    assert answer.timestamp >= freed_at
    found = await host.client.get_entity(desk("b"))
    assert found is not None
    assert found.last_operation_time >= freed_at


async def test_with_a_rate_each_operation_counts(each_hub: Hub) -> None:
    work = LimitedDesks(limit="slow")
    work.open(*KEYS)
    host = await each_hub.start(work.app, limits={"slow": Limit(rate=Rate(3, 10.0))})
    for _ in range(4):
        await signal(host, KEYS[:2])
    await each_hub.clock.until_quiet()
    assert len(work.begun) == 3
    await each_hub.clock.advance(timedelta(seconds=5))
    await each_hub.clock.until_quiet()
    assert len(work.begun) == 3
    await each_hub.clock.advance(timedelta(seconds=1), steps=6)
    await each_hub.clock.until_quiet()
    assert len(work.begun) == 6
    await each_hub.clock.advance(timedelta(seconds=1), steps=11)
    await each_hub.clock.until_quiet()
    assert [await done(host, key) for key in KEYS[:2]] == [4, 4]


async def test_a_batch_is_one_slot(each_hub: Hub) -> None:
    work = LimitedDesks()
    host = await each_hub.start(work.app, limits={"few": Limit(concurrency=1)})
    await signal(host, ["a"])
    await until(partial(has_begun, work, 1))
    await signal(host, ["b", "a", "a"])
    await each_hub.clock.until_quiet()
    assert work.begun == ["a"]
    work.open("a", "b")
    await host.rest()
    assert work.begun == ["a", "b", "a", "a"]


async def test_keys_are_counted_apart(each_hub: Hub) -> None:
    work = LimitedDesks(limit="each", limit_key="{key}")
    limits = {"each": Limit(rate=Rate(1, 60.0), per_key=True)}
    host = await each_hub.start(work.app, limits=limits)
    work.open("a", "b")
    await signal(host, ["a", "a", "b", "b"])
    await each_hub.clock.until_quiet()
    assert sorted(work.begun) == ["a", "b"]
    await each_hub.clock.advance(timedelta(seconds=1), steps=65)
    await each_hub.clock.until_quiet()
    assert sorted(work.begun) == ["a", "a", "b", "b"]


async def test_a_lock_needs_no_slot(each_hub: Hub) -> None:
    work = LimitedDesks()
    host = await each_hub.start(work.app, limits={"few": Limit(concurrency=1)})
    await signal(host, ["a"])
    await until(partial(has_begun, work, 1))
    instance_id = await host.begin("section", "b")
    await host.shows(instance_id, "locked")
    assert work.begun == ["a"]
    work.open("a", "b")
    assert (await host.finished(instance_id)).output == 1


async def test_a_signal_for_later_needs_its_slot_when_its_time_has_come(each_hub: Hub) -> None:
    work = LimitedDesks()
    host = await each_hub.start(work.app, limits={"few": Limit(concurrency=1)})
    await signal(host, ["a"])
    await until(partial(has_begun, work, 1))
    await host.client.signal_entity(desk("b"), "work", signal_time=timedelta(seconds=5))
    await each_hub.clock.until_quiet()
    found = await host.store.load("@desk@b")
    assert found is not None
    assert not found.inbox  # it was put off without a slot
    await each_hub.clock.advance(timedelta(seconds=6))
    await each_hub.clock.until_quiet()
    assert work.begun == ["a"]
    work.open("a", "b")
    await host.rest()
    assert work.begun == ["a", "b"]


async def test_only_some_wait_in_sessions(each_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limited, "MAX_IN_SESSIONS", 2)
    work = LimitedDesks()
    host = await each_hub.start(work.app, limits={"few": Limit(concurrency=1)})
    await signal(host, KEYS)
    await until(partial(has_begun, work, 1))
    await each_hub.clock.until_quiet()
    entities = host.engine.parts.limits.entities
    assert entities.waiting == 2
    (usage,) = await host.engine.parts.limits.desks.uses(10)
    assert usage.waiting == 4
    work.open(*KEYS)
    await host.rest()
    assert sorted(work.begun) == KEYS
    assert [await done(host, key) for key in KEYS] == [1] * 5
    assert entities.waiting == 0


async def test_who_waits_for_long_is_not_forgotten(
    each_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited, "MAX_IN_SESSIONS", 2)
    work = LimitedDesks()
    host = await each_hub.start(work.app, limits={"few": Limit(concurrency=1)})
    await signal(host, KEYS)
    await until(partial(has_begun, work, 1))
    await each_hub.clock.until_quiet()
    await each_hub.clock.advance(timedelta(minutes=1), steps=40)
    await each_hub.clock.until_quiet()
    (usage,) = await host.engine.parts.limits.desks.uses(10)
    assert usage.waiting == 4
    work.open(*KEYS)
    await host.rest()
    assert [await done(host, key) for key in KEYS] == [1] * 5


@pytest.mark.parametrize("limit", [None, "other"])
async def test_who_was_away_from_a_limit_that_a_new_app_does_not_name_goes_on(
    each_hub: Hub, monkeypatch: pytest.MonkeyPatch, limit: str | None
) -> None:
    monkeypatch.setattr(limited, "MAX_IN_SESSIONS", 2)
    keys = [f"k{number}" for number in range(12)]
    work, newer = LimitedDesks(), LimitedDesks(limit=limit)
    host = await each_hub.start(work.app, limits={each: Limit(concurrency=1) for each in LEFT})
    await signal(host, keys)
    await until(partial(has_begun, work, 1))
    await each_hub.clock.until_quiet()
    work.open(*keys)
    newer.open(*keys)
    await host.change(newer.app)
    await each_hub.clock.advance(timedelta(seconds=1), steps=20)
    await host.rest()
    assert [await done(host, key) for key in keys] == [1] * 12
    assert host.engine.parts.limits.desks.open_now() == []


async def test_those_that_are_away_are_called_though_their_hints_go_to_other_hosts(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited, "MAX_IN_SESSIONS", 4)
    keys = [f"k{number}" for number in range(40)]
    work, queues = LimitedDesks(), LocalQueues()
    work.open(*keys)
    options: dict[str, Any] = {"limits": {"few": Limit(rate=Rate(1, 1.0))}, "queues": queues}
    first = await hub.start(work.app, **options, **SHARED)
    await signal(first, keys)
    await hub.clock.until_quiet()
    for _ in range(3):
        await hub.start(work.app, **options, **SHARED)
    for _ in range(100):
        await hub.clock.advance(timedelta(seconds=1))
    assert sorted(work.begun) == sorted(keys)


async def test_who_is_more_urgent_does_not_wait_for_those_that_are_away(
    each_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited, "MAX_IN_SESSIONS", 2)
    work, keys = LimitedDesks(), [f"k{number}" for number in range(12)]

    @work.app.entity_trigger(limit="few", priority=-1)
    def urgent(context: EntityContext) -> None:
        work.begun.append(context.entity_key)

    host = await each_hub.start(work.app, limits={"few": Limit(concurrency=1)})
    await signal(host, keys)
    await until(partial(has_begun, work, 1))
    await each_hub.clock.until_quiet()
    for key in ("now", "soon", "then"):
        await host.client.signal_entity(EntityId("urgent", key), "do")
    await each_hub.clock.until_quiet()
    work.open(*keys)
    await until(partial(has_begun, work, 15))
    assert sorted(work.begun[1:4]) == ["now", "soon", "then"]


@pytest.mark.parametrize("options", [{}, SHARED])
async def test_of_keys_that_nobody_needs_any_more_nothing_is_left(
    each_hub: Hub, options: dict[str, Any]
) -> None:
    work = LimitedDesks(limit="each", limit_key="{key}")
    work.open(*KEYS)
    limits = {"each": Limit(concurrency=1, per_key=True)}
    host = await each_hub.start(work.app, limits=limits, **options)
    await signal(host, KEYS)
    await host.rest()
    await each_hub.clock.advance(timedelta(seconds=1), steps=3)
    await host.rest()
    assert work.begun == KEYS
    assert host.engine.parts.limits.desks.open_now() == []
    assert await host.engine.parts.limits.desks.uses(10) == []


async def test_those_that_wait_leave_room_for_others(each_hub: Hub) -> None:
    work = LimitedDesks()
    host = await each_hub.start(
        work.app, limits={"few": Limit(concurrency=1)}, max_concurrent_orchestrators=2
    )
    await signal(host, KEYS)
    await until(partial(has_begun, work, 1))
    await host.client.signal_entity(EntityId("free", "a"), "add")
    await until(lambda: "free" in work.begun)
    work.open(*KEYS)


async def test_many_keys_that_wait_leave_room_for_others(each_hub: Hub) -> None:
    keys = [f"k{number}" for number in range(30)]
    work = LimitedDesks(limit="each", limit_key="{key}")
    work.open(*keys)
    limits = {"each": Limit(rate=Rate(1, 3600.0), per_key=True)}
    host = await each_hub.start(work.app, limits=limits, max_concurrent_orchestrators=2)
    await signal(host, [*keys, *keys])
    await until(partial(has_begun, work, 30))
    await each_hub.clock.until_quiet()
    for number in range(3):
        await host.client.signal_entity(EntityId("free", f"{number}"), "add")
        await until(partial(has_begun, work, 31 + number))
    for _ in range(45):
        await each_hub.clock.advance(timedelta(seconds=100))
    await until(partial(has_begun, work, 63))
    assert [await done(host, key) for key in keys] == [2] * 30


async def test_those_that_wait_on_a_host_that_stops_go_on_elsewhere(
    each_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited, "MAX_IN_SESSIONS", 2)
    work, queues = LimitedDesks(), LocalQueues()
    first = await each_hub.start(work.app, limits=LIMITS, queues=queues)
    await signal(first, KEYS)
    await until(partial(has_begun, work, 2))
    await each_hub.clock.until_quiet()
    work.open(*KEYS)
    await first.stop()
    second = await each_hub.start(work.app, limits=LIMITS, queues=queues)
    await second.rest()
    assert [await done(second, key) for key in KEYS] == [1] * 5


async def test_those_that_waited_on_a_host_that_died_go_on_elsewhere(
    each_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited, "MAX_IN_SESSIONS", 2)
    work = LimitedDesks()
    first = await each_hub.start(work.app, limits=LIMITS)
    await signal(first, KEYS)
    await until(partial(has_begun, work, 2))
    await each_hub.clock.until_quiet()
    await first.crash()
    work.open(*KEYS)
    second = await each_hub.start(work.app, limits=LIMITS)
    await second.rest()
    assert [await done(second, key) for key in KEYS] == [1] * 5


async def test_a_new_app_need_not_wait_for_those_that_wait(each_hub: Hub) -> None:
    work = LimitedDesks()
    host = await each_hub.start(work.app, limits={"few": Limit(concurrency=1)})
    await signal(host, KEYS[:2])
    await until(partial(has_begun, work, 1))
    newer = LimitedDesks()
    newer.open(*KEYS)
    (first,) = work.begun
    work.open(first)
    await host.change(newer.app)
    await host.rest()
    assert work.begun == [first]
    assert {first, *newer.begun} == {*KEYS[:2]}


async def test_a_limit_that_is_raised_lets_more_work(each_hub: Hub) -> None:
    work = LimitedDesks()
    host = await each_hub.start(work.app, limits={"few": Limit(concurrency=1)})
    await signal(host, KEYS)
    await until(partial(has_begun, work, 1))
    await host.engine.parts.limits.desks.change("few", Limit(concurrency=4))
    await until(partial(has_begun, work, 4))
    await each_hub.clock.until_quiet()
    assert len(work.running) == 4
    work.open(*KEYS)


async def test_a_caller_that_is_terminated_leaves_no_slot(each_hub: Hub) -> None:
    work = LimitedDesks()
    host = await each_hub.start(work.app, limits={"few": Limit(concurrency=1)}, **SHARED)
    ids = [await host.begin("orderly", key) for key in KEYS[:2]]
    await until(partial(has_begun, work, 1))
    for instance_id in ids:
        await host.client.terminate_instance(instance_id)
        assert (await host.finished(instance_id)).runtime_status is RuntimeStatus.TERMINATED
    work.open(*KEYS)
    await host.rest()
    await each_hub.clock.advance(timedelta(seconds=1), steps=3)
    await host.rest()
    assert sum((await shares(each_hub)).values()) == 0
    assert [await done(host, key) for key in KEYS[:2]] == [1, 1]  # an operation that is asked for
