"""The layout of a hub's table: keys that sort as they must, records that come back as they went."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindings.client import RuntimeStatus
from host.core import codec
from host.core.codec import CodecError
from host.core.history import Batch
from host.core.records import Envelope
from host.storage.aws.table import bodies, items, keys
from host.storage.aws.table.bodies import Body, ChunksMissingError
from host.storage.aws.table.keys import BatchKey, Item
from host.storage.aws.table.marks import Marks, leave_work, marks_of
from host.storage.aws.table.placing import Placing
from tests.contract.builders import (
    NOW,
    at,
    commit,
    continue_as_new,
    events,
    finished,
    instance,
    lease,
    message,
    parent,
    start,
)

IDS = st.text(min_size=1, max_size=256).filter(lambda text: text.isprintable())
PLACING = Placing("0", is_by_state=True)
OLDER = Placing("0", is_by_state=False)
NOISE = "".join(chr(0x4E00 + (n * 7919) % 20000) for n in range(300_000))


def stored(item: Mapping[str, Any]) -> Item:
    """The item as the table gives it back: JSON, bytes as base64."""
    found: Item = json.loads(msgspec.json.encode(item))
    return found


def chunks_stored(body: Body) -> dict[str, Item]:
    """The body's chunks as the table gives them back, by sort key."""
    read = [stored(item) for item in body.chunk_items("i", "e1", datetime(2026, 1, 1, tzinfo=UTC))]
    return {keys.sort_key_of(item): item for item in read}


# ---- keys ----------------------------------------------------------------------------------------


@given(IDS, IDS)
def test_all_of_an_instance_lies_in_the_order_in_which_it_must_be_read(
    one: str, other: str
) -> None:
    leases = keys.lease_key(lease(execution_id=one))
    batches = keys.batch_sort_key(BatchKey(other, 0))
    chunk = bodies.Chunks("token", 1).sort_keys[0]
    found = [leases, keys.message_key(other, 7), keys.META, batches, chunk]
    assert found == sorted(found)


@given(IDS)
def test_a_prefix_and_its_end_enclose_just_the_keys_of_its_kind(some_id: str) -> None:
    found = {
        keys.LEASES: keys.lease_key(lease(execution_id=some_id)),
        keys.MESSAGES: keys.message_key(some_id, 7),
        keys.BATCHES: keys.batch_sort_key(BatchKey(some_id, 7)),
        keys.CHUNKS: bodies.Chunks(some_id, 1).sort_keys[0],
    }
    for prefix in found:
        end = keys.end_of(prefix)
        assert [kind for kind, key in found.items() if prefix <= key < end] == [prefix]
        assert not prefix <= keys.META < end


def test_batches_lie_in_order_of_their_numbers() -> None:
    found = [keys.batch_sort_key(BatchKey("e", n)) for n in (0, 1, 2, 9, 10, 11, 99, 100, 2**31)]
    assert found == sorted(found)


@given(st.lists(st.datetimes(datetime(1970, 1, 1), datetime(2286, 1, 1)), min_size=2))
def test_moments_lie_in_order_of_time(moments: list[datetime]) -> None:
    aware = sorted(moment.replace(tzinfo=UTC) for moment in moments)
    found = [keys.indexed(moment, "i") for moment in aware]
    assert found == sorted(found)


def test_moments_beyond_all_hubs_are_cut_off() -> None:
    assert keys.sortable(-5) == keys.sortable(0)
    assert keys.sortable(10**18) == keys.LATEST


@given(IDS, IDS, st.sampled_from([PLACING, OLDER]))
def test_no_key_is_longer_than_the_table_allows(some_id: str, name: str, placing: Placing) -> None:
    row = instance(some_id, name=name * 9, scheduled_start_at=at(5))
    item = items.new_row(row, items.row_body(row, "token"), placing)
    for key in {"l", "ls", "u", "us", "w", "ws"} & item.keys():
        assert len(keys.read_text(item, key).encode()) <= 1024
    assert keys.id_of(item) == some_id


def test_the_longest_id_still_has_its_place_in_every_index() -> None:
    row = instance("🐍" * 256, scheduled_start_at=at(5))
    item = stored(items.new_row(row, items.row_body(row, "token"), PLACING))
    assert keys.id_of(item) == row.instance_id
    assert items.alarm_of(item) == at(5)
    assert len(item["ls"]["S"].encode()) <= 1024


@pytest.mark.parametrize("parts", [1, 4, 7, 64])
def test_instances_are_spread_over_all_partitions_of_an_index(parts: int) -> None:
    found = {keys.part_of(f"instance-{n}", parts) for n in range(1000)}
    assert found == {*keys.part_names(parts)}


# ---- records -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        instance("ü%", tags={"a": "1"}, parent=parent(3)),
        finished(generation=7, output='"x"'),
        instance(scheduled_start_at=at(9), input=json.dumps("ä" * 5000)),
    ],
)
def test_a_row_comes_back_as_it_went(row: Any) -> None:
    item = stored(items.new_row(row, items.row_body(row, "token"), PLACING))
    assert items.row_of(item, {}) == row
    assert items.run_of(item) == row.execution_id
    assert items.status_of(item) is row.status
    assert items.alarm_of(item) == row.scheduled_start_at


def test_a_row_says_what_the_index_of_the_listing_holds() -> None:
    row = instance(status=RuntimeStatus.SUSPENDED, name="f")
    item = items.row_attributes(row, Body(b""))
    assert (item["st"], item["fn"]) == ({"S": "Suspended"}, {"S": "f"})


def test_messages_batches_and_leases_come_back_as_they_went() -> None:
    mail = message("e1.7", '"hello"')
    body = bodies.make_body(codec.encode(mail), "token")
    item = stored(items.message_item("i", mail.message_id, "e1", 5, body))
    assert items.message_of(item, {}) == mail
    batch = Batch(events=events(), consumed=("m1",))
    body = bodies.make_body(codec.encode(batch), "token")
    item = stored(items.batch_item("i", BatchKey("e#1", 12), "e1", body, marks=0, write_id="w"))
    found = items.batch_of(item, {})
    assert (found.execution_id, found.number, found.batch) == ("e#1", 12, batch)
    assert items.lease_of(stored(items.lease_item(lease(3), "e1")), {}) == lease(3)


# ---- bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x01" + b"a" * 10_000, b"\x01z" * 400])
def test_packed_bytes_come_back(data: bytes) -> None:
    assert bodies.unpack(bodies.pack(data)) == data


def test_bytes_are_compressed_when_that_pays() -> None:
    assert len(bodies.pack(b"\x01" + b"a" * 10_000)) < 200
    noise = bytes((n * n * 7919 >> 5) % 251 for n in range(50))
    assert bodies.pack(noise) is noise


def test_damaged_bytes_are_recognised() -> None:
    with pytest.raises(CodecError):
        bodies.unpack(b"z damaged")


def test_a_long_record_lies_in_chunks_that_its_item_names() -> None:
    mail = message(data=json.dumps(NOISE))
    body = bodies.make_body(codec.encode(mail), "token")
    item = stored(items.message_item("i", "m1", "e1", 5, body))
    chunks = chunks_stored(body)
    assert "d" not in item
    assert len(chunks) > 1
    assert all(len(msgspec.json.encode(chunk)) < 540_000 for chunk in chunks.values())
    assert items.message_of(item, chunks) == mail
    chunks.popitem()
    with pytest.raises(ChunksMissingError):
        items.message_of(item, chunks)


def test_a_row_is_kept_short_since_it_is_written_often() -> None:
    row = instance(input=json.dumps(NOISE[:20_000]))
    body = items.row_body(row, "token")
    item = stored(items.new_row(row, body, PLACING))
    assert len(msgspec.json.encode(item)) < 1000
    assert items.row_of(item, chunks_stored(body)) == row


# ---- marks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("turn", "marks"),
    [
        (commit(), Marks.NOTHING),
        (commit(wake_at=None, consumed=("m1",)), Marks.NOTHING),
        (commit(row=instance()), Marks.NOTHING),
        (commit(open_activities=2), Marks.WORK),
        (commit(batch=Batch(events=events(continue_as_new()))), Marks.WORK),
        (commit(row=finished()), Marks.EFFECTS),
        (commit(starts=(start(),)), Marks.EFFECTS),
        (commit(messages=(Envelope("j", message()),), wake_at=NOW), Marks.EFFECTS | Marks.ALARM),
    ],
)
def test_a_batch_says_what_follows_from_it(turn: Any, marks: Marks) -> None:
    assert marks_of(turn) == marks


@pytest.mark.parametrize(
    ("set_by", "is_left"),
    [
        (None, True),
        (BatchKey("e1", 3), True),
        (BatchKey("e1", 4), False),
        (BatchKey("e2", 9), True),
    ],
)
def test_an_alarm_is_left_to_do_until_its_turn_has_set_it(
    set_by: BatchKey | None, is_left: bool
) -> None:
    body = bodies.make_body(b"\x01", "token")
    batch = items.batch_item("i", BatchKey("e1", 4), "e1", body, marks=Marks.ALARM, write_id="w")
    row = items.new_row(instance(), body, PLACING)
    if set_by is not None:
        row |= {"ax": keys.text(set_by.execution_id), "an": keys.number(set_by.number)}
    assert leave_work([batch], row) is is_left
