"""The contract of `apply`: the effects of a turn, once, twice and late."""

from datetime import datetime

import pytest

from bindings.client import ReusePolicy, RuntimeStatus
from host.core.records import Envelope, Snapshot
from host.storage.protocol import Applied, HubStore
from tests.contract.builders import (
    NOW,
    PENDING,
    RUNNING,
    at,
    commit,
    effects,
    finished,
    instance,
    lease,
    message,
    parent,
    start,
)

REUSE = ReusePolicy.WHEN_FINISHED


@pytest.fixture(autouse=True)
async def active(store: HubStore) -> None:
    """The instance `i`, after its first turn."""
    await store.create(instance(), REUSE)
    await store.commit(commit())


async def snapshot(store: HubStore, instance_id: str = "i") -> Snapshot:
    found = await store.load(instance_id)
    assert found is not None
    return found


async def test_effects_of_every_kind_twice_are_effects_once(store: HubStore) -> None:
    await store.create(instance("friend"), REUSE)
    await store.send("i", message("m1"))
    row = instance(execution_id="e2", generation=1, status=RUNNING, updated_at=at(1))
    held = lease(execution_id="e2")
    all_kinds = effects(
        row=row,
        consumed=("m1",),
        starts=(start(),),
        messages=(Envelope("friend", message("f1")), Envelope("child", message("c1"))),
        wake_at=at(60),
        leases=(held,),
        drop_execution="e1",
    )
    assert await store.apply(all_kinds) == Applied()
    once = [await store.load(name) for name in ("i", "friend", "child")]
    assert await store.apply(all_kinds) == Applied()
    assert [await store.load(name) for name in ("i", "friend", "child")] == once
    assert once == [
        Snapshot(instance=row, leases=(held,), wake_at=at(60)),
        Snapshot(instance=instance("friend"), inbox=(message("f1"),)),
        Snapshot(instance=start().instance, inbox=(message("c1"),)),
    ]


async def test_effects_of_an_earlier_turn_change_nothing_after_later_turns(
    store: HubStore,
) -> None:
    early = effects(row=instance(status=RUNNING, updated_at=at(1)), starts=(start(),))
    await store.apply(early)
    await store.apply(effects("child", row=finished("child", "c1", parent=parent())))
    await store.commit(commit(1, row=instance(custom_status='"late"', updated_at=at(2))))
    before = [await snapshot(store), await snapshot(store, "child")]
    await store.apply(early)
    assert [await snapshot(store), await snapshot(store, "child")] == before


async def test_a_row_never_replaces_a_finished_one(store: HubStore) -> None:
    await store.apply(effects(row=finished()))
    await store.apply(effects(row=instance(status=RUNNING, generation=5, updated_at=at(99))))
    assert await store.get("i") == finished()


async def test_a_row_never_replaces_one_of_a_later_generation(store: HubStore) -> None:
    later = instance(execution_id="e2", generation=2, status=RUNNING)
    await store.apply(effects(row=later))
    await store.apply(effects(row=finished(generation=1)))
    assert await store.get("i") == later


async def test_a_row_of_another_run_with_the_same_id_is_not_written(store: HubStore) -> None:
    await store.apply(effects(row=finished()))
    await store.create(instance(execution_id="e9"), REUSE)
    await store.apply(effects(row=finished()))
    assert await store.get("i") == instance(execution_id="e9")


async def test_the_final_row_wins_even_if_its_clock_was_behind(store: HubStore) -> None:
    await store.apply(effects(row=instance(status=RUNNING, updated_at=at(50))))
    await store.apply(effects(row=finished(updated_at=at(20))))
    assert await store.get("i") == finished(updated_at=at(20))


async def test_the_row_of_an_earlier_turn_loses_even_if_its_clock_was_ahead(
    store: HubStore,
) -> None:
    later = instance(status=RUNNING, last_number=3, updated_at=at(10))
    await store.apply(effects(row=later))
    await store.apply(effects(row=instance(status=RUNNING, last_number=2, updated_at=at(50))))
    assert await store.get("i") == later


async def test_a_blocked_row_may_still_be_pending(store: HubStore) -> None:
    await store.create(instance("j"), REUSE)
    await store.apply(effects("j", row=instance("j", blocked_reason="no function")))
    found = await store.get("j")
    assert found is not None
    assert (found.status, found.blocked_reason) == (PENDING, "no function")


async def test_effects_without_an_instance_touch_only_others(store: HubStore) -> None:
    applied = await store.apply(
        effects(
            "nobody",
            row=instance("nobody"),
            wake_at=at(1),
            leases=(lease(instance_id="nobody"),),
            messages=(Envelope("i", message()),),
        )
    )
    assert applied == Applied()
    assert await store.load("nobody") is None
    assert await store.next_alarm(NOW) is None
    assert (await snapshot(store)).inbox == (message(),)


async def test_a_finished_row_ends_inbox_leases_and_alarm(store: HubStore) -> None:
    await store.apply(effects(wake_at=at(60), leases=(lease(),)))
    await store.send("i", message())
    await store.commit(commit(1, row=finished(), wake_at=at(90), leases=(lease(1),)))
    found = await snapshot(store)
    assert (found.inbox, found.leases, found.wake_at) == ((), (), None)
    assert len(found.batches) == 2
    assert await store.finish_lease(lease(), message()) is False
    assert list(await store.due_alarms(at(999), 9)) == []


async def test_messages_to_missing_or_finished_instances_are_dropped(store: HubStore) -> None:
    await store.create(instance("done"), REUSE)
    await store.apply(effects("done", row=finished("done")))
    applied = await store.apply(
        effects(
            messages=(
                Envelope("done", message("m1")),
                Envelope("nobody", message("m2")),
                Envelope("i", message("m3")),
            )
        )
    )
    assert applied == Applied(dropped=("m1", "m2"))
    assert [each.message_id for each in (await snapshot(store)).inbox] == ["m3"]
    assert (await snapshot(store, "done")).inbox == ()


async def test_a_message_to_itself_is_dropped_when_the_same_turn_finishes(
    store: HubStore,
) -> None:
    turn = commit(1, row=finished(), messages=(Envelope("i", message()),))
    assert await store.commit(turn) == Applied(dropped=("m1",))


async def test_effects_may_delete_a_message_that_is_not_there_and_deliver_it(
    store: HubStore,
) -> None:
    await store.apply(effects(consumed=("m1", "m2"), messages=(Envelope("i", message()),)))
    assert list(await store.read_inbox("i")) == [message()]
    await store.apply(effects(consumed=("m2",), row=finished()))
    assert list(await store.read_inbox("i")) == []


async def test_a_start_creates_a_pending_instance_with_its_alarm(store: HubStore) -> None:
    later = start(scheduled_start_at=at(60))
    assert await store.commit(commit(1, starts=(start("now"), later))) == Applied()
    assert (await snapshot(store, "now")).instance == start("now").instance
    assert await due(store, 60) == [("child", at(60))]


@pytest.mark.parametrize("other_parent", [None, parent(1), parent(0, "elsewhere")])
async def test_a_start_is_refused_while_another_active_instance_has_its_id(
    store: HubStore, other_parent: object
) -> None:
    await store.create(instance("child", parent=other_parent), REUSE)
    before = await store.load("child")
    applied = await store.apply(effects(starts=(start(),)))
    assert applied == Applied(refused_starts=("child",))
    assert await store.load("child") == before
    assert (await snapshot(store)).inbox == (message("refused"),)
    await store.apply(effects(starts=(start(),)))
    assert (await snapshot(store)).inbox == (message("refused"),)


@pytest.mark.parametrize("other_parent", [None, parent(0, "elsewhere")])
async def test_a_start_replaces_a_finished_instance_of_another_parent(
    store: HubStore, other_parent: object
) -> None:
    await store.create(instance("child", parent=other_parent), REUSE)
    await store.commit(
        commit(instance_id="child", row=finished("child", parent=other_parent)),
    )
    assert await store.apply(effects(starts=(start(),))) == Applied()
    assert await store.load("child") == Snapshot(instance=start().instance)


async def test_a_start_is_refused_that_is_older_than_the_finished_holder_of_its_id(
    store: HubStore,
) -> None:
    await store.create(instance("child", created_at=at(1), updated_at=at(1)), REUSE)
    row = finished("child", created_at=at(1), updated_at=at(2))
    await store.commit(commit(instance_id="child", row=row))
    before = await store.load("child")
    assert await store.apply(effects(starts=(start(),))) == Applied(refused_starts=("child",))
    assert await store.load("child") == before


async def test_of_starts_of_one_moment_that_of_the_later_task_counts(store: HubStore) -> None:
    for task_id, is_refused in ((0, False), (2, False), (1, True)):
        task = start(execution_id=f"c{task_id}", parent=parent(task_id))
        refused = ("child",) if is_refused else ()
        assert await store.apply(effects(starts=(task,))) == Applied(refused_starts=refused)
        row = (await snapshot(store, "child")).instance
        await store.apply(
            effects("child", row=finished("child", row.execution_id, parent=row.parent))
        )
    assert row.execution_id == "c2"


async def test_a_start_with_the_same_parent_was_done_before(store: HubStore) -> None:
    await store.apply(effects(starts=(start(),)))
    await store.apply(effects("child", row=finished("child", "c1", parent=parent())))
    before = await store.load("child")
    assert await store.apply(effects(starts=(start(execution_id="c2"),))) == Applied()
    assert await store.load("child") == before


async def test_an_instance_cannot_start_itself(store: HubStore) -> None:
    applied = await store.commit(commit(1, starts=(start("i", "x"),)))
    assert applied == Applied(refused_starts=("i",))
    last = await store.commit(commit(2, starts=(start("i", "x"),), row=finished()))
    assert last == Applied(refused_starts=("i",))
    assert await store.get("i") == finished()


async def due(store: HubStore, seconds: float, limit: int = 9) -> list[tuple[str, datetime]]:
    """Who is due by then, and when."""
    return [(each.instance_id, each.due) for each in await store.due_alarms(at(seconds), limit)]


async def test_an_alarm_is_replaced_cleared_or_left_alone(store: HubStore) -> None:
    await store.apply(effects(wake_at=at(60)))
    await store.apply(effects(wake_at=at(30)))
    assert await store.next_alarm(NOW) == at(30)
    await store.apply(effects(wake_at=at(90)))
    await store.apply(effects())
    assert (await snapshot(store)).wake_at == at(90)
    assert list(await store.due_alarms(at(89), 9)) == []
    await store.apply(effects(wake_at=None))
    assert await store.next_alarm(NOW) is None
    assert (await snapshot(store)).wake_at is None


async def test_alarms_are_due_oldest_first_and_stay_until_they_are_cleared(
    store: HubStore,
) -> None:
    for name, seconds in (("c", 3), ("a", 1), ("b", 2), ("later", 99)):
        await store.create(instance(name), REUSE)
        await store.apply(effects(name, wake_at=at(seconds)))
    expected = [(name, at(seconds)) for name, seconds in (("a", 1), ("b", 2), ("c", 3))]
    assert await due(store, 3) == expected
    assert await due(store, 3, limit=2) == expected[:2]
    assert list(await store.due_alarms(at(0.999999), 9)) == []
    assert await store.next_alarm(at(1)) == at(2)
    assert await store.next_alarm(at(99)) is None


async def test_the_status_of_a_row_is_what_get_gives(store: HubStore) -> None:
    held = instance(status=RuntimeStatus.SUSPENDED, updated_at=at(1))
    await store.apply(effects(row=held))
    assert await store.get("i") == held
