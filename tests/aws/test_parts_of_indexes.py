"""The indexes of a hub have as many parts as its format says, also while that grows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bindings.client import ReusePolicy
from host.core.records import Effects
from host.errors import StorageError, StorageUnavailableError
from host.storage.aws.schema import FORMAT_VERSION
from host.storage.aws.table.hub_format import FORMAT_1, LAST_BY_CREATION, HubFormat, new_format
from host.storage.aws.table.parts import GROWING_TAKES, LOOK_EVERY
from host.storage.aws.table.store import DynamoStore
from host.storage.protocol import Created, HubStore, InstanceFilter
from tests.contract.builders import instance
from tests.kit.recoverable import recoverable
from tests.kit.simulated_dynamo import SimulatedDynamo

ALL = InstanceFilter()
OLDER = new_format(7, version=LAST_BY_CREATION)
FORMATS = [FORMAT_1, OLDER, new_format(1), new_format(7), new_format(64)]


async def start(store: HubStore, dynamo: SimulatedDynamo, instance_id: str) -> None:
    """A new instance, which is to begin in a minute: it has an entry in every index."""
    now = dynamo.clock.now()
    row = instance(instance_id, created_at=now, scheduled_start_at=now + timedelta(minutes=1))
    assert await store.create(row, ReusePolicy.NEVER) is Created.NEW


async def listed(store: HubStore, limit: int = 20) -> list[str]:
    """The ids that a walk through all pages shows."""
    found: list[str] = []
    token = None
    while True:
        page = await store.query(ALL, limit=limit, token=token)
        found += [row.instance_id for row in page.instances]
        if page.token is None:
            return found
        token = page.token


async def rung(store: HubStore, dynamo: SimulatedDynamo) -> set[str]:
    """Whose alarms are due in an hour."""
    now = dynamo.clock.now() + timedelta(hours=1)
    return {alarm.instance_id for alarm in await store.due_alarms(now, 1000)}


async def swept(store: HubStore) -> set[str]:
    """Who is to be woken, when all that was to begin later should have begun."""
    return set(await recoverable(store, limit=50))


@pytest.mark.parametrize("format_", FORMATS, ids=lambda each: f"{each.version}-{each.parts}")
async def test_all_is_found_in_an_index_of_any_number_of_parts(format_: HubFormat) -> None:
    dynamo = SimulatedDynamo(format_)
    store = dynamo.store()
    await store.open()
    ids = [f"i{number:03}" for number in range(150)]
    for each in ids:
        await start(store, dynamo, each)
        dynamo.pass_time(timedelta(milliseconds=1))
    assert await listed(store) == ids[::-1]
    assert await rung(dynamo.store(), dynamo) == {*ids}
    dynamo.pass_time(timedelta(minutes=2))
    assert await swept(store) == {*ids}
    assert dynamo.parts("l") <= {str(n) for n in range(format_.parts)}
    assert len(dynamo.parts("l")) > format_.parts * 0.8


@pytest.mark.parametrize(
    ("version", "asked"),
    [(LAST_BY_CREATION, {"listing": 1}), (FORMAT_VERSION, {"unfinished": 2, "ended": 3})],
)
async def test_a_page_of_a_listing_asks_each_part_once(version: int, asked: dict[str, int]) -> None:
    """Of what is by state: for each, and once more who may have been rewound meanwhile."""
    dynamo = SimulatedDynamo(new_format(64, version=version))
    requests: Counter[str] = Counter()
    store = dynamo.store(lambda _, body: requests.update([body.get("IndexName", "")]))
    await store.open()
    for number in range(300):
        await start(store, dynamo, f"i{number:03}")
        dynamo.pass_time(timedelta(milliseconds=1))
    requests.clear()
    page = await store.query(ALL, limit=50)
    assert len(page.instances) == 50
    for index, times in asked.items():
        assert 64 * times <= requests[index] <= 70 * times
    assert requests.keys() == {*asked, ""}


async def grown(
    dynamo: SimulatedDynamo, old: HubFormat, parts: int, hosts: list[DynamoStore]
) -> None:
    """What `funchost hub grow` does, while the hosts start instances."""
    dynamo.write_format(reading := old.reading(parts))
    for number in range(30):
        for host in hosts:
            await start(host, dynamo, f"growing-{hosts.index(host)}-{number}")
        dynamo.pass_time(GROWING_TAKES / 30)
    dynamo.write_format(reading.grown())


@pytest.mark.parametrize("old", [FORMAT_1, OLDER, new_format(4)], ids=lambda each: each.version)
async def test_a_hub_grows_while_hosts_run_and_none_of_them_misses_anything(
    old: HubFormat,
) -> None:
    dynamo = SimulatedDynamo(old)
    hosts = [dynamo.store(), dynamo.store()]
    for host in hosts:
        await host.open()
    await grown(dynamo, old, 16, hosts)
    new = dynamo.store()
    await new.open()
    for number in range(50):
        await start(new, dynamo, f"after-{number}")
    assert dynamo.parts("w") == {str(n) for n in range(16)}
    everybody = {f"after-{n}" for n in range(50)}
    everybody |= {f"growing-{host}-{n}" for host in (0, 1) for n in range(30)}
    for host in (*hosts, new):
        assert {*await listed(host)} == everybody
        assert await rung(host, dynamo) == everybody
    dynamo.pass_time(timedelta(minutes=2))
    for host in (*hosts, new):
        assert await swept(host) == everybody


async def test_nobody_writes_to_new_parts_before_they_are_to_be_written_to() -> None:
    dynamo = SimulatedDynamo(new_format(4))
    hosts = [dynamo.store(), dynamo.store()]
    await hosts[0].open()
    await grown(dynamo, new_format(4), 16, hosts[:1])
    assert dynamo.parts("l") == dynamo.parts("u") == dynamo.parts("w") == {"0", "1", "2", "3"}


async def test_a_host_that_cannot_look_at_the_format_reads_no_index() -> None:
    """It might miss what others put into parts that it has not heard of."""
    dynamo = SimulatedDynamo(new_format(4))
    is_away = False

    def before(operation: str, body: dict[str, Any]) -> None:
        if is_away and body.get("Key", {}).get("sk") == {"S": "format"}:
            raise StorageUnavailableError("away")

    store = dynamo.store(before)
    await store.open()
    is_away = True
    assert await listed(store) == []
    dynamo.pass_time(LOOK_EVERY + timedelta(seconds=1))
    reads: list[Callable[[], Any]] = [
        lambda: store.query(ALL, limit=1),
        lambda: store.due_alarms(dynamo.clock.now(), 1),
        lambda: store.next_alarm(dynamo.clock.now()),
        lambda: store.recoverable(limit=1),
    ]
    for read in reads:
        with pytest.raises(StorageError):
            await read()
    await start(store, dynamo, "still")  # what it knows is good enough to write by


async def test_a_clock_that_was_set_back_makes_a_host_look_again() -> None:
    dynamo = SimulatedDynamo(new_format(4))
    store = dynamo.store()
    await store.open()
    dynamo.write_format(new_format(4).reading(16).grown())
    dynamo.pass_time(timedelta(hours=-1))
    for number in range(50):
        await start(store, dynamo, f"i{number}")
    assert len(dynamo.parts("l")) > 4


async def test_an_alarm_that_is_set_again_goes_to_the_parts_of_now() -> None:
    dynamo = SimulatedDynamo(new_format(1))
    store = dynamo.store()
    await store.open()
    ids = [f"i{number}" for number in range(20)]
    for each in ids:
        await start(store, dynamo, each)
    assert dynamo.parts("w") == {"0"}
    dynamo.write_format(new_format(1).reading(16).grown())
    dynamo.pass_time(LOOK_EVERY + timedelta(seconds=1))
    await listed(store)
    for each in ids:
        later = dynamo.clock.now() + timedelta(minutes=9)
        await store.apply(Effects(instance_id=each, wake_at=later))
    assert len(dynamo.parts("w")) > 4
    assert dynamo.parts("l") == {"0"}
    assert await rung(dynamo.store(), dynamo) == {*ids}
