"""What cannot be read of one instance is an error of that instance, and of no other."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from bindings.client import ReusePolicy, RuntimeStatus
from bindings.errors import InstanceAlreadyExistsError, InstanceStateError
from host.core.history import Batch, EventRaised
from host.core.records import Envelope, Instance
from host.errors import DamagedDataError
from host.storage.aws.table.keys import BATCHES, CHUNKS, LEASES, MESSAGES, META, Value
from host.storage.protocol import Applied, Created, InstanceFilter
from tests.contract.builders import (
    COMPLETED,
    NOW,
    PENDING,
    RUNNING,
    ManualClock,
    at,
    commit,
    continue_as_new,
    effects,
    events,
    finished,
    instance,
    lease,
    message,
    start,
)
from tests.kit.dynamo_hub import DynamoHub, dynamo_client, dynamo_hub
from tests.kit.hand_written import HandWritten
from tests.kit.meddling_transports import Meddler
from tests.kit.recoverable import recoverable

pytestmark = pytest.mark.aws

REUSE = ReusePolicy.WHEN_FINISHED
BIG = json.dumps("".join(chr(0x4E00 + (n * 7919) % 20000) for n in range(300_000)))
"""What lies in several chunks even when it is compressed."""


Damage = Mapping[str, Value | None]


def binary(data: bytes) -> dict[str, str]:
    return {"B": base64.b64encode(data).decode()}


UNREADABLE: Mapping[str, Damage] = {
    "garbage": {"d": binary(b"\x02garbage, written by hand")},
    "nothing": {"d": binary(b"")},
    "cut off": {"d": binary(b"z\x78\x9c")},
    "a newer format": {"d": binary(b"\x63whatever that means")},
    "no bytes": {"d": None},
    "a text": {"d": {"S": "what is this?"}},
    "chunks nowhere": {"d": None, "c": {"S": "token"}},
    "too many chunks": {"d": None, "c": {"S": "token.123456789"}},
    "chunks that are gone": {"d": None, "c": {"S": "token.2"}},
}
"""What a record's bytes may be replaced by."""
each_damage = pytest.mark.parametrize("damage", UNREADABLE.values(), ids=UNREADABLE.keys())


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def hub(aws_url: str, clock: ManualClock) -> AsyncIterator[DynamoHub]:
    """A hub on each server, with an instance `i` that has something of everything."""
    async with dynamo_hub(aws_url, clock) as hub:
        await add(hub, "i")
        await hub.store.send("i", message())
        yield hub


@pytest.fixture
def table(hub: DynamoHub) -> HandWritten:
    """The hub's table, for writing by hand."""
    return HandWritten(dynamo_client(hub.url, hub.transport), hub.layout)


async def add(hub: DynamoHub, instance_id: str, **fields: Any) -> None:
    """An instance that took a turn and has a lease."""
    row = instance(instance_id, **fields)
    await hub.store.create(row, REUSE)
    await hub.store.commit(
        commit(instance_id=instance_id, leases=(lease(instance_id=instance_id),))
    )


async def listed(hub: DynamoHub, limit: int = 10, **fields: Any) -> Sequence[Instance]:
    page = await hub.store.query(InstanceFilter(**fields), limit=limit)
    return page.instances


def is_damaged(instance_id: str = "i", what: str = "") -> Any:
    return pytest.raises(DamagedDataError, match=f"'{instance_id}' is damaged .*{what}")


# ---- reading -----------------------------------------------------------------------------------


@each_damage
async def test_a_row_that_cannot_be_read_is_an_error_of_its_instance(
    hub: DynamoHub, table: HandWritten, damage: Damage
) -> None:
    await add(hub, "other")
    await table.change("i", META, damage)
    with is_damaged():
        await hub.store.get("i")
    with is_damaged():
        await hub.store.load("i")
    assert await hub.store.get("other") == instance("other", status=RUNNING)
    assert await hub.store.load("other") is not None


@each_damage
async def test_a_batch_that_cannot_be_read_is_an_error_of_its_instance(
    hub: DynamoHub, table: HandWritten, damage: Damage
) -> None:
    await table.change("i", BATCHES, damage)
    with is_damaged():
        await hub.store.load("i")
    assert await hub.store.get("i") == instance(status=RUNNING)
    assert await hub.store.read_inbox("i") == (message(),)


@each_damage
async def test_a_message_that_cannot_be_read_is_an_error_of_its_addressee(
    hub: DynamoHub, table: HandWritten, damage: Damage
) -> None:
    await table.change("i", MESSAGES, damage)
    with is_damaged():
        await hub.store.load("i")
    with is_damaged():
        await hub.store.read_inbox("i")
    assert await hub.store.get("i") == instance(status=RUNNING)


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        (LEASES, {"ow": None}),
        (LEASES, {"ex": {"N": "1e30"}}),
        (LEASES, {"ex": {"N": "9" * 30}}),
        (MESSAGES, {"at": {"S": "noon"}}),
        (BATCHES, {"r": None}),
        (META, {"st": {"S": "Bored"}}),
        (META, {"x": None}),
        (META, {"ws": {"S": "tomorrow"}}),
    ],
)
async def test_attributes_that_make_no_sense_are_damage(
    hub: DynamoHub, table: HandWritten, kind: str, damage: Damage
) -> None:
    await table.change("i", kind, damage)
    with is_damaged():
        await hub.store.load("i")


async def test_an_item_of_a_kind_that_nobody_knows_is_damage(
    hub: DynamoHub, table: HandWritten
) -> None:
    await table.change("i", MESSAGES, {"sk": {"S": "z#by-hand"}})
    with is_damaged():
        await hub.store.load("i")


@pytest.mark.parametrize("kind", [META, BATCHES, MESSAGES])
async def test_the_error_says_what_cannot_be_read_and_that_a_newer_version_may_know_it(
    hub: DynamoHub, table: HandWritten, kind: str
) -> None:
    await table.change("i", kind, UNREADABLE["a newer format"])
    named = {META: "its row", BATCHES: "batch 0", MESSAGES: "a message to it"}[kind]
    with is_damaged(what=f"{named}: Unknown format 99, .* a newer version wrote it"):
        await hub.store.load("i")


@pytest.mark.parametrize("kind", [META, BATCHES, MESSAGES])
async def test_a_long_record_of_which_a_part_is_gone_is_damage(
    hub: DynamoHub, table: HandWritten, kind: str
) -> None:
    store, big = hub.store, instance("big", input=BIG if kind == META else "1")
    await store.create(big, REUSE)
    event = EventRaised(timestamp=NOW, name="big", input=BIG if kind == BATCHES else "1")
    await store.commit(commit(instance_id="big", batch=Batch(events=events(event))))
    await store.send("big", message(data=BIG if kind == MESSAGES else "1"))
    await table.delete("big", CHUNKS)
    with is_damaged("big", what="missing"):
        await store.load("big")
    with is_damaged("big", what="missing"):
        await (store.get if kind == META else store.load)("big")
    if kind == MESSAGES:
        with is_damaged("big", what="missing"):
            await store.read_inbox("big")


async def test_a_history_with_a_gap_is_damage(hub: DynamoHub, table: HandWritten) -> None:
    for number in (1, 2):
        await hub.store.commit(commit(number))
    await table.delete("i", f"{BATCHES}e1#0000000001")
    with is_damaged(what="a gap before batch 2.* or terminate it"):
        await hub.store.load("i")


async def test_a_gap_in_what_nothing_leads_to_any_more_is_none(
    hub: DynamoHub, table: HandWritten
) -> None:
    await hub.store.commit(commit(1, batch=Batch(events=events(continue_as_new()))))
    row = instance(execution_id="e2", status=RUNNING, generation=1)
    await hub.store.commit(commit(execution_id="e2", row_execution_id="e1", row=row))
    await table.delete("i", f"{BATCHES}e1#0000000000")
    snapshot = await hub.store.load("i")
    assert snapshot is not None
    assert [(each.execution_id, each.number) for each in snapshot.batches] == [("e1", 1), ("e2", 0)]


async def test_what_is_left_in_the_inbox_of_a_finished_instance_is_not_read(
    hub: DynamoHub, table: HandWritten
) -> None:
    await table.change("i", MESSAGES, UNREADABLE["garbage"])
    await table.change("i", META, {"st": {"S": "Completed"}})
    assert await hub.store.read_inbox("i") == ()


# ---- others ------------------------------------------------------------------------------------


async def test_who_sends_to_what_is_damaged_commits_all_the_same(
    hub: DynamoHub, table: HandWritten
) -> None:
    await add(hub, "sender")
    await table.change("i", META, {"st": None})
    turn = commit(1, instance_id="sender", messages=(Envelope("i", message("m2")),))
    assert await hub.store.commit(turn) == Applied(dropped=("m2",))
    with is_damaged():
        await hub.store.send("i", message("m3"))


async def test_a_message_to_a_damaged_instance_that_is_finished_is_refused(
    hub: DynamoHub, table: HandWritten
) -> None:
    await hub.store.apply(effects(row=finished()))
    await table.change("i", META, UNREADABLE["garbage"])
    with pytest.raises(InstanceStateError) as caught:
        await hub.store.send("i", message("m2"))
    assert caught.value.finished


async def test_a_message_reaches_an_instance_that_is_started_again_while_it_is_sent(
    hub: DynamoHub,
) -> None:
    await hub.store.apply(effects(row=finished()))
    meddler = Meddler(hub.transport)
    new = instance(execution_id="e9")
    meddler.after["Query"] = lambda: hub.store.create(new, REUSE)
    await hub.other_store(meddler).send("i", message("m2"))
    assert await hub.store.read_inbox("i") == (message("m2"),)


# ---- listings and recovery ---------------------------------------------------------------------


@each_damage
async def test_a_listing_shows_what_is_known_of_a_damaged_instance_and_why(
    hub: DynamoHub, table: HandWritten, damage: Damage
) -> None:
    await add(hub, "newer", created_at=at(1))
    await add(hub, "older", created_at=at(-1))
    await table.change("i", META, damage)
    rows = await listed(hub)
    assert [row.instance_id for row in rows] == ["newer", "i", "older"]
    assert rows[0] == instance("newer", created_at=at(1), status=RUNNING)
    shown = rows[1]
    assert (shown.name, shown.status, shown.created_at) == ("hello", RUNNING, NOW)
    assert "'i' is damaged (" in (shown.blocked_reason or "")


async def test_a_listing_goes_on_page_by_page_past_a_damaged_instance(
    hub: DynamoHub, table: HandWritten
) -> None:
    await add(hub, "newer", created_at=at(1))
    await add(hub, "older", created_at=at(-1))
    await table.change("i", META, UNREADABLE["garbage"])
    found, token = list[str](), None
    for _ in range(3):
        page = await hub.store.query(InstanceFilter(), limit=1, token=token)
        found += [row.instance_id for row in page.instances]
        token = page.token
    assert (found, token) == (["newer", "i", "older"], None)


@pytest.mark.parametrize(
    ("filters", "is_found"),
    [
        ({"statuses": frozenset({RUNNING})}, True),
        ({"statuses": frozenset({PENDING, COMPLETED})}, False),
        ({"names": frozenset({"hello"})}, True),
        ({"names": frozenset({"other"})}, False),
        ({"id_prefix": "i"}, True),
        ({"tags": {"a": "b"}}, False),
    ],
)
async def test_filters_go_by_what_is_known_of_a_damaged_instance(
    hub: DynamoHub, table: HandWritten, filters: dict[str, Any], is_found: bool
) -> None:
    await table.change("i", META, UNREADABLE["garbage"])
    assert [row.instance_id for row in await listed(hub, **filters)] == ["i"] * is_found


@pytest.mark.parametrize("damage", [{"st": {"S": "Bored"}}, {"st": None}, {"fn": None}])
async def test_a_listing_shows_an_instance_of_which_hardly_anything_is_known(
    hub: DynamoHub, table: HandWritten, damage: Damage
) -> None:
    await add(hub, "other")
    await table.change("i", META, damage)
    assert {row.instance_id: row.status for row in await listed(hub)} == {
        "i": RUNNING,
        "other": RUNNING,
    }


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        *((META, damage) for damage in UNREADABLE.values()),
        (META, {"r": None}),
        (META, {"st": {"S": "Bored"}}),
        (BATCHES, {"o": {"S": "everything"}}),
        (BATCHES, {"r": None}),
        (MESSAGES, {"r": None}),
    ],
)
async def test_recovery_finds_the_damaged_and_all_others(
    hub: DynamoHub, table: HandWritten, kind: str, damage: Damage
) -> None:
    await add(hub, "at-rest")
    for name in ("a", "z"):
        await hub.store.create(instance(name), REUSE)
    await table.change("i", kind, damage)
    assert sorted(await recoverable(hub.store)) == ["a", "i", "z"]


async def test_recovery_leaves_alone_what_is_damaged_and_finished(
    hub: DynamoHub, table: HandWritten
) -> None:
    await table.change("i", META, {"st": {"S": "Completed"}, **UNREADABLE["garbage"]})
    assert await recoverable(hub.store) == []


# ---- purging -----------------------------------------------------------------------------------


@each_damage
async def test_what_is_damaged_and_was_terminated_can_be_purged(
    hub: DynamoHub, table: HandWritten, damage: Damage
) -> None:
    await table.change("i", BATCHES, damage)
    ended = instance(status=RuntimeStatus.TERMINATED, updated_at=at(9))
    await hub.store.apply(effects(row=ended, wake_at=None))
    assert await hub.store.get("i") == ended
    assert await hub.store.purge("i", "e1") is True
    assert await table.keys("i") == []
    assert await hub.store.get("i") is None


@each_damage
@pytest.mark.parametrize("kind", [META, MESSAGES])
async def test_what_can_neither_be_led_nor_terminated_can_be_purged(
    hub: DynamoHub, table: HandWritten, kind: str, damage: Damage
) -> None:
    await table.change("i", kind, damage)
    assert await hub.store.purge("i", "another") is False
    with pytest.raises(DamagedDataError, match="or purge it, finished or not"):
        await hub.store.load("i")
    assert await hub.store.purge("i", "e1") is True
    assert await table.keys("i") == []


async def test_what_is_finished_can_be_purged_though_its_row_cannot_be_read(
    hub: DynamoHub, table: HandWritten
) -> None:
    await hub.store.apply(effects(row=finished()))
    await table.change("i", META, UNREADABLE["garbage"])
    assert await hub.store.purge("i", "e1") is True
    assert await table.keys("i") == []


async def test_what_can_be_terminated_is_not_purged_before(
    hub: DynamoHub, table: HandWritten
) -> None:
    await table.change("i", BATCHES, UNREADABLE["garbage"])
    with pytest.raises(InstanceStateError):
        await hub.store.purge("i")
    assert len(await table.keys("i")) == 4


async def test_a_start_on_the_id_of_a_damaged_instance_goes_by_what_is_known_of_it(
    hub: DynamoHub, table: HandWritten
) -> None:
    await add(hub, "starter")
    await table.change("i", META, UNREADABLE["garbage"])
    new = instance(execution_id="e9")
    with pytest.raises(InstanceAlreadyExistsError):
        await hub.store.create(new, REUSE)
    turn = commit(1, instance_id="starter", starts=(start("i"),))
    assert await hub.store.commit(turn) == Applied(refused_starts=("i",))
    assert await hub.store.create(new, ReusePolicy.REPLACE) is Created.NEW
    assert await hub.store.get("i") == new
