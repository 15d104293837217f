"""The contract of named records: kept by kind and key, changed by who saw the last change."""

import asyncio

from bindings.client import ReusePolicy
from host.storage.protocol import HubStore, InstanceFilter, NamedRecord
from tests.contract.builders import at, instance
from tests.kit.recoverable import recoverable


def record(key: str = "k", stamp: str = "1", data: bytes = b"x", kind: str = "job") -> NamedRecord:
    return NamedRecord(kind=kind, key=key, stamp=stamp, data=data)


async def test_a_record_is_found_by_kind_and_key_as_it_was_put_last(store: HubStore) -> None:
    assert await store.record("job", "k") is None
    await store.put_record(record())
    await store.put_record(record(stamp="2", data=b"\x00\xff"))
    assert await store.record("job", "k") == record(stamp="2", data=b"\x00\xff")
    assert await store.record("host", "k") is None
    assert await store.record("job", "K") is None


async def test_a_first_record_is_stored_only_where_there_is_none(store: HubStore) -> None:
    assert await store.change_record(record(), after=None) is True
    assert await store.change_record(record(stamp="2"), after=None) is False
    assert await store.record("job", "k") == record()


async def test_a_change_is_made_only_by_who_saw_the_last_one(store: HubStore) -> None:
    await store.put_record(record())
    assert await store.change_record(record(stamp="2", data=b"y"), after="1") is True
    assert await store.change_record(record(stamp="3", data=b"z"), after="1") is False
    assert await store.record("job", "k") == record(stamp="2", data=b"y")


async def test_a_record_that_is_gone_is_not_changed(store: HubStore) -> None:
    assert await store.change_record(record(stamp="2"), after="1") is False
    assert await store.record("job", "k") is None


async def test_the_same_change_again_is_still_true_for_an_answer_may_have_been_lost(
    store: HubStore,
) -> None:
    for _ in range(2):
        assert await store.change_record(record(), after=None) is True
    for _ in range(2):
        assert await store.change_record(record(stamp="2"), after="1") is True


async def test_of_many_changes_at_once_one_is_made(store: HubStore) -> None:
    await store.put_record(record(stamp="0"))
    changes = [store.change_record(record(stamp=f"{n}"), after="0") for n in range(1, 9)]
    answers = await asyncio.gather(*changes)
    assert answers.count(True) == 1
    assert await store.record("job", "k") == record(stamp=f"{answers.index(True) + 1}")


async def test_what_is_removed_is_gone_and_may_be_removed_again(store: HubStore) -> None:
    await store.put_record(record())
    await store.put_record(record("l"))
    for _ in range(2):
        await store.remove_record("job", "k")
    assert await store.record("job", "k") is None
    assert await store.record("job", "l") == record("l")


async def test_a_record_is_removed_only_by_who_saw_the_last_change(store: HubStore) -> None:
    await store.put_record(record(stamp="2"))
    assert await store.remove_record("job", "k", after="1") is False
    assert await store.record("job", "k") == record(stamp="2")
    for _ in range(2):
        assert await store.remove_record("job", "k", after="2") is True
    assert await store.record("job", "k") is None


async def test_the_records_of_a_kind_come_in_order_page_by_page(store: HubStore) -> None:
    keys = [f"{n:02}" for n in range(7)] + ["a", "ü", "\U0001f600"]
    for key in reversed(keys):
        await store.put_record(record(key))
        await store.put_record(record(key, kind="host"))
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = await store.records("job", after=after, limit=3)
        assert {each.kind for each in page.records} <= {"job"}
        assert len(page.records) <= 3
        found += [each.key for each in page.records]
        after = page.rest
    assert found == keys


async def test_a_kind_without_records_has_an_empty_page(store: HubStore) -> None:
    await store.put_record(record(kind="jobs"))
    page = await store.records("job")
    assert (page.records, page.rest) == ((), None)


async def test_a_record_may_be_as_large_as_is_promised(store: HubStore) -> None:
    large = record(data=bytes(range(256)) * 1024)
    assert await store.change_record(large, after=None) is True
    assert await store.record("job", "k") == large


async def test_a_record_is_no_instance(store: HubStore) -> None:
    await store.create(instance(), ReusePolicy.NEVER)
    await store.put_record(record("i"))
    page = await store.query(InstanceFilter(), limit=9)
    assert [row.instance_id for row in page.instances] == ["i"]
    assert await recoverable(store) == ["i"]
    assert list(await store.due_alarms(at(999), 9)) == []


async def test_a_new_hub_says_when_it_was_made(store: HubStore) -> None:
    assert await store.made_at() is not None
