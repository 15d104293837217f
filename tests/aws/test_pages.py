"""Pages end where the keys end: an answer without items that names a key to go on from is none."""

from __future__ import annotations

import pytest

from bindings.client import ReusePolicy
from host.storage.aws.table.keys import text
from host.storage.aws.table.table import Expression, Page, Table
from host.storage.protocol import Created, InstanceFilter
from tests.contract.builders import at, commit, instance, message
from tests.kit.recoverable import recoverable
from tests.kit.scripted_transport import ScriptedAws, answer
from tests.kit.simulated_dynamo import SimulatedDynamo
from tests.simulation.faults import Fault

KEYS = Expression("#pk = :pk", {":pk": text("i#i")})
FIRST, SECOND, THIRD = ({"sk": text(each)} for each in "abc")
SEEDS = range(5)
IDS = [f"i{number:02d}" for number in range(20)]


async def _query(*answers: dict[str, object], limit: int | None) -> Page:
    aws = ScriptedAws(*map(answer, answers))
    page = await Table(aws.client, "table").query(KEYS, limit=limit)
    assert aws.attempts == len(answers)
    return page


async def test_an_answer_without_items_is_not_taken_for_the_end() -> None:
    page = await _query({"Items": [], "LastEvaluatedKey": FIRST}, {"Items": [SECOND]}, limit=1)
    assert page == Page([SECOND], None)


async def test_a_page_is_filled_from_as_many_answers_as_it_takes() -> None:
    page = await _query(
        {"Items": [FIRST], "LastEvaluatedKey": FIRST},
        {"Items": [], "LastEvaluatedKey": FIRST},
        {"Items": [SECOND], "LastEvaluatedKey": SECOND},
        limit=2,
    )
    assert page == Page([FIRST, SECOND], SECOND)


async def test_all_is_all_whatever_answers_are_empty() -> None:
    page = await _query(
        {"Items": [], "LastEvaluatedKey": FIRST},
        {"Items": [FIRST, SECOND], "LastEvaluatedKey": SECOND},
        {"Items": [], "LastEvaluatedKey": SECOND},
        {"Items": [THIRD]},
        limit=None,
    )
    assert page == Page([FIRST, SECOND, THIRD], None)


async def _many(seed: int) -> SimulatedDynamo:
    hub = SimulatedDynamo(faults=[Fault.EMPTY_PAGE, Fault.SHORT_PAGE], seed=seed)
    store = hub.store()
    for number, instance_id in enumerate(IDS):
        new = instance(instance_id, f"e{number}", created_at=at(number))
        assert await store.create(new, ReusePolicy.NEVER) is Created.NEW
    return hub


@pytest.mark.parametrize("seed", SEEDS)
async def test_found_f12_a_sweep_misses_nobody_behind_an_empty_page(seed: int) -> None:
    store = (await _many(seed)).store()
    assert sorted(await recoverable(store, limit=7)) == IDS


@pytest.mark.parametrize("seed", SEEDS)
async def test_found_f12_a_listing_misses_nobody_behind_an_empty_page(seed: int) -> None:
    store = (await _many(seed)).store()
    found: list[str] = []
    token: str | None = None
    while True:
        page = await store.query(InstanceFilter(), limit=3, token=token)
        found += [each.instance_id for each in page.instances]
        token = page.token
        if token is None:
            break
    assert found == IDS[::-1]


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_turn_and_a_message_behind_an_empty_page_are_seen(seed: int) -> None:
    hub = await _many(seed)
    store = hub.store()
    await store.commit(commit(0, instance_id=IDS[0], execution_id="e0"))
    await store.commit(commit(1, instance_id=IDS[0], execution_id="e0"))
    await store.send(IDS[0], message("m1"))
    await hub.store().send(IDS[0], message("m0"))  # by a clock that stands still
    other = hub.store()
    assert not await other.is_latest(IDS[0], "e0", 0)
    assert await other.is_latest(IDS[0], "e0", 1)
    assert [each.message_id for each in await other.read_inbox(IDS[0])] == ["m1", "m0"]
