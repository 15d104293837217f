"""What an overview finds in each store: the oldest, counts by time, failures, quarantined ones."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindings.client import ReusePolicy, RuntimeStatus
from bindings.errors import FailureDetails, InvalidArgumentError
from host.core.records import Instance
from host.engine.hosts import About, Hosts, Load
from host.engine.overview.buckets import histogram
from host.engine.overview.failures import MAX_ERROR, recent_failures
from host.engine.overview.oldest import oldest
from host.engine.overview.overview import FRESH_S, HubOverview
from host.engine.overview.quarantined import quarantined
from host.storage.memory import MemoryStore
from host.storage.protocol import HubStore, InstanceFilter
from tests.contract.builders import (
    COMPLETED,
    NOW,
    PENDING,
    RUNNING,
    ManualClock,
    at,
    effects,
    instance,
)

FAILED = RuntimeStatus.FAILED
DAY = 86_400


async def keep(store: HubStore, *rows: Instance) -> None:
    for row in rows:
        new = msgspec.structs.replace(row, status=PENDING, is_quarantined=False)
        await store.create(new, ReusePolicy.NEVER)
        if row.status is not PENDING:
            await store.apply(effects(row.instance_id, row=row))


def created(seconds: float, id_: str = "", **fields: Any) -> Instance:
    """One of this moment, named after it, that waits for a start in a hundred years."""
    later = at(100 * 365 * DAY)
    fields = {"created_at": at(seconds), "updated_at": at(seconds)} | fields
    if fields.get("status", PENDING) is PENDING:
        fields.setdefault("scheduled_start_at", later)
    return instance(id_ or f"at{seconds}", **fields)


def failed(seconds: float, message: str, id_: str = "", **fields: Any) -> Instance:
    details = FailureDetails(error_type="ValueError", message=message)
    return created(seconds, id_, status=FAILED, failure=details, **fields)


def overview_of(store: HubStore, clock: ManualClock) -> HubOverview:
    about = lambda: About(version="1", app_version=None, functions=())  # noqa: E731
    return HubOverview(store, clock, Hosts(store, clock, host_id="h", about=about, load=Load))


async def oldest_id(store: HubStore, *statuses: RuntimeStatus) -> str | None:
    row = await oldest(store, InstanceFilter(statuses=frozenset(statuses)))
    return None if row is None else row.instance_id


async def test_of_nothing_nothing_is_the_oldest(store: HubStore) -> None:
    assert await oldest_id(store) is None
    await keep(store, created(0))
    assert await oldest_id(store, FAILED) is None


async def test_the_oldest_is_found_among_many_that_were_created_at_any_time(
    store: HubStore,
) -> None:
    times = [-400 * DAY, -400 * DAY + 1, -30 * DAY, -DAY, *range(-40, 0)]
    await keep(store, *(created(each) for each in times))
    assert await oldest_id(store, PENDING) == f"at{-400 * DAY}"
    await keep(store, created(-500 * DAY, "done", status=COMPLETED))
    assert await oldest_id(store, PENDING) == f"at{-400 * DAY}"
    assert await oldest_id(store) == "done"


async def test_the_oldest_of_one_moment_is_found_however_many_there_are(store: HubStore) -> None:
    await keep(store, *(created(-5, f"i{number:02}") for number in range(20)))
    row = await oldest(store, InstanceFilter())
    assert row is not None
    assert row.created_at == at(-5)


async def test_the_oldest_is_one_of_the_filters_time(store: HubStore) -> None:
    await keep(store, *(created(each) for each in range(-60, 0)))
    row = await oldest(store, InstanceFilter(created_from=at(-30.5), created_to=at(-2)))
    assert row is not None
    assert row.instance_id == "at-30"


@given(st.lists(st.integers(-(10**12), 10**12), max_size=60), st.sampled_from((1, 1e-3, 1e-6)))
@settings(max_examples=60, deadline=None)
def test_the_oldest_is_the_least_of_any_times(times: Sequence[int], unit: float) -> None:
    async def check() -> None:
        store = MemoryStore(lambda: NOW)
        rows = [
            instance(f"i{number}", created_at=NOW + timedelta(microseconds=time * unit))
            for number, time in enumerate(times)
        ]
        await keep(store, *rows)
        row = await oldest(store, InstanceFilter())
        found = None if row is None else row.created_at
        assert found == min((each.created_at for each in rows), default=None)

    asyncio.run(check())


async def test_a_histogram_counts_each_instance_once_at_its_time(store: HubStore) -> None:
    await keep(store, *(created(each) for each in range(20)), created(7.5, status=RUNNING))
    found = await histogram(store, InstanceFilter(), at(0), at(19), 4)
    assert (found.start, found.end) == (at(0), at(19))
    assert [sum(each.values()) for each in found.buckets] == [5, 6, 5, 5]
    assert found.buckets[1] == {PENDING: 5, RUNNING: 1}
    assert 4.75 < found.step.total_seconds() < 4.76


async def test_a_histogram_of_one_moment_has_one_bucket(store: HubStore) -> None:
    await keep(store, created(0), created(1))
    found = await histogram(store, InstanceFilter(), at(0), at(0), 60)
    assert [dict(each) for each in found.buckets] == [{PENDING: 1}]


async def test_failures_of_one_error_are_together_with_the_last_of_them(store: HubStore) -> None:
    await keep(
        store,
        failed(1, "no luck\nat all", "first", updated_at=at(9)),
        failed(2, "no luck", "second"),
        failed(3, "x" * 1000, "long"),
        created(4, "bare", status=FAILED),
        created(5, "fine", status=COMPLETED),
    )
    groups = await recent_failures(store)
    shown = [(each.error, each.count, each.latest.instance_id) for each in groups]
    assert shown[0] == ("ValueError: no luck", 2, "first")
    assert sorted(id_ for _, _, id_ in shown) == ["bare", "first", "long"]
    assert max(len(error) for error, _, _ in shown) == MAX_ERROR


async def test_quarantined_ones_are_found_among_others(store: HubStore) -> None:
    blocked = {"status": RUNNING, "blocked_reason": "why"}
    await keep(
        store,
        created(1, "bad", **blocked, is_quarantined=True),
        created(2, "blocked", **blocked),
        created(3, "waits"),
        created(4, "ended", status=COMPLETED),
    )
    assert [each.instance_id for each in await quarantined(store)] == ["bad"]


# ---- the overview as a whole ------------------------------------------------------------------


async def test_an_empty_hub_has_an_overview(store: HubStore, clock: ManualClock) -> None:
    view = await overview_of(store, clock).view()
    assert view.counts == {}
    assert (view.oldest_running, view.oldest_pending) == (None, None)
    assert (view.failures, view.quarantined, view.hosts) == ((), 0, 0)
    assert view.series.started == view.series.failed == (0,) * 60


async def test_an_overview_shows_the_last_hour_by_the_minute(
    store: HubStore, clock: ManualClock
) -> None:
    hour = clock.now().replace(second=0, microsecond=0) - timedelta(minutes=59)
    await keep(
        store,
        instance("old", created_at=hour - timedelta(microseconds=1)),
        instance("first", created_at=hour),
        failed(-120, "no luck", "two-minutes-ago"),
        created(0, "now"),
    )
    series = (await overview_of(store, clock).view()).series
    assert series.start == hour
    assert (len(series.started), sum(series.started)) == (60, 3)
    assert (series.started[0], series.started[-1], series.started[-3]) == (1, 1, 1)
    assert (series.failed[-3], sum(series.failed)) == (1, 1)


async def test_an_overview_is_read_once_for_all_who_ask_within_two_seconds(
    store: HubStore, clock: ManualClock
) -> None:
    overview = overview_of(store, clock)
    first, second = await asyncio.gather(overview.view(), overview.view())
    assert first is second
    await keep(store, created(0, "new"))
    assert (await overview.view()).counts == {}
    await clock.advance(timedelta(seconds=FRESH_S))
    assert (await overview.view()).counts == {PENDING: 1}


async def test_what_failed_is_seen_at_once_when_another_one_has(
    store: HubStore, clock: ManualClock
) -> None:
    overview = overview_of(store, clock)
    await overview.view()
    await keep(store, failed(0, "no luck"))
    await clock.advance(timedelta(seconds=FRESH_S))
    assert [each.error for each in (await overview.view()).failures] == ["ValueError: no luck"]


async def test_a_minute_that_is_over_is_counted_again_the_less_often_the_older_it_is(
    store: HubStore, clock: ManualClock
) -> None:
    overview = overview_of(store, clock)
    await overview.view()
    await keep(store, created(-50 * 60, "long-ago"), created(-2 * 60, "a-moment-ago"))

    async def started_after(seconds: float) -> int:
        await clock.advance(timedelta(seconds=seconds))
        return sum((await overview.view()).series.started)

    assert await started_after(15) == 1
    assert await started_after(60) == 1
    assert await started_after(300) == 2


async def test_a_histogram_begins_with_the_oldest_and_ends_now(
    store: HubStore, clock: ManualClock
) -> None:
    await keep(store, created(-100), created(-50), created(-10, status=COMPLETED))
    overview = overview_of(store, clock)
    found = await overview.histogram(InstanceFilter(), 10)
    assert (found.start, found.end) == (at(-100), NOW)
    assert sum(sum(each.values()) for each in found.buckets) == 3
    of_few = await overview.histogram(InstanceFilter(statuses=frozenset({COMPLETED})), 10)
    assert of_few.start == at(-10)
    nothing = await overview.histogram(InstanceFilter(names=frozenset({"none"})), 10)
    assert (len(nothing.buckets), nothing.start) == (10, NOW - timedelta(hours=1))


async def test_a_histogram_that_ends_before_it_begins_is_refused(
    store: HubStore, clock: ManualClock
) -> None:
    with pytest.raises(InvalidArgumentError, match="createdTimeFrom is later"):
        await overview_of(store, clock).histogram(InstanceFilter(created_from=at(1)), 10)
