"""The contract of `create`, `get` and `load`."""

import asyncio

import pytest

from bindings.client import ReusePolicy, RuntimeStatus
from bindings.errors import FailureDetails, InstanceAlreadyExistsError
from host.core.records import Debounce, Instance, Snapshot
from host.storage.protocol import Created, HubStore, InstanceFilter
from tests.contract.builders import (
    COMPLETED,
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
)
from tests.kit.recoverable import recoverable

WHEN_FINISHED, NEVER, KEEP, KEEP_ACTIVE, REPLACE = (
    ReusePolicy.WHEN_FINISHED,
    ReusePolicy.NEVER,
    ReusePolicy.KEEP,
    ReusePolicy.KEEP_ACTIVE,
    ReusePolicy.REPLACE,
)


async def finish(store: HubStore) -> None:
    await store.apply(effects(row=finished()))


async def fill(store: HubStore) -> None:
    """Store something of every kind for the instance `i`."""
    await store.create(instance(), WHEN_FINISHED)
    await store.commit(commit(leases=(lease(),), wake_at=at(60)))
    await store.send("i", message())


async def test_a_new_instance_is_read_as_it_was_stored(store: HubStore) -> None:
    whole = instance(
        generation=3,
        custom_status='{"step": 1}',
        version="1.2",
        tags={"team": "blue", "ünïcode": "✓"},
        parent=parent(7),
        failure=FailureDetails(
            error_type="E", message="m", cause=FailureDetails(error_type="C", message="c")
        ),
        scheduled_start_at=at(10),
    )
    assert await store.create(whole, WHEN_FINISHED) is Created.NEW
    assert await store.get("i") == whole
    assert await store.load("i") == Snapshot(instance=whole, wake_at=at(10))


async def test_what_does_not_exist_is_none(store: HubStore) -> None:
    assert await store.get("i") is None
    assert await store.load("i") is None
    assert list(await store.read_inbox("i")) == []


@pytest.mark.parametrize("reuse", list(ReusePolicy))
async def test_the_same_create_again_is_true_and_changes_nothing(
    store: HubStore, reuse: ReusePolicy
) -> None:
    await fill(store)
    before = await store.load("i")
    assert await store.create(instance(input='"other"'), reuse) is Created.BEFORE
    assert await store.load("i") == before


@pytest.mark.parametrize("reuse", list(ReusePolicy))
async def test_the_create_of_a_run_that_has_continued_as_new_and_ended_changes_nothing(
    store: HubStore, reuse: ReusePolicy
) -> None:
    await store.create(instance(), ReusePolicy.NEVER)
    await store.commit(commit())
    last = finished(execution_id="e2", generation=1, first_execution_id="e1")
    await store.commit(commit(1, row=last))
    before = await store.load("i")
    assert await store.create(instance(input='"other"'), reuse) is Created.BEFORE
    assert await store.load("i") == before


@pytest.mark.parametrize("reuse", [WHEN_FINISHED, NEVER])
async def test_an_active_instance_is_not_replaced(store: HubStore, reuse: ReusePolicy) -> None:
    await fill(store)
    before = await store.load("i")
    with pytest.raises(InstanceAlreadyExistsError) as raised:
        await store.create(instance(execution_id="e2"), reuse)
    assert raised.value.status == RuntimeStatus.RUNNING
    assert await store.load("i") == before


async def test_never_refuses_a_finished_instance_too(store: HubStore) -> None:
    await fill(store)
    await finish(store)
    with pytest.raises(InstanceAlreadyExistsError):
        await store.create(instance(execution_id="e2"), NEVER)


@pytest.mark.parametrize("is_finished", [True, False])
async def test_keep_leaves_the_existing_instance_alone(store: HubStore, is_finished: bool) -> None:
    await fill(store)
    if is_finished:
        await finish(store)
    before = await store.load("i")
    assert await store.create(instance(execution_id="e2"), KEEP) is Created.KEPT
    assert await store.load("i") == before


async def test_keep_active_leaves_an_active_instance_alone(store: HubStore) -> None:
    await fill(store)
    before = await store.load("i")
    assert await store.create(instance(execution_id="e2"), KEEP_ACTIVE) is Created.KEPT
    assert await store.load("i") == before


@pytest.mark.parametrize("reuse", [WHEN_FINISHED, KEEP_ACTIVE, REPLACE])
async def test_replacing_a_finished_instance_removes_everything_of_it(
    store: HubStore, reuse: ReusePolicy
) -> None:
    await fill(store)
    await finish(store)
    new = instance(execution_id="e2", created_at=at(9))
    assert await store.create(new, reuse) is Created.NEW
    assert await store.load("i") == Snapshot(instance=new)


async def test_replace_removes_everything_of_an_active_instance(store: HubStore) -> None:
    await fill(store)
    new = instance(execution_id="e2")
    assert await store.create(new, REPLACE) is Created.NEW
    assert await store.load("i") == Snapshot(instance=new)
    assert await store.next_alarm(NOW) is None
    assert await store.renew_lease(lease(expires_s=99)) is False


async def test_a_scheduled_start_sets_the_alarm(store: HubStore) -> None:
    await store.create(instance(scheduled_start_at=at(10)), WHEN_FINISHED)
    assert [(x.instance_id, x.due) for x in await store.due_alarms(at(10), 10)] == [("i", at(10))]


async def test_another_start_time_moves_the_alarm_with_the_row_and_keeps_the_inbox(
    store: HubStore,
) -> None:
    seen = instance(scheduled_start_at=at(10), debounce=Debounce(starts=("e1",)))
    await store.create(seen, WHEN_FINISHED)
    await store.send("i", message())
    moved = instance(
        input="2",
        scheduled_start_at=at(5),
        updated_at=at(1),
        debounce=Debounce(starts=("e1", "e2")),
    )
    assert await store.change_row(seen, moved) is True
    assert [(x.instance_id, x.due) for x in await store.due_alarms(at(5), 10)] == [("i", at(5))]
    assert await store.change_row(seen, instance(updated_at=at(2))) is False
    begun = instance(input="2", scheduled_start_at=at(5), updated_at=at(2))
    assert await store.change_row(moved, begun) is True
    snapshot = await store.load("i")
    assert snapshot == Snapshot(instance=begun, inbox=(message(),), wake_at=at(5))


async def test_a_pending_instance_is_seen_running_once_a_batch_exists(store: HubStore) -> None:
    await store.create(instance(), WHEN_FINISHED)
    found = await store.get("i")
    assert found is not None
    assert found.status is PENDING
    await store.commit(commit())
    found = await store.get("i")
    assert found is not None
    assert found.status is RUNNING
    page = await store.query(InstanceFilter(statuses=frozenset({RUNNING})), limit=9)
    assert page.instances == (found,)
    assert not (await store.query(InstanceFilter(statuses=frozenset({PENDING})), limit=9)).instances


async def test_only_one_of_many_creates_of_an_id_wins(store: HubStore) -> None:
    creates = [store.create(instance(execution_id=f"e{n}"), WHEN_FINISHED) for n in range(20)]
    answers = await asyncio.gather(*creates, return_exceptions=True)
    assert answers.count(Created.NEW) == 1
    assert sum(isinstance(answer, InstanceAlreadyExistsError) for answer in answers) == 19


@pytest.mark.parametrize(
    "instance_id",
    ["%", "_", "it's", '"; DROP TABLE instances; --', "ünï\u2028cödé 🐍", "a/b\\c", "x" * 256, " "],
)
async def test_any_id_is_just_an_id(store: HubStore, instance_id: str) -> None:
    await store.create(instance("other"), WHEN_FINISHED)
    new = instance(instance_id)
    await store.create(new, WHEN_FINISHED)
    await store.commit(commit(instance_id=instance_id, open_activities=1))
    await store.send(instance_id, message())
    snapshot = await store.load(instance_id)
    assert snapshot is not None
    assert snapshot.instance == new
    assert len(snapshot.batches) == len(snapshot.inbox) == 1
    page = await store.query(InstanceFilter(id_prefix=instance_id), limit=9)
    assert [row.instance_id for row in page.instances] == [instance_id]
    assert instance_id in await recoverable(store)
    await store.apply(effects(instance_id, row=finished(instance_id)))
    assert await store.purge(instance_id) is True


async def test_ids_that_differ_in_case_are_different(store: HubStore) -> None:
    await store.create(instance("Case"), NEVER)
    await store.create(instance("case"), NEVER)
    assert await store.get("CASE") is None


async def test_a_payload_of_megabytes_comes_back_whole(store: HubStore) -> None:
    big = '"' + "ä" * 2_500_000 + '"'
    await store.create(instance(input=big), WHEN_FINISHED)
    await store.send("i", message(data=big))
    row = finished(input=big, output=big)
    snapshot = await store.load("i")
    assert snapshot is not None
    assert snapshot.instance.input == big
    assert list(snapshot.inbox) == [message(data=big)]
    await store.apply(effects(row=row))
    assert await store.get("i") == row


async def test_a_created_instance_is_read_by_everybody_at_once(store: HubStore) -> None:
    rows = [instance(f"i{n}") for n in range(50)]
    await asyncio.gather(*(store.create(row, WHEN_FINISHED) for row in rows))
    assert await asyncio.gather(*(store.get(row.instance_id) for row in rows)) == rows


async def test_a_finished_row_is_what_get_gives(store: HubStore) -> None:
    await fill(store)
    await finish(store)
    found: Instance | None = await store.get("i")
    assert found == finished()
    assert found is not None
    assert found.status is COMPLETED
