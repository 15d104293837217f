"""A listing page by page shows every instance that is there all the time, whatever is restarted."""

from __future__ import annotations

import pytest

from bindings.client import ReusePolicy
from host.storage.protocol import HubStore, InstanceFilter
from tests.contract import builders as b

FILTERS = {
    "all": InstanceFilter(),
    "by status": InstanceFilter(statuses=frozenset({b.COMPLETED, b.PENDING})),
    "by prefix": InstanceFilter(id_prefix="i"),
    "since": InstanceFilter(created_from=b.at(0)),
}


async def stored(store: HubStore, count: int = 6) -> list[str]:
    ids = [f"i{n}" for n in range(count)]
    for n, instance_id in enumerate(ids):
        new = b.instance(instance_id, f"e{n}", created_at=b.at(n))
        await store.create(new, ReusePolicy.NEVER)
        row = b.finished(instance_id, f"e{n}", created_at=b.at(n))
        await store.apply(b.effects(instance_id, row=row))
    return ids


async def restart(store: HubStore, instance_id: str, second: float) -> None:
    new = b.instance(instance_id, f"r{second}", created_at=b.at(second), updated_at=b.at(second))
    await store.create(new, ReusePolicy.REPLACE)


@pytest.mark.parametrize("filter_", FILTERS.values(), ids=list(FILTERS))
@pytest.mark.parametrize("limit", [1, 2, 3, 5])
async def test_found_a21_a_restarted_instance_is_on_some_page(
    store: HubStore, filter_: InstanceFilter, limit: int
) -> None:
    ids = await stored(store)
    page = await store.query(filter_, limit=limit)
    seen = [row.instance_id for row in page.instances]
    await restart(store, "i0", 9)
    while page.token is not None:
        page = await store.query(filter_, limit=limit, token=page.token)
        seen += [row.instance_id for row in page.instances]
    assert sorted(seen) == ids


async def test_found_a21_one_that_is_restarted_again_and_again_is_on_some_page(
    store: HubStore,
) -> None:
    ids = await stored(store)
    page, second = await store.query(InstanceFilter(), limit=2), 10
    seen = [row.instance_id for row in page.instances]
    while page.token is not None:
        await restart(store, "i0", second)
        second += 1
        page = await store.query(InstanceFilter(), limit=2, token=page.token)
        seen += [row.instance_id for row in page.instances]
        assert second < 30
    assert set(seen) == set(ids)


async def test_found_a21_a_listing_ends_although_others_start_all_the_time(
    store: HubStore,
) -> None:
    await stored(store)
    page, second = await store.query(InstanceFilter(), limit=2), 10
    while page.token is not None:
        for _ in range(2):  # as fast as they are listed
            await store.create(
                b.instance(f"n{second}", f"n{second}", created_at=b.at(second)), ReusePolicy.NEVER
            )
            second += 1
        page = await store.query(InstanceFilter(), limit=2, token=page.token)
        assert second < 200


async def test_found_a21_a_listing_in_which_nothing_happens_has_no_page_more(
    store: HubStore,
) -> None:
    ids = await stored(store)
    seen: list[str] = []
    page = await store.query(InstanceFilter(), limit=3)
    pages = 1
    seen += [row.instance_id for row in page.instances]
    while page.token is not None:
        page = await store.query(InstanceFilter(), limit=3, token=page.token)
        seen += [row.instance_id for row in page.instances]
        pages += 1
    assert seen == ids[::-1]
    assert pages <= 3
