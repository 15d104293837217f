"""What was accepted first comes first, by whichever hosts, however their clocks are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bindings.client import ReusePolicy
from host.core import codec, history
from host.core.records import Envelope, Message
from host.storage.aws.table.bodies import make_body
from host.storage.aws.table.hub_table import within
from host.storage.aws.table.items import message_item
from host.storage.aws.table.keys import MESSAGES, key_of
from host.storage.aws.table.store import DynamoStore
from host.storage.protocol import HubStore
from tests.contract import builders as b
from tests.kit.dynamo_hub import DynamoHub, dynamo_hub

SKEWS_S = [0.3, -0.3, 86_400.0, -86_400.0]


@pytest.fixture
async def hub(moto_url: str) -> AsyncIterator[DynamoHub]:
    async with dynamo_hub(moto_url, b.ManualClock()) as opened:
        await opened.store.create(b.instance(), ReusePolicy.NEVER)
        yield opened


def host_with_clock(hub: DynamoHub, skew_s: float) -> DynamoStore:
    """Another host's store; its clock is off by so much."""
    return hub.other_store(now=lambda: hub.clock.now() + timedelta(seconds=skew_s))


def time_passes(hub: DynamoHub, seconds: float) -> None:
    hub.clock.jump(timedelta(seconds=seconds))


async def ids_of(store: HubStore) -> list[str]:
    return [each.message_id for each in await store.read_inbox("i")]


@pytest.mark.parametrize("skew_s", SKEWS_S)
async def test_found_a18_messages_through_two_hosts_arrive_in_order_of_acceptance(
    hub: DynamoHub, skew_s: float
) -> None:
    hosts = [hub.store, host_with_clock(hub, skew_s)]
    sent = [f"m{number}" for number in (5, 3, 8, 1, 9, 2)]
    for number, message_id in enumerate(sent):
        await hosts[number % 2].send("i", b.message(message_id))
        time_passes(hub, 0.1)
    assert await ids_of(hub.store) == sent
    snapshot = await hub.store.load("i")
    assert snapshot is not None
    assert [each.message_id for each in snapshot.inbox] == sent


@pytest.mark.parametrize("skew_s", SKEWS_S)
async def test_found_a18_a_host_whose_clock_is_moved_sends_in_order(
    hub: DynamoHub, skew_s: float
) -> None:
    await hub.store.send("i", b.message("first"))
    time_passes(hub, skew_s)
    await hub.store.send("i", b.message("second"))
    await host_with_clock(hub, -2 * skew_s).send("i", b.message("third"))
    assert await ids_of(hub.store) == ["first", "second", "third"]


@pytest.mark.parametrize("skew_s", SKEWS_S)
async def test_found_a18_what_turns_and_activities_send_is_in_order_too(
    hub: DynamoHub, skew_s: float
) -> None:
    other = host_with_clock(hub, skew_s)
    lease = b.lease()
    await hub.store.commit(b.commit(leases=(lease,), open_activities=1))
    await other.send("i", b.message("event"))
    result = Message(
        message_id="e1.0.result",
        event=history.TaskCompleted(timestamp=b.NOW, task_id=0, result="1"),
    )
    assert await hub.store.finish_lease(lease, result)
    await other.apply(
        b.effects("sender", messages=tuple(Envelope("i", b.message(x)) for x in ("s1", "s2", "s3")))
    )
    await hub.store.send("i", b.message("last"))
    assert await ids_of(hub.store) == ["event", "e1.0.result", "s1", "s2", "s3", "last"]


async def test_found_a18_the_same_message_again_keeps_its_place(hub: DynamoHub) -> None:
    for message_id in ("m1", "m2", "m1", "m3", "m2"):
        await host_with_clock(hub, -1.0).send("i", b.message(message_id))
    assert await ids_of(hub.store) == ["m1", "m2", "m3"]
    await hub.store.apply(b.effects(consumed=("m1", "m2")))
    assert await ids_of(hub.store) == ["m3"]


async def test_found_a18_who_forgot_where_messages_lie_deletes_them_all_the_same(
    hub: DynamoHub,
) -> None:
    long = b.message("long", '"' + "x" * 900_000 + '"')
    await hub.store.send("i", long)
    await hub.store.send("i", b.message("m1"))
    await hub.store.send("i", b.message("m2"))
    assert await ids_of(hub.store) == ["long", "m1", "m2"]
    await hub.other_store().apply(b.effects(consumed=("m1", "long")))
    assert await ids_of(hub.store) == ["m2"]


async def test_found_a18_messages_of_an_older_version_are_read_and_deleted(hub: DynamoHub) -> None:
    old = b.message("0ld")
    body = make_body(codec.encode(old), "token")
    item = message_item("i", "0ld", "e1", 5, body) | key_of("i", "m#0ld")
    await hub.table.write_all(puts=[item])
    await hub.store.send("i", b.message("new"))
    assert await ids_of(hub.store) == ["0ld", "new"]
    await hub.store.apply(b.effects(consumed=("0ld",)))
    assert await ids_of(hub.store) == ["new"]


async def test_found_a18_a_reader_who_sees_an_order_sees_all_before_it(hub: DynamoHub) -> None:
    """Whoever reads in pages meets the newest first, so nothing can be put behind it."""
    for number in range(6):
        await hub.store.send("i", b.message(f"m{number}"))
    items = await hub.table.query_all(within("i", MESSAGES))
    arrivals = [int(item["at"]["N"]) for item in items if "at" in item]
    assert arrivals == sorted(arrivals, reverse=True)


async def test_found_a18_orders_that_race_are_all_there(hub: DynamoHub) -> None:
    hosts = [host_with_clock(hub, skew_s) for skew_s in SKEWS_S]
    await asyncio.gather(*(host.send("i", b.message(f"m{n}")) for n, host in enumerate(hosts * 5)))
    assert sorted(await ids_of(hub.store)) == sorted(f"m{n}" for n in range(20))
