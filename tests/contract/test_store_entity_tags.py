"""The contract of entities' tags: a list finds an entity by those that its row has now."""

import asyncio

from host.core.records import Commit, EntityView, Instance
from host.storage.protocol import HubStore, InstanceFilter, Removal
from tests.contract.builders import NOW, RUNNING, ManualClock, at, instance
from tests.contract.test_store_entities import COUNTER, born, idle, ids, removed, signal, whole

ROME = {"town": "Rome", "size": ""}
PARIS = {"town": "Paris"}


def row_of(entity: Instance, number: int, tags: dict[str, str]) -> Instance:
    return instance(
        entity.instance_id,
        entity.execution_id,
        name=entity.name,
        status=RUNNING,
        updated_at=at(number + 1),
        last_number=number,
        input=None,
        entity=EntityView(has_state=True),
        tags=tags,
    )


def tagged(entity: Instance, number: int, tags: dict[str, str]) -> Commit:
    """A batch whose row has these tags."""
    return whole(entity, number, row=row_of(entity, number, tags))


async def found(store: HubStore, tags: dict[str, str]) -> list[str]:
    filter_ = InstanceFilter(entities=True, tags=tags)
    by_list = await ids(store, filter_)
    assert sum((await store.count(filter_)).values()) == len(by_list)
    return by_list


async def test_an_entity_is_found_by_the_tags_that_it_has_now(store: HubStore) -> None:
    await store.send("@counter@b", signal(instance_id="@counter@b"))
    row = await born(store)
    await store.commit(tagged(row, 0, ROME))
    assert await store.get(COUNTER) == row_of(row, 0, ROME)
    assert await found(store, ROME) == await found(store, {"town": "Rome"}) == [COUNTER]
    assert await found(store, {"town": "Rome", "size": "large"}) == []
    await store.commit(tagged(row, 1, PARIS))
    assert await found(store, PARIS) == [COUNTER]
    assert await found(store, {"size": ""}) == []
    await store.commit(tagged(row, 2, {}))
    assert await found(store, PARIS) == []
    await store.commit(tagged(row, 3, ROME))
    assert await found(store, ROME) == [COUNTER]


async def test_what_leaves_the_row_as_it_is_leaves_the_tags(store: HubStore) -> None:
    row = await born(store)
    await store.commit(tagged(row, 0, ROME))
    await store.commit(whole(row, 1))
    await store.send(COUNTER, signal("s2"))
    assert await found(store, ROME) == [COUNTER]


async def test_a_row_that_comes_late_brings_no_tags(store: HubStore) -> None:
    row = await born(store)
    await store.commit(tagged(row, 0, ROME))
    await store.commit(tagged(row, 1, PARIS))
    await store.apply(tagged(row, 0, ROME).effects)
    assert await found(store, ROME) == []
    assert await found(store, PARIS) == [COUNTER]


async def test_many_at_once_have_each_their_own(store: HubStore) -> None:
    names = [f"@counter@{n}" for n in range(6)]

    async def lead(place: int, name: str) -> None:
        await store.send(name, signal(instance_id=name))
        row = await store.get(name)
        assert row is not None
        await store.commit(tagged(row, 0, {"n": str(place)}))
        if place % 2:
            await store.commit(tagged(row, 1, ROME))

    await asyncio.gather(*(lead(place, name) for place, name in enumerate(names)))
    assert await found(store, ROME) == names[1::2]
    for place, name in enumerate(names):
        assert await found(store, {"n": str(place)}) == ([] if place % 2 else [name])


async def test_large_tags_are_replaced_as_a_whole(store: HubStore) -> None:
    row = await born(store)
    many = [{f"{number}.{n}": "x" * 100 for n in range(90)} for number in range(3)]
    for number, tags in enumerate(many):
        await store.commit(tagged(row, number, tags))
        for each in many:
            assert await found(store, dict([*each.items()][:3])) == ([COUNTER] * (each is tags))
    await store.commit(tagged(row, 3, PARIS))
    assert await found(store, {"2.0": "x" * 100}) == []
    assert await found(store, PARIS) == [COUNTER]


async def test_a_removed_entity_is_found_by_no_tag_and_its_successor_by_its_own(
    store: HubStore, clock: ManualClock
) -> None:
    row = await idle(store)
    await store.commit(tagged(row, 1, ROME))
    assert await removed(store, clock, row, 1) is Removal.GONE
    assert await found(store, ROME) == []
    new = await born(store, "s9")
    assert await found(store, ROME) == []
    assert new.tags == {}
    assert new.created_at >= NOW
    await store.commit(tagged(new, 0, PARIS))
    assert await found(store, PARIS) == [COUNTER]
