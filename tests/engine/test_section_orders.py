"""Orders that come to an orchestration while it waits for its lock: no lock is left, none taken."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus, when_any
from tests.engine.test_critical_sections import A, B, C, accounts, holder_of, is_free
from tests.kit.hub import Host, Hub, until

SECONDS = timedelta(seconds=1)


def patient(fails: list[bool]) -> FunctionApp:
    """Accounts, and an orchestration that waits a hundred seconds for a lock."""
    app = accounts()

    @app.activity_trigger()
    def judge(text: str) -> str:
        if fails:
            raise ValueError("not yet")
        return text

    @app.orchestration_trigger()
    async def lead(context: OrchestrationContext) -> Any:
        lock = context.lock_entities(A, B)
        timer = context.create_timer(100 * SECONDS)
        await context.call_activity(judge, "x")
        if await when_any([lock, timer]) is timer:
            lock.cancel()
            return await context.call_entity(C, "get")
        timer.cancel()
        with lock.result:
            return await context.call_entity(A, "add", 1)

    return app


async def kept(host: Host) -> str:
    """Let another orchestration lock both; its id."""
    holder = await host.begin("keep", "wait")

    async def has_both() -> bool:
        snapshot = await host.store.load(str(B))
        return snapshot is not None and await holder_of(host, B) == holder

    await until(has_both)
    await host.rest()
    return holder


async def nothing_is_left(host: Host) -> None:
    await is_free(host, A, B)
    await host.rest()
    for each in (A, B):
        snapshot = await host.store.load(str(each))
        assert snapshot is not None
        assert not snapshot.inbox


@pytest.mark.parametrize("first", ["timer", "lock"])
async def test_one_that_was_rewound_twice_as_it_waited_gets_its_lock_or_gives_up(
    each_hub: Hub, first: str
) -> None:
    fails = [True]
    host = await each_hub.start(patient(fails))
    holder = await kept(host)
    instance_id = await host.begin("lead")
    for left in (1, 0):
        assert (await host.finished(instance_id)).runtime_status is RuntimeStatus.FAILED
        if not left:
            fails.clear()
        await host.client.rewind_instance(instance_id, "again")
        await host.rest()
    if first == "timer":
        await each_hub.clock.advance(101 * SECONDS)
        await host.rest()
    await host.crash()
    host = await each_hub.start(patient(fails))
    await host.client.raise_event(holder, "go")
    await host.finished(holder)
    assert (await host.finished(instance_id)).output == (101 if first == "lock" else 100)
    await nothing_is_left(host)


@pytest.mark.parametrize("then", ["resume", "terminate"])
async def test_a_lock_that_comes_to_a_suspended_one_is_used_or_given_back(
    each_hub: Hub, then: str
) -> None:
    """Its timer fires before the grant comes: as it goes on it gives up what it has by now."""
    host = await each_hub.start(patient([]))
    holder = await kept(host)
    instance_id = await host.begin("lead")
    await host.rest()
    await host.client.suspend_instance(instance_id, "wait")
    await host.rest()
    await each_hub.clock.advance(101 * SECONDS)
    await host.rest()
    await host.client.raise_event(holder, "go")
    await host.finished(holder)
    await host.rest()
    assert await holder_of(host, B) == instance_id
    await host.crash()
    host = await each_hub.start(patient([]))
    if then == "resume":
        await host.client.resume_instance(instance_id, "go on")
        assert (await host.finished(instance_id)).output == 100
    else:
        await host.client.terminate_instance(instance_id, "enough")
        await host.finished(instance_id)
    await nothing_is_left(host)
