"""Starts with a debounce: many in a row are one instance, with the last input."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from bindings import (
    FunctionApp,
    InstanceAlreadyExistsError,
    InvalidArgumentError,
    OrchestrationContext,
    ReusePolicy,
    RuntimeStatus,
)
from host.engine.starting import Begun, Existing, NewInstance
from host.errors import StorageError
from tests.kit.hub import Host, Hub

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
app = FunctionApp()


@app.orchestration_trigger()
async def index(context: OrchestrationContext) -> Any:
    """Waits for one event, and gives its input and that."""
    return [context.get_input(), await context.wait_for_external_event("go")]


@app.orchestration_trigger()
async def other(context: OrchestrationContext) -> Any:
    return context.get_input()


async def debounced(host: Host, input_: Any, wait: timedelta = MINUTE, **more: Any) -> str:
    """Start `x`, or move it."""
    return await host.begin(index, input_, instance_id="x", debounce=wait, **more)


async def shown(host: Host) -> tuple[RuntimeStatus, Any]:
    state = await host.client.get_instance("x")
    assert state is not None
    return state.runtime_status, state.input


async def output(host: Host) -> Any:
    """What it gives after its event, which it has not had yet."""
    await host.started("x")
    await host.client.raise_event("x", "go", "gone")
    return (await host.finished("x")).output


async def begin(host: Host, **more: Any) -> Begun:
    new = NewInstance(name="index", instance_id="x", debounce=MINUTE, **more)
    return await host.engine.instances.begin(new)


async def test_starts_in_a_row_are_one_and_the_last_input_counts(each_hub: Hub) -> None:
    host = await each_hub.start(app)
    for number in range(5):
        assert await debounced(host, number) == "x"
        assert await shown(host) == (RuntimeStatus.PENDING, number)
        await each_hub.clock.advance(SECOND, steps=50)
    assert await shown(host) == (RuntimeStatus.PENDING, 4)
    await each_hub.clock.advance(SECOND, steps=10)
    assert await output(host) == [4, "gone"]
    assert (await host.history("x")).count("ExecutionStarted") == 1


async def test_a_shorter_debounce_moves_it_forward(each_hub: Hub) -> None:
    host = await each_hub.start(app)
    await debounced(host, "late", 60 * MINUTE)
    await host.client.raise_event("x", "unheard")  # so it has been in memory
    await host.rest()
    await debounced(host, "soon", 2 * SECOND)
    await each_hub.clock.advance(SECOND, steps=2)
    assert await output(host) == ["soon", "gone"]


async def test_events_of_before_its_start_are_kept(each_hub: Hub) -> None:
    host = await each_hub.start(app)
    await debounced(host, 1)
    await host.client.raise_event("x", "go", "early")
    await debounced(host, 2)
    await each_hub.clock.advance(SECOND, steps=60)
    assert (await host.finished("x")).output == [2, "early"]


async def test_two_hosts_that_share_the_hub_move_one_instance(each_hub: Hub) -> None:
    hosts = [await each_hub.start(app) for _ in range(2)]
    starts = [debounced(hosts[number % 2], number) for number in range(40)]
    assert set(await asyncio.gather(*starts)) == {"x"}
    _, input_ = await shown(hosts[0])
    await each_hub.clock.advance(SECOND, steps=60)
    assert await output(hosts[0]) == [input_, "gone"]


async def test_one_that_was_moved_by_another_host_does_not_begin_with_the_old_input(
    each_hub: Hub,
) -> None:
    """Its host has read it, and sees that it is due; then it is moved."""
    host, mover = await each_hub.start(app), await each_hub.start(app)
    await debounced(host, "old", SECOND)
    move = before(host, "change_row", lambda: debounced(mover, "new"))
    await each_hub.clock.advance(SECOND, steps=2)
    await host.rest()
    assert move.is_done
    assert await shown(host) == (RuntimeStatus.PENDING, "new")
    await each_hub.clock.advance(SECOND, steps=60)
    assert await output(host) == ["new", "gone"]


async def test_one_that_begins_first_is_not_moved(each_hub: Hub) -> None:
    """Who would move it has read that it waits; then it begins."""
    host, mover = await each_hub.start(app), await each_hub.start(app)
    await debounced(host, "old", SECOND)

    async def begin_it() -> None:
        await each_hub.clock.advance(SECOND, steps=2)
        await host.started("x")

    before(mover, "change_row", begin_it)
    with pytest.raises(InstanceAlreadyExistsError, match="Running"):
        await debounced(mover, "new")
    assert await output(host) == ["old", "gone"]


@pytest.mark.parametrize(
    ("reuse", "becomes"),
    [
        (ReusePolicy.WHEN_FINISHED, None),
        (ReusePolicy.NEVER, None),
        (ReusePolicy.KEEP, Begun("x", existing=Existing.KEPT)),
        (ReusePolicy.KEEP_ACTIVE, Begun("x", existing=Existing.KEPT)),
        (ReusePolicy.REPLACE, Begun("x")),
    ],
)
async def test_of_one_that_has_begun_the_policy_says_what_becomes(
    each_hub: Hub, reuse: ReusePolicy, becomes: Begun | None
) -> None:
    host = await each_hub.start(app)
    await debounced(host, "first", SECOND)
    await each_hub.clock.advance(SECOND, steps=2)
    await host.started("x")
    if becomes is None:
        with pytest.raises(InstanceAlreadyExistsError):
            await begin(host, input='"second"', reuse=reuse)
    else:
        assert await begin(host, input='"second"', reuse=reuse) == becomes
    is_replaced = reuse is ReusePolicy.REPLACE
    expected = (
        (RuntimeStatus.PENDING, "second") if is_replaced else (RuntimeStatus.RUNNING, "first")
    )
    assert await shown(host) == expected


async def test_after_its_end_the_next_start_waits_anew(each_hub: Hub) -> None:
    host = await each_hub.start(app)
    for round_ in range(2):
        await debounced(host, round_)
        await each_hub.clock.advance(SECOND, steps=60)
        assert await output(host) == [round_, "gone"]


async def test_what_waits_for_a_start_time_of_its_own_is_not_moved(each_hub: Hub) -> None:
    host = await each_hub.start(app)
    await host.begin(index, "at one", instance_id="x", start_at=60 * MINUTE)
    with pytest.raises(InstanceAlreadyExistsError):
        await debounced(host, "sooner")
    await host.client.terminate_instance("x")
    await host.finished("x")


async def test_a_start_of_another_function_does_not_move_it(each_hub: Hub) -> None:
    host = await each_hub.start(app)
    await debounced(host, "index")
    with pytest.raises(InstanceAlreadyExistsError):
        await host.begin(other, "other", instance_id="x", debounce=MINUTE)
    with pytest.raises(InstanceAlreadyExistsError):
        await host.begin(index, "at once", instance_id="x")
    assert await shown(host) == (RuntimeStatus.PENDING, "index")
    await host.client.terminate_instance("x")
    await host.finished("x")


async def test_one_that_is_terminated_before_its_start_ends(each_hub: Hub) -> None:
    host = await each_hub.start(app)
    await debounced(host, "never")
    await host.client.terminate_instance("x", "no")
    state = await host.finished("x")
    assert (state.runtime_status, state.output) == (RuntimeStatus.TERMINATED, "no")
    assert await debounced(host, "again") == "x"
    assert await shown(host) == (RuntimeStatus.PENDING, "again")
    await host.client.terminate_instance("x")
    await host.finished("x")


async def test_it_outlives_its_host(each_hub: Hub) -> None:
    first = await each_hub.start(app)
    await debounced(first, 1)
    await debounced(first, 2)
    await first.crash()
    second = await each_hub.start(app)
    await each_hub.clock.advance(SECOND, steps=30)
    await debounced(second, 3)
    await second.crash()
    await each_hub.clock.advance(SECOND, steps=60)
    third = await each_hub.start(app)
    assert await output(third) == [3, "gone"]


async def test_a_host_that_dies_as_it_begins_leaves_one_that_begins(each_hub: Hub) -> None:
    """It said that nobody moves the instance any more, and took no turn."""
    first = await each_hub.start(app)
    await debounced(first, 1, SECOND)

    async def die() -> None:
        first.store.sever()
        raise StorageError("The host dies.")

    before(first, "commit", die)
    await each_hub.clock.advance(SECOND, steps=2)
    await first.crash()
    second = await each_hub.start(app)
    assert await output(second) == [1, "gone"]


async def test_a_start_that_is_made_again_with_its_key_moves_nothing(each_hub: Hub) -> None:
    host = await each_hub.start(app)
    assert await begin(host, input="1", idempotency_key="a") == Begun("x")
    moved = Begun("x", existing=Existing.MOVED)
    assert await begin(host, input="2", idempotency_key="b") == moved
    assert await begin(host, input="3") == moved
    again = Begun("x", is_repeated=True)
    assert [await begin(host, input="0", idempotency_key=key) for key in "ab"] == [again] * 2
    await each_hub.clock.advance(SECOND, steps=60)
    assert await output(host) == [3, "gone"]
    assert [await begin(host, input="0", idempotency_key=key) for key in "ab"] == [again] * 2


async def test_one_without_its_function_takes_the_last_input_too(each_hub: Hub) -> None:
    host = await each_hub.start(app)
    bare = await each_hub.start(FunctionApp())
    await debounced(host, "old", SECOND)
    await host.crash()
    await bare.client.suspend_instance("x")
    await bare.rest()
    await each_hub.clock.advance(SECOND, steps=2)
    await bare.rest()
    third = await each_hub.start(app)
    await debounced(third, "new", SECOND)
    await third.client.resume_instance("x")
    await each_hub.clock.advance(SECOND, steps=2)
    assert await output(third) == ["new", "gone"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"debounce": timedelta(0)}, "longer than nothing"),
        ({"debounce": -SECOND}, "longer than nothing"),
        ({"debounce": 5}, "is a timedelta"),
        ({"debounce": timedelta.max}, "at most 3660 days long"),
        ({"debounce": SECOND, "start_at": SECOND}, "not both"),
        ({"debounce": SECOND, "instance_id": None}, "needs an instance id"),
    ],
)
async def test_what_cannot_be_meant_is_refused(hub: Hub, wrong: dict[str, Any], said: str) -> None:
    host = await hub.start(app)
    with pytest.raises(InvalidArgumentError, match=said):
        await host.begin(index, **({"instance_id": "x"} | wrong))
    assert await host.client.get_instance("x") is None


class Once:
    """Something that is done once, before a method of a host's store."""

    is_done = False


def before(host: Host, method: str, do: Callable[[], Awaitable[object]]) -> Once:
    """Do this before the next call of the method."""
    once = Once()

    async def do_once(called: str, _: tuple[Any, ...]) -> None:
        if called == method and not once.is_done:
            once.is_done = True
            await do()

    host.store.before = do_once
    return once
