"""What only the DynamoDB store has to prove: lost answers, long records, hosts that come late."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from bindings.client import ReusePolicy, RuntimeStatus
from host.core.history import Batch, ContinueAsNew, EventRaised, ExecutionRewound
from host.core.records import ANYBODY, LET_GO, Envelope, Snapshot, StoredBatch
from host.errors import Conflict, StorageError, StorageUnavailableError
from host.storage.aws.table import bodies
from host.storage.aws.table.keys import BATCHES
from host.storage.aws.table.store import DynamoStore
from host.storage.aws.wire.transport import Failure, Request, Response, Transport, TransportError
from host.storage.protocol import Applied, Created, InstanceFilter
from tests.contract.builders import (
    COMPLETED,
    NOW,
    RUNNING,
    ManualClock,
    at,
    commit,
    effects,
    events,
    finished,
    instance,
    lease,
    message,
    parent,
    start,
    unawaited,
)
from tests.kit.dynamo_hub import DynamoHub, dynamo_client, dynamo_hub
from tests.kit.hub import until
from tests.kit.meddling_transports import LostAnswers, Meddler, TornReads
from tests.kit.recoverable import recoverable

pytestmark = pytest.mark.aws

REUSE = ReusePolicy.WHEN_FINISHED
NOISE = "".join(chr(0x4E00 + (n * 7919) % 20000) for n in range(300_000))
"""About a megabyte that hardly gets shorter by compression."""
BIG = json.dumps(NOISE, ensure_ascii=False)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def hub(aws_url: str, clock: ManualClock) -> AsyncIterator[DynamoHub]:
    """A hub on each server."""
    async with dynamo_hub(aws_url, clock) as hub:
        yield hub


async def whole(store: DynamoStore, instance_id: str = "i") -> Snapshot:
    found = await store.load(instance_id)
    assert found is not None
    return found


# ---- opening -----------------------------------------------------------------------------------


async def test_a_hub_that_was_never_created_is_refused_with_what_to_do(
    aws_url: str, hub: DynamoHub
) -> None:
    store = DynamoStore(dynamo_client(aws_url, hub.transport), "funchost-nowhere", hub.clock.now)
    with pytest.raises(StorageUnavailableError, match=r"funchost-nowhere.*funchost hub create"):
        await store.open()


async def test_a_table_of_a_newer_format_is_refused(hub: DynamoHub) -> None:
    item = {"pk": {"S": "hub"}, "sk": {"S": "format"}, "v": {"N": "4"}}
    body = {"TableName": hub.layout.table_name, "Item": item}
    await dynamo_client(hub.url, hub.transport).call("PutItem", body)
    with pytest.raises(StorageUnavailableError, match="newer version"):
        await hub.other_store().open()


# ---- two hosts at once ---------------------------------------------------------------------------

BEYOND: dict[str, dict[str, Any]] = {
    "an event with the row": {"row": instance(status=RUNNING, updated_at=at(5))},
    "an event": {},
    "an event, and tells another": {"messages": (Envelope("other", message("told")),)},
    "an event, and starts a child": {"starts": (start(),)},
}


@pytest.mark.parametrize("beyond", BEYOND.values(), ids=list(BEYOND))
async def test_a_turn_of_an_execution_that_was_over_and_gone_a_moment_ago_takes_nothing_along(
    hub: DynamoHub, beyond: dict[str, Any]
) -> None:
    await hub.store.create(instance(), REUSE)
    await hub.store.create(instance("other"), REUSE)
    await hub.store.commit(commit(row=instance(status=RUNNING)))
    behind = hub.other_store()
    await behind.load("i")
    ends = Batch(events=(ContinueAsNew(timestamp=NOW, input=None),))
    await hub.store.commit(commit(1, batch=ends))
    row = instance(
        "i", "e2", status=RUNNING, generation=1, updated_at=at(1), first_execution_id="e1"
    )
    begins = commit(execution_id="e2", row_execution_id="e1", row=row, drop_execution="e1")
    await hub.store.commit(begins)
    await hub.store.send("i", message("m1"))
    with pytest.raises(Conflict):
        await behind.commit(commit(1, consumed=("m1",), **beyond))
    assert [each.message_id for each in await hub.store.read_inbox("i")] == ["m1"]
    assert await hub.store.read_inbox("other") == ()
    assert await hub.store.get("child") is None


# ---- answers that get lost -----------------------------------------------------------------------


@pytest.fixture
def unlucky(hub: DynamoHub) -> DynamoStore:
    """The store of a host to which each answer comes only at the second attempt."""
    return hub.other_store(LostAnswers(hub.transport))


async def test_a_commit_whose_answer_was_lost_is_no_conflict(
    hub: DynamoHub, unlucky: DynamoStore
) -> None:
    assert await unlucky.create(instance(), ReusePolicy.NEVER) is Created.BEFORE
    turn = commit(
        row=finished(), starts=(start(),), messages=(Envelope("child", message("hello")),)
    )
    assert await unlucky.commit(turn) == Applied()
    assert await hub.store.get("i") == finished()
    assert [each.message_id for each in await hub.store.read_inbox("child")] == ["hello"]


async def test_another_hosts_batch_is_never_taken_for_the_own_one(
    hub: DynamoHub, unlucky: DynamoStore
) -> None:
    await hub.store.create(instance(), REUSE)
    await unlucky.load("i")
    await hub.store.commit(commit())
    with pytest.raises(Conflict):
        await unlucky.commit(commit())


async def test_long_records_survive_lost_answers(hub: DynamoHub, unlucky: DynamoStore) -> None:
    await unlucky.create(instance(input=BIG), REUSE)
    await unlucky.send("i", message(data=BIG))
    event = EventRaised(timestamp=NOW, name="big", input=BIG)
    batch = Batch(events=events(event), consumed=("m1",))
    running = instance(status=RUNNING, input=BIG, updated_at=at(1))
    await unlucky.commit(commit(batch=batch, row=running, consumed=("m1",)))
    assert (await whole(hub.store)).batches[0].batch == batch
    await unlucky.commit(commit(1, row=finished(input=BIG, output=BIG)))
    assert (await whole(hub.store)).instance == finished(input=BIG, output=BIG)
    assert await unlucky.purge("i") is True
    assert await items_of(hub) == []


async def test_what_is_planted_survives_lost_answers(hub: DynamoHub, unlucky: DynamoStore) -> None:
    batch = StoredBatch(execution_id="e1", number=0, batch=Batch(events=events()))
    row = instance("i", "e1", status=RUNNING, last_number=0)
    planted = Snapshot(instance=row, batches=(batch,), inbox=(message("m1"),), wake_at=at(9))
    await unlucky.plant(planted, leaves_work=True)
    assert await whole(hub.store) == planted
    assert not [each for each in await items_of(hub) if "planting" in str(each)]


async def test_a_finished_lease_survives_lost_answers(hub: DynamoHub, unlucky: DynamoStore) -> None:
    await unlucky.create(instance(), REUSE)
    await unlucky.commit(commit(leases=(lease(),)))
    assert await unlucky.renew_lease(lease(expires_s=60)) is True
    assert await unlucky.finish_lease(lease(expires_s=60), message()) is True
    snapshot = await whole(hub.store)
    assert (snapshot.leases, snapshot.inbox) == ((), (message(),))


@pytest.mark.parametrize("heir", [ANYBODY, LET_GO])
async def test_a_lease_is_handed_on_whose_answer_was_lost(
    hub: DynamoHub, unlucky: DynamoStore, heir: str
) -> None:
    """Who takes it for another's instead drops the result that he has under it."""
    await unlucky.create(instance(), REUSE)
    await unlucky.commit(commit(leases=(lease(),)))
    assert await unlucky.renew_lease(lease(expires_s=60), heir=heir) is True
    assert await unlucky.renew_lease(lease(expires_s=70), heir="host-b") is False
    assert (await whole(hub.store)).leases == (lease(owner=heir, expires_s=60),)


async def test_a_lease_that_another_host_handed_on_was_not_handed_on_here(
    hub: DynamoHub, unlucky: DynamoStore
) -> None:
    await unlucky.create(instance(), REUSE)
    await unlucky.commit(commit(leases=(lease(),)))
    assert await hub.store.renew_lease(lease(expires_s=50), heir=ANYBODY) is True
    assert await unlucky.renew_lease(lease(expires_s=60), heir=ANYBODY) is False


async def test_a_long_unawaited_activity_leaves_nothing_if_the_answer_to_its_end_was_lost(
    hub: DynamoHub, unlucky: DynamoStore
) -> None:
    left = unawaited(input_=BIG)
    await unlucky.create(instance(), REUSE)
    await unlucky.commit(commit(open_activities=1))
    await unlucky.commit(commit(1, row=finished(), unawaited=(left,), wake_at=at(10)))
    taken = msgspec.structs.replace(left.lease, owner="host-a", expires_at=at(60))
    assert await unlucky.take_lease(taken, NOW)
    assert await unlucky.finish_lease(taken, message()) is False  # nobody waits for it
    kept = [key for key in await items_of(hub) if "x#" in key]
    assert kept == []


# ---- long records --------------------------------------------------------------------------------


async def items_of(hub: DynamoHub, instance_id: str = "i") -> list[str]:
    """The sort keys of all that is stored of an instance."""
    answer = await dynamo_client(hub.url, hub.transport).call(
        "Query",
        {
            "TableName": hub.layout.table_name,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": f"i#{instance_id}"}},
            "ProjectionExpression": "sk",
        },
    )
    return [item["sk"]["S"] for item in answer["Items"]]


async def test_no_chunk_outlives_the_record_it_belongs_to(hub: DynamoHub) -> None:
    store = hub.store
    await store.create(instance(input=BIG), REUSE)
    for number in range(2):
        await store.send("i", message(f"m{number}", BIG))
    await store.load("i")
    batch = Batch(events=events(EventRaised(timestamp=NOW, name="big", input=BIG)))
    await store.commit(commit(batch=batch, consumed=("m0",)))
    await store.commit(
        commit(
            execution_id="e2",
            row_execution_id="e1",
            drop_execution="e1",
            row=instance(execution_id="e2", status=RUNNING, generation=1),
        )
    )
    assert [key[:2] for key in await items_of(hub) if not key.startswith("x#")] == [
        "m#",
        "me",
        "t#",
    ]
    await store.commit(commit(1, execution_id="e2", row=finished(execution_id="e2", generation=1)))
    assert [key[:2] for key in await items_of(hub)] == ["me", "t#", "t#"]


async def test_the_chunks_of_who_loses_are_deleted(hub: DynamoHub) -> None:
    store = hub.store
    await store.create(instance(), REUSE)
    await store.commit(commit())
    before = await items_of(hub)
    long = Batch(events=events(EventRaised(timestamp=NOW, name="big", input=BIG)))
    with pytest.raises(Conflict):
        await store.commit(commit(batch=long))
    await store.apply(effects(row=instance(input=BIG, updated_at=at(-1))))
    assert (
        await store.create(instance(execution_id="e2", input=BIG), ReusePolicy.KEEP) is Created.KEPT
    )
    assert await items_of(hub) == before


async def test_a_row_that_is_replaced_while_it_is_read_is_read_again(hub: DynamoHub) -> None:
    await hub.store.create(instance(input=BIG), REUSE)
    meddler = Meddler(hub.transport)
    new = instance(status=RUNNING, input=BIG, custom_status='"new"', updated_at=at(1))
    meddler.after["GetItem"] = lambda: hub.store.apply(effects(row=new))
    assert await hub.other_store(meddler).get("i") == new


async def test_what_stays_damaged_is_an_error(
    hub: DynamoHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hub.store.create(instance(input=BIG), REUSE)
    monkeypatch.setattr(bodies, "CHUNKS", "y#")
    with pytest.raises(StorageError, match="missing"):
        await hub.store.get("i")


# ---- hosts that come late ------------------------------------------------------------------------


async def test_a_host_that_was_away_loses_against_a_new_life_of_the_instance(
    hub: DynamoHub, clock: ManualClock
) -> None:
    late, other = hub.other_store(), hub.store
    await late.create(instance(), REUSE)
    await late.commit(commit())
    await other.apply(effects(row=finished()))
    await other.purge("i")
    await other.create(instance(execution_id="e9"), REUSE)
    clock.jump_to(at(11))
    with pytest.raises(Conflict):
        await late.commit(commit(1))
    assert (await whole(other)).batches == ()


async def test_a_host_that_stands_still_in_the_middle_of_a_write_loses_too(
    hub: DynamoHub, clock: ManualClock
) -> None:
    meddler = Meddler(hub.transport)
    late, other = hub.other_store(meddler), hub.store
    await late.create(instance(), REUSE)

    async def stand_still() -> None:
        await other.commit(commit())
        row = instance(execution_id="e2", status=RUNNING, generation=1)
        await other.commit(
            commit(execution_id="e2", row_execution_id="e1", drop_execution="e1", row=row)
        )
        clock.jump_to(at(60))

    meddler.before["PutItem"] = stand_still
    with pytest.raises(Conflict):
        await late.commit(commit(consumed=("m1",), messages=(Envelope("i", message("m2")),)))
    snapshot = await whole(other)
    assert [stored.execution_id for stored in snapshot.batches] == ["e2"]
    assert snapshot.inbox == ()


async def test_a_first_batch_that_others_built_on_before_its_writer_looked_again_stays(
    hub: DynamoHub, clock: ManualClock
) -> None:
    meddler = Meddler(hub.transport)
    late, other = hub.other_store(meddler), hub.store
    await late.create(instance(), REUSE)
    await late.commit(commit())
    row = instance(execution_id="e2", status=RUNNING, generation=1)

    async def stand_still() -> None:
        await other.load("i")
        await other.apply(effects(row=row))
        await other.commit(commit(1, execution_id="e2"))
        clock.jump_to(at(60))

    meddler.after["PutItem"] = stand_still  # the batch is there, and the host does not hear of it
    await late.commit(commit(execution_id="e2", row_execution_id="e1", row=row))
    snapshot = await whole(other)
    assert [(x.execution_id, x.number) for x in snapshot.batches if x.execution_id == "e2"] == [
        ("e2", 0),
        ("e2", 1),
    ]


async def test_a_row_that_moves_on_while_its_history_is_read_is_read_again(
    hub: DynamoHub,
) -> None:
    """DynamoDB gives a page of the old row, and then what is there by now."""
    await hub.store.create(instance(), REUSE)
    await hub.store.commit(commit())
    row = instance(execution_id="e2", status=RUNNING, generation=1)
    torn = TornReads(hub.transport)

    async def move_on() -> None:
        await hub.store.commit(
            commit(execution_id="e2", row_execution_id="e1", row=row, drop_execution="e1")
        )

    torn.between = move_on
    assert await hub.other_store(torn).load("i") == await hub.store.load("i")
    assert torn.between is None


async def test_a_host_that_knew_an_earlier_life_takes_the_leases_of_the_new_one(
    hub: DynamoHub,
) -> None:
    late, other = hub.other_store(), hub.store
    await late.create(instance(), REUSE)
    await late.apply(effects(row=finished()))
    await other.create(instance(execution_id="e9"), REUSE)
    handed_out = lease(owner=ANYBODY, execution_id="e9")
    await other.commit(commit(execution_id="e9", leases=(handed_out,)))
    assert await late.take_lease(lease(owner="host-b", execution_id="e9"), at(1)) is True
    assert [each.owner for each in (await whole(other)).leases] == ["host-b"]


async def test_an_execution_that_continued_as_new_leaves_no_item_behind(hub: DynamoHub) -> None:
    await hub.store.create(instance(), REUSE)
    await hub.store.commit(commit(leases=(lease(),)))
    assert await hub.store.claim_lease(lease(1), 0) is True
    row = instance(execution_id="e2", status=RUNNING, generation=1)
    await hub.store.commit(
        commit(execution_id="e2", row_execution_id="e1", row=row, drop_execution="e1")
    )
    assert await items_of(hub) == ["meta", "t#e2#0000000000"]


async def test_what_a_late_host_says_of_the_alarm_does_not_count(hub: DynamoHub) -> None:
    late, other = hub.other_store(), hub.store
    await late.create(instance(), REUSE)
    await late.commit(commit(wake_at=at(10)))
    await other.load("i")
    await other.commit(commit(1, wake_at=at(20)))
    await late.apply(effects(wake_at=None))
    await late.apply(effects(wake_at=at(99), row=instance(status=RUNNING, updated_at=at(5))))
    snapshot = await whole(other)
    assert snapshot.wake_at == at(20)
    assert snapshot.instance.updated_at == at(5)
    await other.apply(effects(wake_at=at(30)))
    assert (await whole(other)).wake_at == at(30)


async def test_a_late_host_of_an_earlier_execution_does_not_touch_the_alarm(
    hub: DynamoHub,
) -> None:
    late, other = hub.other_store(), hub.store
    await late.create(instance(), REUSE)
    await late.commit(commit(wake_at=at(10)))
    await other.load("i")
    row = instance(execution_id="e2", status=RUNNING, generation=1)
    turn = commit(execution_id="e2", row_execution_id="e1", row=row, wake_at=at(20))
    await other.commit(turn)
    await late.apply(effects(wake_at=None, row=instance(status=RUNNING, updated_at=at(5))))
    snapshot = await whole(other)
    assert (snapshot.instance, snapshot.wake_at) == (row, at(20))


async def test_a_late_host_of_before_a_rewind_does_not_touch_the_alarm(hub: DynamoHub) -> None:
    late, other = hub.other_store(), hub.store
    await late.create(instance(), REUSE)
    await late.commit(commit(wake_at=at(10)))
    await other.load("i")
    failed = instance(status=RuntimeStatus.FAILED, last_number=1, updated_at=at(5))
    await other.commit(commit(1, row=failed, wake_at=None))
    batch = Batch(events=(ExecutionRewound(timestamp=NOW, cut=1, last_task_id=0),))
    row = instance(status=RUNNING, last_number=2, updated_at=at(6), rewinds=1)
    await other.commit(commit(2, batch=batch, row=row, wake_at=at(20)))
    await late.apply(effects(wake_at=None, row=instance(status=RUNNING, updated_at=at(99))))
    await late.apply(effects(wake_at=at(99)))
    snapshot = await whole(other)
    assert (snapshot.instance, snapshot.wake_at) == (row, at(20))


async def test_nothing_of_an_earlier_life_shows_in_a_later_one(hub: DynamoHub) -> None:
    late, other = hub.other_store(), hub.store
    await late.create(instance(), REUSE)
    meddler = Meddler(hub.transport)
    sender = hub.other_store(meddler)

    async def replace() -> None:
        await other.apply(effects(row=finished()))
        await other.create(instance(execution_id="e9"), REUSE)

    meddler.after["Query"] = replace  # between the sender's look and its write
    await sender.send("i", message("for the old one"))
    await late.apply(effects(leases=(lease(),)))
    await late.commit(commit())
    assert await whole(other) == Snapshot(instance=instance(execution_id="e9"))
    assert list(await other.read_inbox("i")) == []
    assert (await other.query(InstanceFilter(), limit=9)).instances[0].status.name == "PENDING"
    await other.send("i", message("for the old one"))
    assert len(await other.read_inbox("i")) == 1


async def test_messages_for_who_has_just_finished_are_not_seen(hub: DynamoHub) -> None:
    meddler = Meddler(hub.transport)
    sender = hub.other_store(meddler)
    await hub.store.create(instance(), REUSE)
    meddler.after["Query"] = lambda: hub.store.commit(commit(row=finished()))
    await sender.send("i", message())
    assert (await whole(hub.store)).inbox == ()
    assert list(await hub.store.read_inbox("i")) == []


async def test_a_start_that_others_race_with_ends_with_one_instance(hub: DynamoHub) -> None:
    meddler = Meddler(hub.transport)
    child = start().instance

    async def be_first() -> None:
        await hub.store.create(instance("child", "other"), REUSE)
        await hub.store.apply(effects("child", row=finished("child", "other")))

    await hub.store.create(instance(), REUSE)
    meddler.before["PutItem"] = be_first
    late = hub.other_store(meddler)
    assert await late.apply(effects(starts=(start(),))) == Applied()
    assert await whole(hub.store, "child") == Snapshot(instance=child)


async def test_what_leaves_an_instance_goes_before_its_row_says_that_it_is_finished(
    hub: DynamoHub,
) -> None:
    await hub.store.create(instance("p"), REUSE)
    await hub.store.create(instance(parent=parent(0, "p")), REUSE)
    meddler = Meddler(hub.transport)
    dying = hub.other_store(meddler)

    async def die() -> None:
        raise TransportError(Failure.NOT_CONNECTED, "dead")

    meddler.before["UpdateItem"] = die
    turn = commit(row=finished(parent=parent(0, "p")), messages=(Envelope("p", message("end")),))
    await dying.load("i")
    await dying.commit(turn)  # the second attempt comes through
    assert [each.message_id for each in await hub.store.read_inbox("p")] == ["end"]


# ---- recovery and listing ------------------------------------------------------------------------


class StopsAfterBatches:
    """The way to the server of a host that stands still as soon as a batch is there."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.stored = 0
        self.goes_on = asyncio.Event()

    async def __call__(self, request: Request) -> Response:
        response = await self._transport(request)
        is_put = request.headers["x-amz-target"].endswith(".PutItem")
        if is_put and f'"{BATCHES}'.encode() in request.body:
            self.stored += 1
            await self.goes_on.wait()
        return response


async def test_who_stops_between_a_batch_and_its_effects_leaves_something_to_recover(
    hub: DynamoHub,
) -> None:
    rows = {name: instance(name) for name in ("alarm", "end", "send", "start", "idle")}
    for row in rows.values():
        await hub.store.create(row, REUSE)
    way = StopsAfterBatches(hub.transport)
    stopped = hub.other_store(way)
    turns = [
        commit(instance_id="alarm", wake_at=at(60)),
        commit(instance_id="end", row=finished("end")),
        commit(instance_id="send", messages=(Envelope("idle", message()),)),
        commit(instance_id="start", starts=(start(),)),
    ]
    commits = [asyncio.create_task(stopped.commit(turn)) for turn in turns]
    await until(lambda: way.stored == len(turns))
    await hub.store.commit(commit(instance_id="idle"))
    assert sorted(await recoverable(hub.store)) == ["alarm", "end", "send", "start"]
    await hub.other_store().load("alarm")
    way.goes_on.set()
    await asyncio.gather(*commits)
    assert "alarm" not in await recoverable(hub.store)
    assert "end" not in await recoverable(hub.store)


async def test_a_listing_by_status_reads_only_rows_that_match(hub: DynamoHub) -> None:
    for n in range(20):
        await hub.store.create(instance(f"i{n}"), REUSE)
    await hub.store.apply(effects("i7", row=finished("i7")))
    hub.transport.operations.clear()
    filter_ = InstanceFilter(statuses=frozenset({COMPLETED, RuntimeStatus.FAILED}))
    page = await hub.store.query(filter_, limit=5)
    assert [row.instance_id for row in page.instances] == ["i7"]
    assert (hub.transport.operations["GetItem"], page.token) == (1, None)


async def test_an_instance_whose_turns_follow_each_other_is_not_read_again(
    hub: DynamoHub, clock: ManualClock
) -> None:
    await hub.store.create(instance(), REUSE)
    await hub.store.load("i")
    hub.transport.operations.clear()
    for number in range(5):
        await hub.store.commit(commit(number))
    assert hub.transport.operations == {"PutItem": 5}
    clock.jump_to(at(11))
    await hub.store.commit(commit(5))
    assert hub.transport.operations == {"PutItem": 6, "GetItem": 1}
