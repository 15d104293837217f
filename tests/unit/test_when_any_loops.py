"""when_any in loops: who wins, and how often a task is touched."""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random
from types import FrameType
from typing import Any

import pytest

from bindings import DurableTask, when_all, when_any
from bindings.tasks import resolve

Tasks = list[DurableTask[int]]
N = 200


def tasks(count: int = N) -> Tasks:
    return [DurableTask() for _ in range(count)]


def calls_in(loop: Callable[[], None]) -> int:
    """How many calls of Python functions a loop makes: what it costs, on any machine."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        loop()
    finally:
        sys.setprofile(before)
    return count


def _forwards(pending: Tasks) -> Tasks:
    return list(pending)


def _backwards(pending: Tasks) -> Tasks:
    return pending[::-1]


def _shuffled(pending: Tasks) -> Tasks:
    return Random(1).sample(pending, len(pending))


@pytest.mark.parametrize("order", [_forwards, _backwards, _shuffled])
def test_found_a6_a_loop_over_n_tasks_sees_to_each_once(order: Callable[[Tasks], Tasks]) -> None:
    def loop(count: int) -> None:
        all_of_them = tasks(count)
        pending = list(all_of_them)
        waiting = when_any(pending)
        for ending in order(all_of_them):
            resolve(ending, 1)
            assert waiting.result is ending
            pending.remove(ending)
            if pending:
                waiting = when_any(pending)
                assert not waiting.is_completed

    once, twice = (calls_in(lambda: loop(count)) for count in (N, 2 * N))  # noqa: B023
    assert twice < 2.2 * once


def test_found_a6_tasks_that_are_added_are_seen_to_once_too() -> None:
    def loop(width: int) -> None:
        pending = tasks(width)
        random = Random(2)
        for _ in range(N):
            waiting = when_any(pending)
            ending = random.choice(pending)
            resolve(ending, 1)
            assert waiting.result is ending
            pending.remove(ending)
            pending.append(DurableTask())

    def first_look(width: int) -> None:
        when_any(tasks(width))

    more = calls_in(lambda: loop(40)) - calls_in(lambda: loop(10))
    assert more < 2 * (calls_in(lambda: first_look(40)) - calls_in(lambda: first_look(10)))


def test_found_a6_a_set_of_tasks_works_the_same() -> None:
    def loop(count: int) -> None:
        pending = set(tasks(count))
        while pending:
            waiting = when_any(pending)
            ending = next(iter(pending))
            resolve(ending, 1)
            assert waiting.result is ending
            pending.discard(ending)

    once, twice = (calls_in(lambda: loop(count)) for count in (N, 2 * N))  # noqa: B023
    assert twice < 2.2 * once


def test_of_tasks_that_have_ended_the_first_that_is_given_wins() -> None:
    one, two, three = tasks(3)
    resolve(three, 3)
    resolve(two, 2)
    assert when_any([one, two, three]).result is two


def test_tasks_that_end_while_nobody_waits_win_at_the_next_wait() -> None:
    pending = tasks(5)
    waiting = when_any(pending)
    for number in (3, 1, 4):
        resolve(pending[number], number)
    assert waiting.result is pending[3]
    pending.pop(3)
    assert when_any(pending).result is pending[1]
    pending.pop(1)
    assert when_any(pending).result is pending[2]


def test_a_task_that_is_given_twice_wins_once_and_again() -> None:
    one, two = tasks(2)
    waiting = when_any([one, two, one])
    resolve(one, 1)
    assert waiting.result is one
    again = when_any([two, one])
    assert again.is_completed
    assert again.result is one


def test_a_task_in_several_races_wins_them_all() -> None:
    one, two, three = tasks(3)
    races = [when_any(each) for each in ([one, two], [two, three], [three, two, one])]
    resolve(two, 2)
    assert [race.result for race in races] == [two, two, two]
    left = when_any([one, three])
    resolve(three, 3)
    assert left.result is three


def test_the_end_of_one_race_leaves_others_running() -> None:
    one, two, three = tasks(3)
    first, second = when_any([one, two]), when_any([two, three])
    resolve(one, 1)
    assert first.result is one
    assert not second.is_completed
    resolve(two, 2)
    assert second.result is two


def test_races_of_races_and_of_groups() -> None:
    one, two, three = tasks(3)
    group, race = when_all([one, two]), when_any([two, three])
    outer: Any = when_any([group, race])
    resolve(one, 1)
    assert not outer.is_completed
    resolve(two, 2)
    assert outer.result is race  # the younger of the two is seen to first
    assert group.result == [1, 2]


def test_all_of_the_same_task_twice() -> None:
    (one,) = tasks(1)
    both = when_all([one, one])
    resolve(one, 1)
    assert both.result == [1, 1]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_no_task_is_refused_and_leaves_nothing(place: int) -> None:
    pending: list[Any] = tasks(2)
    pending.insert(place, "no task")
    with pytest.raises(TypeError, match="not str"):
        when_any(pending)
    pending.remove("no task")
    waiting = when_any(pending)
    resolve(pending[1], 1)
    assert waiting.result is pending[1]
