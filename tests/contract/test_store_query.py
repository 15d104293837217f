"""The contract of `query`, `purge` and `recoverable`."""

import json
from collections.abc import AsyncIterator

import msgspec
import pytest

from bindings.client import ListOrder, ReusePolicy, RuntimeStatus
from bindings.errors import FailureDetails, InstanceStateError, InvalidArgumentError
from host.core.history import Batch
from host.core.records import Instance
from host.storage.protocol import HubStore, InstanceFilter, Sought
from tests.contract.builders import (
    COMPLETED,
    RUNNING,
    ManualClock,
    at,
    commit,
    continue_as_new,
    effects,
    events,
    finished,
    instance,
    message,
)
from tests.kit.recoverable import recoverable

REUSE = ReusePolicy.WHEN_FINISHED


async def add(store: HubStore, *rows: Instance) -> None:
    for row in rows:
        await store.create(row, REUSE)


async def pages(
    store: HubStore, filter_: InstanceFilter, limit: int
) -> AsyncIterator[tuple[Instance, ...]]:
    token = None
    while True:
        page = await store.query(filter_, limit=limit, token=token)
        yield page.instances
        token = page.token
        if token is None:
            return


async def ids(store: HubStore, limit: int = 3, **fields: object) -> list[str]:
    filter_ = InstanceFilter(**fields)  # type: ignore[arg-type]  # the fields under test
    return [row.instance_id async for page in pages(store, filter_, limit) for row in page]


async def test_an_empty_hub_has_one_empty_page(store: HubStore) -> None:
    page = await store.query(InstanceFilter(), limit=10)
    assert (page.instances, page.token) == ((), None)


async def test_the_newest_come_first_and_ties_go_by_id(store: HubStore) -> None:
    await add(store, *(instance(name, created_at=at(s)) for name, s in [("a", 2), ("b", 1)]))
    await add(store, *(instance(name, created_at=at(2)) for name in ("d", "c")))
    assert await ids(store) == ["d", "c", "a", "b"]


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
async def test_pages_of_any_size_hold_every_instance_once(store: HubStore, limit: int) -> None:
    await add(store, *(instance(f"i{n}", created_at=at(n // 3)) for n in range(10)))
    found = [page async for page in pages(store, InstanceFilter(), limit)]
    assert all(len(page) <= limit for page in found)
    assert [row.instance_id for page in found for row in page] == [
        f"i{n}" for n in range(9, -1, -1)
    ]


async def test_paging_goes_on_where_it_was_whatever_comes_and_goes(store: HubStore) -> None:
    await add(store, *(instance(f"i{n}", created_at=at(n)) for n in range(6)))
    first = await store.query(InstanceFilter(), limit=2)
    await add(store, instance("newer", created_at=at(99)), instance("i3a", created_at=at(3)))
    await store.apply(effects("i4", row=finished("i4", created_at=at(4))))
    await store.purge("i4")
    second = await store.query(InstanceFilter(), limit=9, token=first.token)
    assert [row.instance_id for row in first.instances] == ["i5", "i4"]
    assert [row.instance_id for row in second.instances] == ["i3a", "i3", "i2", "i1", "i0"]


async def test_the_time_range_is_inclusive(store: HubStore) -> None:
    await add(store, *(instance(f"i{n}", created_at=at(n)) for n in range(5)))
    assert await ids(store, created_from=at(1), created_to=at(3)) == ["i3", "i2", "i1"]
    assert await ids(store, created_from=at(3.000001)) == ["i4"]
    assert await ids(store, created_from=at(4), created_to=at(3)) == []


async def test_every_filter_restricts_and_all_combine(store: HubStore) -> None:
    await add(
        store,
        instance("x1", name="f", tags={"a": "1", "b": "2"}),
        instance("x2", name="f", tags={"a": "1"}),
        instance("x3", name="g", tags={"a": "1"}),
        instance("y1", name="f", tags={"a": "1"}),
    )
    await store.apply(effects("x2", row=finished("x2", name="f", tags={"a": "1"})))
    assert await ids(store, names=frozenset("f")) == ["y1", "x2", "x1"]
    assert await ids(store, names=frozenset("gf")) == ["y1", "x3", "x2", "x1"]
    assert await ids(store, names=frozenset("F")) == []
    assert await ids(store, tags={"a": "1", "b": "2"}) == ["x1"]
    assert await ids(store, tags={"a": "2"}) == []
    assert await ids(store, statuses=frozenset({COMPLETED, RUNNING})) == ["x2"]
    assert await ids(
        store,
        statuses=frozenset({RuntimeStatus.PENDING}),
        names=frozenset("f"),
        id_prefix="x",
        tags={"a": "1"},
        created_to=at(0),
    ) == ["x1"]


@pytest.mark.parametrize("count", [3, 2100])  # more than SQLite puts into order
async def test_a_count_is_by_status_of_what_the_filter_finds(store: HubStore, count: int) -> None:
    if count > 3 and ".aws." in type(store).__module__:
        pytest.skip("many requests, and nothing else than with few")
    tags = {"a": "1"}
    others = (instance(f"i{n}", created_at=at(n)) for n in range(count) if n != 1)
    await add(store, instance("i1", created_at=at(1), tags=tags), *others)
    await store.apply(effects("i1", row=finished("i1", created_at=at(1), tags=tags)))
    await store.commit(commit(instance_id="i2"))
    assert await store.count(InstanceFilter()) == {
        RuntimeStatus.PENDING: count - 2,
        COMPLETED: 1,
        RUNNING: 1,
    }
    assert await store.count(InstanceFilter(tags={"a": "1"})) == {COMPLETED: 1}
    assert await store.count(InstanceFilter(id_prefix="i2", created_to=at(5))) == {RUNNING: 1}
    assert await store.count(InstanceFilter(names=frozenset({"other"}))) == {}


async def test_the_time_of_the_last_change_restricts_inclusively(store: HubStore) -> None:
    await add(store, *(instance(f"i{n}") for n in range(4)))
    for n in range(4):
        await store.apply(effects(f"i{n}", row=finished(f"i{n}", updated_at=at(n))))
    assert await ids(store, updated_from=at(1), updated_to=at(2)) == ["i2", "i1"]
    assert await ids(store, updated_from=at(2.000001)) == ["i3"]
    assert await ids(store, updated_to=at(0)) == ["i0"]


@pytest.mark.parametrize("limit", [1, 2, 9])
@pytest.mark.parametrize("statuses", [frozenset(), frozenset({COMPLETED})])
async def test_in_order_of_the_last_change_who_changed_last_comes_first(
    store: HubStore, limit: int, statuses: frozenset[RuntimeStatus]
) -> None:
    await add(store, *(instance(f"i{n}", created_at=at(n), updated_at=at(n)) for n in range(4)))
    for n, second in ((1, 9), (2, 9), (0, 8)):
        row = finished(f"i{n}", created_at=at(n), updated_at=at(second))
        await store.apply(effects(f"i{n}", row=row))
    found = await ids(store, limit, order=ListOrder.UPDATED, statuses=statuses)
    assert found == ["i2", "i1", "i0", *(() if statuses else ["i3"])]
    some = {"order": ListOrder.UPDATED, "updated_to": at(8), "created_to": at(2)}
    assert await ids(store, limit, **some) == ["i0"]


async def test_in_order_of_the_last_change_who_does_not_change_is_on_one_page(
    store: HubStore,
) -> None:
    await add(store, *(instance(f"i{n}", created_at=at(n), updated_at=at(n)) for n in range(5)))
    filter_ = InstanceFilter(order=ListOrder.UPDATED)
    first = await store.query(filter_, limit=2)
    await add(store, instance("new", created_at=at(7), updated_at=at(7)))
    await store.apply(effects("i1", row=finished("i1", created_at=at(1), updated_at=at(8))))
    second = await store.query(filter_, limit=9, token=first.token)
    assert [row.instance_id for row in first.instances] == ["i4", "i3"]
    assert ([row.instance_id for row in second.instances], second.token) == (["i2", "i0"], None)


async def test_a_text_is_found_in_id_status_and_failure_in_any_case(store: HubStore) -> None:
    failure = FailureDetails(error_type="OutOfStock", message="nothing of Äpfel left")
    await add(store, *(instance(name) for name in ("Order-7", "b", "c", "d")))
    await store.apply(effects("b", row=finished("b", failure=failure)))
    await store.apply(effects("c", row=finished("c", custom_status='{"step":"Packing"}')))
    for text, expected in (
        ("ORDER-", ["Order-7"]),
        ("outofstock", ["b"]),
        ("äPFEL", ["b"]),
        ("packing", ["c"]),
        ("done", []),
        ("%", []),
    ):
        assert await ids(store, text=text) == expected, text


@pytest.mark.parametrize(
    "prefix",
    ["a", "A", "%", "a%", "_", "*", "[", "a'", "é", "\ud7ff", "🐍", "\U0010ffff", "zz\U0010ffff"],
)
async def test_a_prefix_is_exact(store: HubStore, prefix: str) -> None:
    others = ["a", "A", "%", "_", "*", "b", "ab", "ba", "zz", "\ue000", "\U0010ffff", "é", "e"]
    names = {*others, prefix, prefix + "x", prefix + "\U0010ffff", "x" + prefix}
    await add(store, *(instance(name) for name in names))
    expected = sorted((name for name in names if name.startswith(prefix)), reverse=True)
    assert await ids(store, id_prefix=prefix) == expected


async def test_an_empty_prefix_does_not_restrict(store: HubStore) -> None:
    await add(store, instance("a"))
    assert await ids(store, id_prefix="") == ["a"]


@pytest.mark.parametrize("token", ["", "x", "é", "AAAA", "kw==", "k6F4kgGhYQ=="])
async def test_a_token_that_was_never_given_is_refused(store: HubStore, token: str) -> None:
    with pytest.raises(InvalidArgumentError):
        await store.query(InstanceFilter(), limit=1, token=token)


async def test_a_token_of_another_listing_is_refused(store: HubStore) -> None:
    await add(store, instance("a"), instance("b"))
    page = await store.query(InstanceFilter(), limit=1)
    assert page.token is not None
    with pytest.raises(InvalidArgumentError):
        await store.query(InstanceFilter(names=frozenset({"hello"})), limit=1, token=page.token)


async def test_a_purged_instance_is_gone_altogether(store: HubStore) -> None:
    await add(store, instance())
    await store.commit(commit(row=finished(), starts=()))
    assert await store.purge("i") is True
    assert await store.load("i") is None
    assert await ids(store) == []
    assert await store.purge("i") is False
    await add(store, instance(execution_id="e2"))
    snapshot = await store.load("i")
    assert snapshot is not None
    assert snapshot.batches == ()


async def test_an_active_instance_is_not_purged(store: HubStore) -> None:
    await add(store, instance())
    with pytest.raises(InstanceStateError) as raised:
        await store.purge("i", "e1")
    assert not raised.value.finished
    assert await store.get("i") == instance()


async def test_a_purge_of_one_execution_does_not_hit_another(store: HubStore) -> None:
    await add(store, instance())
    await store.apply(effects(row=finished()))
    assert await store.purge("i", "e0") is False
    await add(store, instance(execution_id="e2"))
    assert await store.purge("i", "e1") is False
    assert await store.get("i") == instance(execution_id="e2")
    await store.apply(effects(row=finished(execution_id="e2")))
    assert await store.purge("i", "e2") is True


async def test_pending_and_blocked_instances_are_recoverable(store: HubStore) -> None:
    await add(store, instance("pending"), instance("blocked"), instance("waiting"))
    for name in ("blocked", "waiting"):
        await store.commit(commit(instance_id=name))
    reason = instance("blocked", status=RUNNING, blocked_reason="no function")
    await store.apply(effects("blocked", row=reason))
    assert sorted(await recoverable(store)) == ["blocked", "pending"]


async def test_blocked_instances_are_found_when_these_are_sought(store: HubStore) -> None:
    await add(store, instance("pending"), instance("blocked"), instance("again"))
    for name in ("blocked", "again"):
        await store.commit(commit(instance_id=name))
        reason = instance(name, status=RUNNING, blocked_reason="no function")
        await store.apply(effects(name, row=reason))
    await store.apply(effects("again", row=instance("again", status=RUNNING, last_number=1)))
    found = await recoverable(store, limit=1, sought=Sought.BLOCKED)
    assert "blocked" in found


async def test_a_start_in_the_future_is_left_to_its_alarm(
    store: HubStore, clock: ManualClock
) -> None:
    await add(store, instance(scheduled_start_at=at(10)))
    assert await recoverable(store) == []
    clock.jump_to(at(10))
    assert await recoverable(store) == ["i"]


async def test_an_instance_with_messages_is_recoverable_until_they_are_consumed(
    store: HubStore,
) -> None:
    await add(store, instance())
    await store.commit(commit())
    await store.send("i", message())
    assert await recoverable(store) == ["i"]
    await store.commit(commit(1, consumed=("m1",)))
    assert await recoverable(store) == []


async def test_activities_without_a_result_make_recoverable(store: HubStore) -> None:
    await add(store, instance())
    for number, is_open in ((0, 1), (9, 2), (10, 0), (11, 1)):
        await store.commit(commit(number, open_activities=is_open))
        assert await recoverable(store) == (["i"] if is_open else [])


async def test_an_execution_that_continued_as_new_is_recoverable(store: HubStore) -> None:
    await add(store, instance())
    await store.commit(commit(execution_id="e1"))
    await store.commit(commit(1, batch=Batch(events=events(continue_as_new()))))
    assert await recoverable(store) == ["i"]
    await store.commit(commit(execution_id="e0", row_execution_id="e1", drop_execution="e1"))
    assert await recoverable(store) == []
    await store.commit(commit(1, execution_id="e0", row_execution_id="e1", open_activities=1))
    assert await recoverable(store) == ["i"]


async def test_a_finished_instance_is_not_recoverable(store: HubStore) -> None:
    await add(store, instance())
    await store.commit(commit(open_activities=3, row=finished()))
    assert await recoverable(store) == []


async def test_recoverable_ids_come_in_parts_and_each_once(store: HubStore) -> None:
    names = ["a", "B", "é", "🐍", "z", "\ue000"]
    await add(store, *(instance(name) for name in names))
    assert sorted(await recoverable(store, limit=2)) == sorted(names)
    first = await store.recoverable(limit=2)
    assert first.rest is not None
    others = await recoverable(store, after=first.rest)
    assert sorted([*first.instance_ids, *others]) == sorted(names)


@pytest.mark.parametrize(
    ("max_bytes", "sizes"), [(None, [7]), (25_000, [2, 2, 2, 1]), (1, [1] * 7)]
)
async def test_found_d4_a_page_ends_by_bytes_too(
    store: HubStore, max_bytes: int | None, sizes: list[int]
) -> None:
    payload = json.dumps("x" * 10_000)
    for n in range(7):
        row = instance(f"i{n}", created_at=at(n))
        await store.create(msgspec.structs.replace(row, input=payload), ReusePolicy.NEVER)
    pages: list[list[str]] = []
    token: str | None = None
    while token is not None or not pages:
        page = await store.query(InstanceFilter(), limit=9, token=token, max_bytes=max_bytes)
        pages.append([row.instance_id for row in page.instances])
        token = page.token
    assert [len(page) for page in pages if page] == sizes
    assert [each for page in pages for each in page] == [f"i{n}" for n in reversed(range(7))]


async def test_found_d4_a_page_by_bytes_goes_on_in_a_filtered_listing(store: HubStore) -> None:
    payload = json.dumps("x" * 10_000)
    for n in range(30):
        row = instance(f"{'ab'[n % 2]}{n:02}", created_at=at(n))
        await store.create(msgspec.structs.replace(row, input=payload), ReusePolicy.NEVER)
    found: list[str] = []
    token: str | None = None
    while True:
        page = await store.query(
            InstanceFilter(id_prefix="a"), limit=4, token=token, max_bytes=25_000
        )
        assert len(page.instances) <= 2
        found += [row.instance_id for row in page.instances]
        token = page.token
        if token is None:
            break
    assert found == [f"a{n:02}" for n in reversed(range(0, 30, 2))]
