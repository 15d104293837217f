"""The contract of named locks: one owner at a time, until its time is over."""

import asyncio
from datetime import datetime

import pytest

from host.storage.protocol import HubStore, NamedLock
from tests.contract.builders import NOW, at
from tests.kit.recoverable import recoverable


def lock(name: str = "sweep", owner: str = "a", until: datetime | None = None) -> NamedLock:
    return NamedLock(name=name, owner=owner, expires_at=until or at(60))


async def test_a_lock_that_nobody_has_is_taken_and_kept_from_others(store: HubStore) -> None:
    assert await store.hold_lock(lock(), NOW) is True
    assert await store.hold_lock(lock(owner="b"), NOW) is False
    assert list(await store.locks("sweep")) == [lock()]


async def test_its_owner_keeps_it_for_longer(store: HubStore) -> None:
    await store.hold_lock(lock(), NOW)
    assert await store.hold_lock(lock(until=at(90)), at(30)) is True
    assert await store.hold_lock(lock(owner="b", until=at(149)), at(89)) is False
    assert list(await store.locks("")) == [lock(until=at(90))]


async def test_the_same_again_is_still_true_for_an_answer_may_have_been_lost(
    store: HubStore,
) -> None:
    assert await store.hold_lock(lock(), NOW) is True
    assert await store.hold_lock(lock(), NOW) is True


async def test_when_its_time_is_over_anybody_takes_it_and_the_first_owner_has_it_no_more(
    store: HubStore,
) -> None:
    await store.hold_lock(lock(), NOW)
    assert await store.hold_lock(lock(owner="b", until=at(120)), at(60)) is True
    assert await store.hold_lock(lock(until=at(121)), at(61)) is False
    assert list(await store.locks("sweep")) == [lock(owner="b", until=at(120))]


async def test_one_that_is_let_go_is_free_and_only_its_owner_lets_it_go(store: HubStore) -> None:
    await store.hold_lock(lock(), NOW)
    await store.release_lock("sweep", "b")
    await store.release_lock("other", "a")
    assert await store.hold_lock(lock(owner="b"), NOW) is False
    await store.release_lock("sweep", "a")
    await store.release_lock("sweep", "a")
    assert list(await store.locks("")) == []
    assert await store.hold_lock(lock(owner="b"), NOW) is True


async def test_locks_are_found_by_how_their_names_begin_also_those_that_are_over(
    store: HubStore,
) -> None:
    for name in ("host#2", "sweep", "host#1", "hosts"):
        await store.hold_lock(lock(name, owner=name), NOW)
    assert [each.name for each in await store.locks("host#")] == ["host#1", "host#2"]
    assert [each.name for each in await store.locks("")] == ["host#1", "host#2", "hosts", "sweep"]
    assert list(await store.locks("nobody")) == []


async def test_nobody_waits_for_an_owner_whose_clock_was_far_ahead(store: HubStore) -> None:
    await store.hold_lock(lock(until=at(3660)), at(3600))  # an hour ahead
    assert await store.hold_lock(lock(owner="b"), NOW) is True
    await store.hold_lock(lock(until=at(110)), at(60))  # less than a minute ahead is no reason
    assert await store.hold_lock(lock(owner="c"), NOW) is False


async def test_of_many_that_want_it_at_once_one_gets_it(
    store: HubStore, request: pytest.FixtureRequest
) -> None:
    if "moto" in request.node.name:
        pytest.skip("moto looks at a condition first and writes then, in several threads")
    owners = [lock(owner=f"host-{number}") for number in range(10)]
    answers = await asyncio.gather(*(store.hold_lock(each, NOW) for each in owners))
    assert answers.count(True) == 1
    assert list(await store.locks("")) == [owners[answers.index(True)]]


async def test_a_lock_is_no_instance(store: HubStore) -> None:
    await store.hold_lock(lock(), NOW)
    assert await recoverable(store) == []
    assert list(await store.due_alarms(at(999), 9)) == []
