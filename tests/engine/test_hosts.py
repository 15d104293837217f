"""Which hosts there are: each says so once a minute, until it stops or vanishes."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from bindings import FunctionApp, OrchestrationContext
from host.engine.hosts import HOST, MAX_NAMES_BYTES, About, HostRecord, Hosts, Load
from host.storage.memory import MemoryStore
from host.storage.protocol import NamedRecord
from tests.kit.hub import Host, Hub
from tests.kit.manual_clock import ManualClock

APP = FunctionApp()


@APP.orchestration_trigger()
async def listens(context: OrchestrationContext) -> Any:
    return await context.wait_for_external_event("go")


def about(*functions: str) -> About:
    return About(version="1.2.3", app_version="7", functions=functions)


async def start(hub: Hub, *functions: str) -> Host:
    host = await hub.start(APP, about=about(*functions))
    await hub.clock.until_quiet()
    return host


async def pass_minutes(hub: Hub, count: int) -> None:
    await hub.clock.advance(timedelta(minutes=1), steps=count)


async def listed(host: Host) -> list[HostRecord]:
    return await host.engine.hosts.all()


async def test_each_host_says_who_it_is_and_all_hosts_list_all(hub: Hub) -> None:
    began_at = hub.clock.now()
    one = await start(hub, "a", "b")
    await pass_minutes(hub, 1)
    other = await start(hub)
    first, second = await listed(one)
    assert (first.version, first.app_version, first.functions) == ("1.2.3", "7", ("a", "b"))
    assert first.started_at == began_at
    assert second.started_at == began_at + timedelta(minutes=1)
    assert [each.host_id for each in await listed(other)] == [first.host_id, second.host_id]


async def test_a_host_that_does_not_say_who_it_is_is_not_listed(hub: Hub) -> None:
    silent = await hub.start(APP)
    await pass_minutes(hub, 2)
    assert await listed(silent) == []


async def test_a_host_is_seen_every_two_minutes_with_what_it_does(hub: Hub) -> None:
    host, other = await start(hub), await start(hub)
    for _ in range(5):
        await pass_minutes(hub, 1)
        (record,) = [x for x in await listed(other) if x.host_id == host.engine.parts.host_id]
        assert hub.clock.now() - record.seen_at <= timedelta(minutes=2)
    assert (record.sessions, record.activities) == (0, 0)


async def test_the_host_that_is_asked_says_what_it_does_now_and_writes_nothing() -> None:
    clock = ManualClock()
    store, loads = MemoryStore(clock.now), {"one": Load(), "other": Load()}
    hosts = {
        name: Hosts(store, clock, host_id=name, about=about, load=partial(loads.__getitem__, name))
        for name in loads
    }
    for each in hosts.values():
        await each.appear()
    said_at, stored = clock.now(), await store.records(HOST)
    await clock.advance(timedelta(minutes=1))
    loads["one"] = loads["other"] = Load(sessions=3, activities=2)
    one, other = await hosts["one"].all()
    assert (one.sessions, one.activities, one.seen_at) == (3, 2, clock.now())
    assert (other.sessions, other.activities, other.seen_at) == (0, 0, said_at)
    assert await store.records(HOST) == stored


async def test_a_host_that_stops_in_order_is_gone_at_once(hub: Hub) -> None:
    one, other = await start(hub), await start(hub)
    await one.stop()
    (left,) = await listed(other)
    assert left.host_id == other.engine.parts.host_id


async def test_a_host_that_vanished_is_gone_after_five_minutes(hub: Hub) -> None:
    one, other = await start(hub), await start(hub)
    await one.crash()
    await pass_minutes(hub, 3)
    assert len(await listed(other)) == 2
    await pass_minutes(hub, 3)
    assert len(await listed(other)) == 1


async def test_what_vanished_hosts_left_is_removed_by_who_lists(hub: Hub) -> None:
    one, other = await start(hub), await start(hub)
    await one.crash()
    await pass_minutes(hub, 62)
    await listed(other)
    assert [each.key for each in (await hub.store.records(HOST)).records] == [
        other.engine.parts.host_id
    ]


async def test_a_record_names_as_many_functions_as_there_is_room_for(hub: Hub) -> None:
    host = await start(hub, *[f"ä_function_{number}" for number in range(1000)])
    (record,) = await listed(host)
    assert 20 < len(record.functions) < 1000
    assert len(record.functions) + record.more_functions == 1000
    (stored,) = (await hub.store.records(HOST)).records
    assert len(stored.data) < MAX_NAMES_BYTES + 350


async def test_what_is_no_record_of_a_host_is_left_out(hub: Hub) -> None:
    host = await start(hub)
    for number, data in enumerate((b"", b"{}", b"\xff", b'{"seen_at": 3}')):
        await hub.store.put_record(NamedRecord(kind=HOST, key=f"{number}", stamp="x", data=data))
    assert len(await listed(host)) == 1


async def test_a_store_that_is_away_keeps_no_host_from_being_listed_later(hub: Hub) -> None:
    host = await hub.start(APP, about=about())
    host.store.fail("put_record", OSError("away"), times=2)
    await pass_minutes(hub, 2)
    assert len(await listed(host)) == 1


class StoreOfKilledHost(MemoryStore):
    """A store that one process has alone, and the one before it was killed."""

    @property
    def was_interrupted(self) -> bool:
        return True


async def test_who_has_the_store_alone_knows_that_those_before_it_are_gone() -> None:
    clock = ManualClock()
    store = StoreOfKilledHost(clock.now)
    for host_id in ("killed", "killed-again", "now"):
        hosts = Hosts(store, clock, host_id=host_id, about=about, load=Load)
        await hosts.appear()
        await hosts.appear()
        assert [each.host_id for each in await hosts.all()] == [host_id]
