"""The client: starting with every reuse policy, restart, purge, waits, suspension."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from bindings import (
    FunctionApp,
    FunctionNotFoundError,
    InstanceAlreadyExistsError,
    InstanceNotFoundError,
    InstanceStateError,
    InvalidArgumentError,
    OrchestrationContext,
    OrchestrationQuery,
    ReusePolicy,
    RuntimeStatus,
)
from tests.kit.hub import Host, Hub, until

ACTIVE, FINISHED, FREE = "active", "finished", "free"


class Waiting:
    """An orchestrator that shows its input and waits for one event, which it returns."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()
        self.runs = 0

        @self.app.activity_trigger()
        async def works() -> None:
            self.runs += 1
            await self.gate.wait()

        @self.app.orchestration_trigger()
        async def waits(context: OrchestrationContext, label: str) -> list[Any]:
            context.set_custom_status(label)
            return [label, await context.wait_for_external_event("go")]

        @self.app.orchestration_trigger()
        async def working(context: OrchestrationContext) -> str:
            await context.call_activity(works)
            return "worked"

        @self.app.orchestration_trigger()
        async def ends(context: OrchestrationContext) -> Any:
            return context.get_input()

        self.waits, self.working, self.ends = waits, working, ends

    async def prepare(self, host: Host, state: str) -> None:
        """Bring the instance `it` into a state."""
        if state == FREE:
            return
        await host.begin(self.waits, "old", instance_id="it")
        await host.shows("it", "old")
        if state == FINISHED:
            await host.client.raise_event("it", "go", "old end")
            await host.finished("it")
        await host.rest()


@pytest.mark.parametrize(
    ("policy", "state", "expected"),
    [
        (ReusePolicy.WHEN_FINISHED, FREE, "new"),
        (ReusePolicy.WHEN_FINISHED, ACTIVE, "refused"),
        (ReusePolicy.WHEN_FINISHED, FINISHED, "new"),
        (ReusePolicy.NEVER, FREE, "new"),
        (ReusePolicy.NEVER, ACTIVE, "refused"),
        (ReusePolicy.NEVER, FINISHED, "refused"),
        (ReusePolicy.KEEP, FREE, "new"),
        (ReusePolicy.KEEP, ACTIVE, "old"),
        (ReusePolicy.KEEP, FINISHED, "old"),
        (ReusePolicy.REPLACE, FREE, "new"),
        (ReusePolicy.REPLACE, ACTIVE, "new"),
        (ReusePolicy.REPLACE, FINISHED, "new"),
    ],
)
async def test_a_reuse_policy_decides_who_has_the_id(
    each_hub: Hub, policy: ReusePolicy, state: str, expected: str
) -> None:
    waiting = Waiting()
    host = await each_hub.start(waiting.app)
    await waiting.prepare(host, state)
    if expected == "refused":
        with pytest.raises(InstanceAlreadyExistsError):
            await host.begin(waiting.waits, "new", instance_id="it", reuse=policy)
        expected = "old"
    else:
        assert await host.begin(waiting.waits, "new", instance_id="it", reuse=policy) == "it"
    await host.shows("it", expected)
    if await host.status("it") is RuntimeStatus.RUNNING:
        await host.client.raise_event("it", "go", "end")
        assert (await host.finished("it")).output == [expected, "end"]


async def test_replacing_an_instance_whose_activity_runs_starts_the_new_one_at_once(
    each_hub: Hub,
) -> None:
    waiting = Waiting()
    host = await each_hub.start(waiting.app)
    await host.begin(waiting.working, instance_id="it")
    await until(lambda: waiting.runs == 1)
    await host.begin(waiting.waits, "new", instance_id="it", reuse=ReusePolicy.REPLACE)
    await host.shows("it", "new")
    waiting.gate.set()
    await host.client.raise_event("it", "go", "end")
    assert (await host.finished("it")).output == ["new", "end"]


async def test_an_option_of_the_host_lets_every_start_replace(hub: Hub) -> None:
    waiting = Waiting()
    host = await hub.start(waiting.app, replaces_active=True)
    await waiting.prepare(host, ACTIVE)
    await host.begin(waiting.waits, "new", instance_id="it")
    await host.shows("it", "new")


async def test_events_of_a_replaced_instance_are_not_the_new_ones(each_hub: Hub) -> None:
    waiting = Waiting()
    host = await each_hub.start(waiting.app)
    await waiting.prepare(host, ACTIVE)
    await host.client.suspend_instance("it")
    await host.rest()
    await host.client.raise_event("it", "go", "for the old one")
    await host.rest()
    await host.begin(waiting.waits, "new", instance_id="it", reuse=ReusePolicy.REPLACE)
    await host.shows("it", "new")
    await host.client.raise_event("it", "go", "for the new one")
    assert (await host.finished("it")).output == ["new", "for the new one"]


async def test_restart_takes_the_same_function_and_input(each_hub: Hub) -> None:
    waiting = Waiting()
    host = await each_hub.start(waiting.app)
    first = await host.run(waiting.ends, {"a": 1}, tags={"team": "x"})
    again = await host.client.restart_instance(first.instance_id)
    assert again != first.instance_id
    state = await host.finished(again)
    assert (state.name, state.output, dict(state.tags)) == ("ends", {"a": 1}, {"team": "x"})
    same = await host.client.restart_instance(first.instance_id, restart_with_new_instance_id=False)
    assert same == first.instance_id
    assert (await host.finished(same)).output == {"a": 1}


async def test_restart_under_the_same_id_is_refused_while_active_or_missing(hub: Hub) -> None:
    waiting = Waiting()
    host = await hub.start(waiting.app)
    await waiting.prepare(host, ACTIVE)
    with pytest.raises(InstanceAlreadyExistsError):
        await host.client.restart_instance("it", restart_with_new_instance_id=False)
    with pytest.raises(InstanceNotFoundError):
        await host.client.restart_instance("nobody")


async def test_purge_removes_a_finished_instance_and_only_that(each_hub: Hub) -> None:
    waiting = Waiting()
    host = await each_hub.start(waiting.app)
    await waiting.prepare(host, ACTIVE)
    with pytest.raises(InstanceStateError):
        await host.client.purge_instance("it")
    await host.client.raise_event("it", "go")
    await host.finished("it")
    assert await host.client.purge_instance("it") == 1
    assert await host.client.get_instance("it") is None
    with pytest.raises(InstanceNotFoundError):
        await host.client.purge_instance("it")
    with pytest.raises(InstanceNotFoundError):
        await host.client.get_instance_history("it")


async def test_purging_by_query_removes_what_is_finished_and_matches(each_hub: Hub) -> None:
    waiting = Waiting()
    host = await each_hub.start(waiting.app)
    await waiting.prepare(host, ACTIVE)
    for number in range(5):
        await host.run(waiting.ends, number, instance_id=f"a{number}")
        await host.run(waiting.ends, number, instance_id=f"b{number}")
    everything_a = OrchestrationQuery(instance_id_prefix="a")
    assert await host.client.purge_instances(everything_a) == 5
    assert await host.client.purge_instances(everything_a) == 0
    running = OrchestrationQuery(runtime_status=[RuntimeStatus.RUNNING])
    assert await host.client.purge_instances(running) == 0
    assert await host.client.purge_instances(OrchestrationQuery()) == 5
    left = [state.instance_id async for state in host.client.get_all_instances()]
    assert left == ["it"]


async def test_queries_filter_and_page_newest_first(each_hub: Hub) -> None:
    waiting = Waiting()
    host = await each_hub.start(waiting.app)
    for number in range(7):
        await host.run(
            waiting.ends, number, instance_id=f"n{number}", tags={"odd": str(number % 2)}
        )
        await each_hub.clock.advance(timedelta(seconds=1))
    found, token = list[str](), None
    while True:
        page = await host.client.query_instances(
            OrchestrationQuery(page_size=3, continuation_token=token, name="ends")
        )
        found += [state.instance_id for state in page.items]
        token = page.continuation_token
        if token is None:
            break
    assert found == [f"n{number}" for number in reversed(range(7))]
    odd = [
        s.instance_id
        async for s in host.client.get_all_instances(OrchestrationQuery(tags={"odd": "1"}))
    ]
    assert odd == ["n5", "n3", "n1"]
    with pytest.raises(InvalidArgumentError):
        await host.client.query_instances(OrchestrationQuery(page_size=0))


async def test_a_wait_that_runs_out_raises_and_leaves_no_waiter(hub: Hub) -> None:
    waiting = Waiting()
    host = await hub.start(waiting.app)
    await waiting.prepare(host, ACTIVE)
    waits = [
        host.client.wait_for_instance_completion("it", timeout=timedelta(0)) for _ in range(10)
    ]
    results = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(each) for each in results] == [TimeoutError] * 10
    assert len(host.engine.parts.waiters) == 0


async def test_many_wait_for_one_instance_and_all_are_told(hub: Hub) -> None:
    waiting = Waiting()
    host = await hub.start(waiting.app)
    await waiting.prepare(host, ACTIVE)
    waits = [asyncio.create_task(host.finished("it")) for _ in range(20)]
    cancelled = waits.pop()
    await hub.clock.until_quiet()
    cancelled.cancel()
    await host.client.raise_event("it", "go", 1)
    states = await asyncio.gather(*waits)
    assert [state.output for state in states] == [["old", 1]] * 19
    assert len(host.engine.parts.waiters) == 0


async def test_a_wait_reads_the_row_once_however_often_it_is_reported(hub: Hub) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def counts(context: OrchestrationContext, left: int) -> None:
        await context.wait_for_external_event("next")
        if left > 1:
            context.continue_as_new(left - 1)

    host = await hub.start(app)
    await host.begin(counts, 5, instance_id="it")
    await host.rest()
    host.store.calls.clear()
    waits = [asyncio.create_task(host.finished("it")) for _ in range(2)]
    for _ in range(5):
        await host.rest()
        await host.client.raise_event("it", "next")
    ends = [(await wait).runtime_status for wait in waits]
    assert ends == [RuntimeStatus.COMPLETED] * 2
    assert host.store.calls["get"] == len(waits)


async def test_what_happens_between_two_looks_of_a_wait_is_not_missed(hub: Hub) -> None:
    waiting = Waiting()
    host = await hub.start(waiting.app)
    await waiting.prepare(host, ACTIVE)
    wait = asyncio.create_task(host.finished("it"))
    await host.rest()
    row = await hub.store.get("it")
    assert row is not None
    end = msgspec.structs.replace(row, status=RuntimeStatus.COMPLETED)
    for report in (row, end, row):  # faster than the wait can look at them
        host.engine.parts.waiters.report(report)
    assert (await wait).runtime_status is RuntimeStatus.COMPLETED


async def test_waiting_for_what_is_there_already_returns_at_once(each_hub: Hub) -> None:
    waiting = Waiting()
    host = await each_hub.start(waiting.app)
    state = await host.run(waiting.ends, 1)
    assert (await host.started(state.instance_id)).output == 1
    assert (await host.finished(state.instance_id)).output == 1
    with pytest.raises(InstanceNotFoundError):
        await host.client.wait_for_instance_start("nobody")


async def test_a_suspended_instance_holds_its_mail_until_it_is_resumed(each_hub: Hub) -> None:
    waiting = Waiting()
    host = await each_hub.start(waiting.app)
    await waiting.prepare(host, ACTIVE)
    await host.client.suspend_instance("it", "a break")
    await host.rest()
    assert await host.status("it") is RuntimeStatus.SUSPENDED
    await host.client.raise_event("it", "go", "held")
    await host.rest()
    assert await host.status("it") is RuntimeStatus.SUSPENDED
    await host.client.suspend_instance("it")  # once more changes nothing
    await host.client.resume_instance("it")
    assert (await host.finished("it")).output == ["old", "held"]
    with pytest.raises(InstanceStateError):
        await host.client.resume_instance("it")


async def test_a_suspension_survives_a_crash(each_hub: Hub) -> None:
    waiting = Waiting()
    first = await each_hub.start(waiting.app)
    await waiting.prepare(first, ACTIVE)
    await first.client.suspend_instance("it")
    await first.rest()
    await first.crash()
    second = await each_hub.start(waiting.app)
    await second.client.raise_event("it", "go", "held")
    await second.rest()
    assert await second.status("it") is RuntimeStatus.SUSPENDED
    await second.client.resume_instance("it")
    assert (await second.finished("it")).output == ["old", "held"]


async def test_what_does_not_exist_is_named(hub: Hub) -> None:
    waiting = Waiting()
    host = await hub.start(waiting.app)
    with pytest.raises(FunctionNotFoundError, match="'waits'"):
        await host.client.schedule_new_orchestration("nothing")
    with pytest.raises(InstanceNotFoundError):
        await host.client.raise_event("nobody", "go")
    with pytest.raises(InvalidArgumentError):
        await host.begin(waiting.ends, instance_id="a/b")
    with pytest.raises(InvalidArgumentError):
        await host.client.raise_event("nobody", "")


async def test_a_http_answer_is_made_of_the_result_or_of_the_links(hub: Hub) -> None:
    waiting = Waiting()
    host = await hub.start(waiting.app)
    state = await host.run(waiting.ends, "text")
    wait = host.client.wait_for_completion_or_create_check_status_response
    response = await wait(None, state.instance_id)
    assert (response.status_code, response.get_body()) == (200, b"text")
    await waiting.prepare(host, ACTIVE)
    response = await wait(None, "it", 0, 0)
    assert response.status_code == 202
    assert response.headers["Location"] == "http://localhost/it"
    with pytest.raises(InvalidArgumentError):
        await wait(None, "it", 1, 2)
