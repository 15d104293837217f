"""Figures that are gathered in the midst of the work, and what is made of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from host.metrics.figures import Durations
from host.metrics.functions import MAX_FUNCTIONS, OTHER, AllFunctions, FunctionRuns
from host.metrics.scale import OLD_S, scale_of
from host.metrics.timed_store import ALL_TIMED, ONE_IN, StoreTimes, timed
from host.storage.memory import MemoryStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_durations_are_counted_by_bounds_that_belong_to_what_they_end() -> None:
    took = Durations((1.0, 2.0))
    for seconds in (0.5, 1.0, 1.5, 2.0, 2.5, 100.0):
        took.add(seconds)
    assert list(took.counts) == [2, 2, 2]
    assert (took.count, took.total_s) == (6, 107.5)
    took.add(0.1)
    assert list(took.counts) == [3, 2, 2]


def test_a_quantile_is_found_within_its_bounds() -> None:
    took = Durations((1.0, 2.0, 4.0))
    took.add_all([0.5] * 90 + [3.0] * 10)
    assert took.quantile(0.45) == pytest.approx(0.5)
    assert took.quantile(0.95) == pytest.approx(3.0)
    assert took.mean_s == pytest.approx(0.75)


def test_what_is_longer_than_all_bounds_counts_as_the_last_one() -> None:
    took = Durations((1.0,))
    took.add(50.0)
    assert took.quantile(0.95) == 1.0


def test_of_nothing_there_is_no_mean_and_no_quantile() -> None:
    assert (Durations().mean_s, Durations().quantile(0.5)) == (None, None)


def test_the_rate_is_that_of_the_last_minute() -> None:
    runs = FunctionRuns("activity", "pick")
    for second in range(0, 121, 10):
        runs.look(float(second))
        runs.took.add_all([0.1] * (10 if second < 60 else 2))
    assert runs.stats(120.0).per_minute == pytest.approx(14.0)
    assert runs.stats(120.0).runs == 74


def test_a_failure_is_shown_with_its_time_and_not_at_any_length() -> None:
    runs = FunctionRuns("entity", "counter")
    runs.took.add(0.1)
    runs.failed("x" * 10_000, NOW)
    stats = runs.stats(1.0)
    assert (stats.failures, stats.last_error_at) == (1, NOW)
    assert len(stats.last_error or "") == 500


def test_so_many_functions_are_told_apart_and_no_more() -> None:
    functions = AllFunctions()
    for number in range(MAX_FUNCTIONS + 50):
        functions.of("activity", f"f{number}").took.add(0.1)
    names = [each.name for each in functions.all()]
    assert len(names) == MAX_FUNCTIONS + 1
    assert functions.of("activity", "one more").name == OTHER
    assert functions.of("activity", "one more").took.count == 50


@pytest.mark.parametrize(
    ("backlog", "oldest_s", "running", "hosts", "wanted"),
    [
        (0, 0.0, 0, 1, 1),
        (0, 0.0, 100, 1, 1),
        (1, 0.0, 100, 1, 2),
        (350, 0.0, 50, 2, 4),
        (5, OLD_S + 1, 0, 3, 4),
        (0, OLD_S + 1, 0, 3, 1),
        (900, OLD_S + 1, 0, 3, 9),
    ],
)
def test_hosts_are_wanted_for_what_waits_and_runs_and_one_more_for_what_waits_long(
    backlog: int, oldest_s: float, running: int, hosts: int, wanted: int
) -> None:
    found = scale_of(backlog=backlog, oldest_s=oldest_s, running=running, hosts=hosts)
    assert found.wanted_hosts == wanted


async def test_operations_of_a_store_are_counted_and_their_times_stand_for_all() -> None:
    times = StoreTimes()
    store = timed(MemoryStore(lambda: NOW), times)
    await store.open()
    many = ALL_TIMED + 10 * ONE_IN
    for _ in range(many):
        assert await store.get("nobody") is None
    assert times.of("get").calls == many
    assert times.of("get").took.count == many
    assert not store.problems()
    assert not store.was_interrupted


async def test_what_an_operation_raises_is_raised_and_counted() -> None:
    times = StoreTimes()
    store = timed(MemoryStore(lambda: NOW), times)
    with pytest.raises(TypeError):
        await store.get()  # type: ignore[call-arg]
    assert times.of("get").calls == 1
