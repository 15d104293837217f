"""The contract of the queues of wake-ups."""

import asyncio
from collections.abc import Sequence

from host.core.history import TaskScheduled
from host.storage.protocol import HubQueues, WakeUp, WorkItem
from tests.contract.builders import NOW


def ids(wakeups: Sequence[WakeUp]) -> list[str]:
    return [wakeup.instance_id for wakeup in wakeups]


async def test_wakeups_are_received_oldest_first_up_to_the_limit(queues: HubQueues) -> None:
    await queues.send_wakeups(["a", "b"])
    await queues.send_wakeups(["c"])
    assert ids(await queues.receive_wakeups(2)) == ["a", "b"]
    assert ids(await queues.receive_wakeups(2)) == ["c"]


async def test_a_first_delivery_says_so(queues: HubQueues) -> None:
    await queues.send_wakeups(["a"])
    (wakeup,) = await queues.receive_wakeups(9)
    assert wakeup.deliveries == 1


async def test_many_hints_are_one(queues: HubQueues) -> None:
    await queues.send_wakeups(["a", "a"])
    await queues.send_wakeups(["b", "a"])
    assert ids(await queues.receive_wakeups(9)) == ["a", "b"]


async def test_a_receiver_waits_for_the_first_wakeup(queues: HubQueues) -> None:
    receiving = asyncio.ensure_future(queues.receive_wakeups(9))
    await asyncio.sleep(0)
    assert not receiving.done()
    await queues.send_wakeups(["a", "b"])
    assert ids(await receiving) == ["a", "b"]


async def test_one_that_is_sent_while_held_comes_once_after_finish(queues: HubQueues) -> None:
    await queues.send_wakeups(["a"])
    held = await queues.receive_wakeups(9)
    await queues.send_wakeups(["a"])
    await queues.send_wakeups(["a", "b"])
    assert ids(await queues.receive_wakeups(9)) == ["b"]
    receiving = asyncio.ensure_future(queues.receive_wakeups(9))
    await asyncio.sleep(0)
    assert not receiving.done()
    await queues.finish(held)
    (again,) = await receiving
    assert (again.instance_id, again.deliveries) == ("a", 1)
    await queues.finish([again])
    await queues.send_wakeups(["c"])
    assert ids(await queues.receive_wakeups(9)) == ["c"]


async def test_a_finished_wakeup_is_gone(queues: HubQueues) -> None:
    await queues.send_wakeups(["a"])
    await queues.finish(await queues.receive_wakeups(9))
    await queues.send_wakeups(["b"])
    assert ids(await queues.receive_wakeups(9)) == ["b"]


async def test_a_released_wakeup_comes_again_and_counts(queues: HubQueues) -> None:
    await queues.send_wakeups(["a"])
    held = await queues.receive_wakeups(9)
    await queues.send_wakeups(["a"])
    await queues.release(held)
    (again,) = await queues.receive_wakeups(9)
    assert (again.instance_id, again.deliveries) == ("a", 2)
    await queues.finish([again])
    await queues.send_wakeups(["b"])
    assert ids(await queues.receive_wakeups(9)) == ["b"]


async def test_a_wakeup_that_was_given_back_cannot_be_finished(queues: HubQueues) -> None:
    await queues.send_wakeups(["a"])
    old = await queues.receive_wakeups(9)
    await queues.release(old)
    new = await queues.receive_wakeups(9)
    await queues.finish(old)
    await queues.send_wakeups(["a", "b"])
    assert ids(await queues.receive_wakeups(9)) == ["b"]
    await queues.finish(new)
    assert ids(await queues.receive_wakeups(9)) == ["a"]


async def test_extending_keeps_the_hold(queues: HubQueues) -> None:
    await queues.send_wakeups(["a"])
    held = await queues.receive_wakeups(9)
    await queues.extend(held)
    await queues.send_wakeups(["a", "b"])
    assert ids(await queues.receive_wakeups(9)) == ["b"]


async def test_receivers_share_what_there_is(queues: HubQueues) -> None:
    receivers = [asyncio.ensure_future(queues.receive_wakeups(1)) for _ in range(3)]
    await asyncio.sleep(0)
    await queues.send_wakeups(["a", "b", "c"])
    assert sorted(ids([wakeup for each in receivers for wakeup in await each])) == ["a", "b", "c"]


async def test_a_cancelled_receiver_loses_nothing(queues: HubQueues) -> None:
    receivers = [asyncio.ensure_future(queues.receive_wakeups(9)) for _ in range(2)]
    await asyncio.sleep(0)
    await queues.send_wakeups(["a"])
    if not receivers[0].cancel():  # over a network it may have come before the sender's answer
        await queues.release(await receivers[0])
    assert ids(await receivers[1]) == ["a"]


async def test_closing_ends_waiting_receivers_with_nothing(queues: HubQueues) -> None:
    receivers = [asyncio.ensure_future(queues.receive_wakeups(9)) for _ in range(3)]
    await asyncio.sleep(0)
    await queues.close()
    await queues.close()
    assert [list(await receiver) for receiver in receivers] == [[], [], []]
    await queues.send_wakeups(["a"])
    assert list(await queues.receive_wakeups(9)) == []


async def test_a_recovery_hint_says_so_and_others_do_not(queues: HubQueues) -> None:
    await queues.send_wakeups(["a"], is_recovery=True)
    await queues.send_wakeups(["b"])
    found = {each.instance_id: each for each in await queues.receive_wakeups(9)}
    assert (found["a"].is_recovery, found["b"].is_recovery) == (True, False)
    assert found["a"].is_suspicious
    assert not found["b"].is_suspicious


async def test_a_recovery_hint_wins_over_others_of_its_instance(queues: HubQueues) -> None:
    await queues.send_wakeups(["a"])
    await queues.send_wakeups(["a"], is_recovery=True)
    await queues.send_wakeups(["a"])
    (wakeup,) = await queues.receive_wakeups(9)
    assert wakeup.is_recovery
    await queues.finish([wakeup])
    await queues.send_wakeups(["a"])
    (plain,) = await queues.receive_wakeups(9)
    assert not plain.is_recovery


async def test_a_recovery_hint_stays_one_when_it_is_released(queues: HubQueues) -> None:
    await queues.send_wakeups(["a"], is_recovery=True)
    await queues.release(await queues.receive_wakeups(9))
    (again,) = await queues.receive_wakeups(9)
    assert again.is_recovery


def work_item(task_id: int = 0, data: str | None = '"Tokyo"') -> WorkItem:
    scheduled = TaskScheduled(timestamp=NOW, task_id=task_id, name="say_hello", input=data)
    return WorkItem(instance_id="a", execution_id="e1", task_id=task_id, scheduled=scheduled)


async def received_work(queues: HubQueues, count: int) -> list[WorkItem]:
    items: list[WorkItem] = []
    while len(items) < count:
        items += await queues.receive_work(10)
    return sorted(items, key=lambda item: item.task_id)


async def test_work_items_arrive_as_they_were_sent(queues: HubQueues) -> None:
    await queues.send_work([work_item(0), work_item(1, None)])
    first, second = await received_work(queues, 2)
    assert first.scheduled == work_item(0).scheduled
    assert second.scheduled == work_item(1, None).scheduled
    assert (first.instance_id, first.execution_id, first.deliveries) == ("a", "e1", 1)


async def test_a_finished_work_item_is_gone_and_a_released_one_comes_again(
    queues: HubQueues,
) -> None:
    await queues.send_work([work_item(0), work_item(1)])
    first, second = await received_work(queues, 2)
    await queues.extend([first, second])
    await queues.finish([first])
    await queues.release([second])
    (again,) = await received_work(queues, 1)
    assert (again.task_id, again.deliveries) == (1, 2)


async def test_wakeups_and_work_items_do_not_mix(queues: HubQueues) -> None:
    await queues.send_work([work_item()])
    await queues.send_wakeups(["b"])
    assert ids(await queues.receive_wakeups(9)) == ["b"]
    assert len(await received_work(queues, 1)) == 1


async def test_closing_ends_those_who_wait_for_work(queues: HubQueues) -> None:
    receiving = asyncio.ensure_future(queues.receive_work(9))
    await asyncio.sleep(0)
    await queues.close()
    assert list(await receiving) == []


async def test_found_a5_a_wakeup_that_is_passed_on_comes_anew_and_says_so(
    queues: HubQueues,
) -> None:
    await queues.send_wakeups(["a"])
    (first,) = await queues.receive_wakeups(1)
    await queues.pass_on(first)
    (second,) = await queues.receive_wakeups(1)
    assert (first.passed, second.passed) == (0, 1)
    assert (second.deliveries, second.is_recovery) == (1, False)
    assert not queues.is_held(first)
    await queues.finish([second])


async def test_found_a5_a_suspicious_wakeup_that_is_passed_on_stays_suspicious(
    queues: HubQueues,
) -> None:
    await queues.send_wakeups(["a"], is_recovery=True)
    (first,) = await queues.receive_wakeups(1)
    await queues.pass_on(first)
    (second,) = await queues.receive_wakeups(1)
    assert second.is_suspicious
    assert second.deliveries == 1


async def test_found_a5_a_work_item_says_how_often_it_was_passed_on(queues: HubQueues) -> None:
    item = WorkItem(instance_id="a", execution_id="e", task_id=1, passed=7)
    await queues.send_work([item])
    (received,) = await queues.receive_work(1)
    assert (received.passed, received.deliveries) == (7, 1)
