"""Rewind: a failed instance goes on from before its failure, and so do its children."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from bindings import (
    InstanceNotFoundError,
    InstanceStateError,
    OrchestrationContext,
    RetryPolicy,
    RuntimeStatus,
    TaskFailedError,
    when_all,
)
from tests.engine.breakable_work import BreakableWork
from tests.kit.hub import Host, Hub, until
from tests.kit.seams import RedeliveringQueues

COMPLETED, FAILED, TERMINATED = (
    RuntimeStatus.COMPLETED,
    RuntimeStatus.FAILED,
    RuntimeStatus.TERMINATED,
)
SECOND = timedelta(seconds=1)
Code = Callable[..., Coroutine[Any, Any, Any]]


class Works(BreakableWork):
    """Orchestrators whose activities fail until they are mended."""

    def add(self, function: Code) -> Code:
        """Let this be an orchestrator of the app."""
        return self.app.orchestration_trigger()(function)

    def line(self) -> Code:
        """One activity after the other."""

        async def line(context: OrchestrationContext, names: list[str]) -> list[str]:
            return [await context.call_activity(self.work, name) for name in names]

        return self.add(line)

    def family(self) -> Code:
        """A parent of a child of a child, whose activity may fail."""

        async def bottom(context: OrchestrationContext, name: str) -> str:
            return str(await context.call_activity(self.work, name))

        async def middle(context: OrchestrationContext, name: str) -> str:
            await context.call_activity(self.work, "before")
            child = context.call_sub_orchestrator("bottom", name, instance_id="bottom")
            return f"middle: {await child}"

        async def top(context: OrchestrationContext, name: str) -> str:
            child = context.call_sub_orchestrator("middle", name, instance_id="middle")
            return f"top: {await child}"

        self.add(bottom)
        self.add(middle)
        return self.add(top)


async def failed(host: Host, code: Code, *args: Any) -> None:
    """Run it as `i`, and see it fail."""
    state = await host.run(code, *args, instance_id="i")
    assert state.runtime_status is FAILED, state


async def completed(host: Host, instance_id: str = "i") -> Any:
    """The output of an instance that completes."""
    state = await host.finished(instance_id)
    assert state.runtime_status is COMPLETED, state
    return state.output


async def test_a_failed_activity_runs_again_and_what_completed_is_kept(each_hub: Hub) -> None:
    works = Works()
    works.broken = {"b"}
    line = works.line()
    host = await each_hub.start(works.app)
    await failed(host, line, ["a", "b", "c"])
    works.broken = set()
    await host.client.rewind_instance("i", "mended")
    assert await completed(host) == ["a done", "b done", "c done"]
    assert works.ran == {"a": 1, "b": 2, "c": 1}
    events = await host.client.get_instance_history("i")
    (rewound,) = [each for each in events if each["EventType"] == "ExecutionRewound"]
    assert rewound["Reason"] == "mended"
    assert "TaskFailed" in [each["EventType"] for each in events]
    state = await host.client.get_instance("i")
    assert state is not None
    assert state.failure_details is None


async def test_what_fails_again_is_rewound_again(each_hub: Hub) -> None:
    works = Works()
    line = works.line()
    works.broken = {"b"}
    host = await each_hub.start(works.app)
    await failed(host, line, ["a", "b", "c"])
    for _ in range(3):
        await host.client.rewind_instance("i")
        assert (await host.finished("i")).runtime_status is FAILED
    works.broken = {"c"}
    await host.client.rewind_instance("i")
    assert (await host.finished("i")).runtime_status is FAILED
    works.broken = set()
    await host.client.rewind_instance("i")
    assert await completed(host) == ["a done", "b done", "c done"]
    assert works.ran == {"a": 1, "b": 5, "c": 2}


async def test_failed_children_go_on_two_levels_deep(each_hub: Hub) -> None:
    works = Works()
    top = works.family()
    works.broken = {"w"}
    host = await each_hub.start(works.app)
    await failed(host, top, "w")
    for _ in range(2):
        await host.client.rewind_instance("i")
        assert (await host.finished("i")).runtime_status is FAILED
    works.broken = set()
    await host.client.rewind_instance("i")
    assert await completed(host) == "top: middle: w done"
    assert await completed(host, "middle") == "middle: w done"
    assert works.ran == {"before": 1, "w": 4}


async def test_a_child_that_was_rewound_by_itself_tells_its_end_once_more(each_hub: Hub) -> None:
    works = Works()
    top = works.family()
    works.broken = {"w"}
    host = await each_hub.start(works.app)
    await failed(host, top, "w")
    works.broken = set()
    await host.client.rewind_instance("bottom")
    assert await completed(host, "bottom") == "w done"
    await host.rest()
    assert await host.status("middle") is FAILED  # nobody waited for it
    await host.client.rewind_instance("i")
    assert await completed(host) == "top: middle: w done"
    assert works.ran["w"] == 2


async def test_a_child_that_was_terminated_fails_its_parent_again(each_hub: Hub) -> None:
    works = Works()
    top = works.family()
    works.held = {"w": asyncio.Event()}
    host = await each_hub.start(works.app)
    await host.begin(top, "w", instance_id="i")
    await until(lambda: works.ran["w"] == 1)
    await host.client.terminate_instance("middle")
    assert (await host.finished("i")).runtime_status is FAILED
    await host.client.rewind_instance("i")
    assert (await host.finished("i")).runtime_status is FAILED
    assert await host.status("middle") is TERMINATED


async def test_a_child_that_is_gone_is_started_again(each_hub: Hub) -> None:
    works = Works()
    top = works.family()
    works.broken = {"w"}
    host = await each_hub.start(works.app)
    await failed(host, top, "w")
    works.broken = set()
    assert await host.client.purge_instance("middle") == 2
    await host.client.rewind_instance("i")
    assert await completed(host) == "top: middle: w done"


async def test_failures_that_the_code_did_not_react_to_run_again(each_hub: Hub) -> None:
    works = Works()

    async def gathers(context: OrchestrationContext, names: list[str]) -> list[str]:
        tasks = [context.call_activity(works.work, name) for name in names]
        outcomes = []
        for task in tasks:
            try:
                outcomes.append(await task)
            except TaskFailedError:
                outcomes.append("failed")
        if "failed" in outcomes:
            raise RuntimeError("not all")
        return outcomes

    works.add(gathers)
    works.broken = {"a", "c"}
    host = await each_hub.start(works.app)
    await failed(host, gathers, ["a", "b", "c", "d"])
    works.broken = set()
    await host.client.rewind_instance("i")
    assert await completed(host) == ["a done", "b done", "c done", "d done"]
    assert works.ran == {"a": 2, "b": 1, "c": 2, "d": 1}


async def test_a_failure_that_the_code_reacted_to_stays(each_hub: Hub) -> None:
    works = Works()

    async def compensates(context: OrchestrationContext) -> None:
        try:
            await context.call_activity(works.work, "a")
        except TaskFailedError:
            await context.call_activity(works.work, "undo")
            raise

    works.add(compensates)
    works.broken = {"a"}
    host = await each_hub.start(works.app)
    await failed(host, compensates)
    works.broken = set()
    await host.client.rewind_instance("i")
    assert (await host.finished("i")).runtime_status is FAILED
    assert works.ran == {"a": 1, "undo": 1}


async def test_the_turn_in_which_the_code_failed_is_taken_again(each_hub: Hub) -> None:
    works, is_wrong = Works(), [True]

    async def checks(context: OrchestrationContext) -> list[str]:
        said = await context.wait_for_external_event("said")
        if is_wrong[0]:
            raise RuntimeError("a mistake")
        return [said, await context.call_activity(works.work, "a")]

    works.add(checks)
    host = await each_hub.start(works.app)
    await host.begin(checks, instance_id="i")
    await host.client.raise_event("i", "said", "hello")
    assert (await host.finished("i")).runtime_status is FAILED
    await host.client.rewind_instance("i")
    assert (await host.finished("i")).runtime_status is FAILED
    is_wrong[0] = False
    await host.client.rewind_instance("i")
    assert await completed(host) == ["hello", "a done"]


async def test_the_first_turn_is_taken_again_and_what_it_began_is_taken_back(
    each_hub: Hub,
) -> None:
    works, is_wrong = Works(), [True]

    async def waits(context: OrchestrationContext) -> str:
        return str(await context.wait_for_external_event("said"))

    async def begins(context: OrchestrationContext, name: str) -> str:
        child = context.call_sub_orchestrator(waits)
        context.send_event("listener", "said", name)
        if is_wrong[0]:
            raise RuntimeError("a mistake")
        return str(await child)

    works.add(waits)
    works.add(begins)
    host = await each_hub.start(works.app)
    await host.begin(waits, instance_id="listener")
    await failed(host, begins, "hello")
    (orphan,) = await children(host)
    is_wrong[0] = False
    await host.client.rewind_instance("i")
    assert (await host.finished(orphan)).runtime_status is TERMINATED

    async def is_begun() -> bool:
        return len(await children(host)) == 2

    await until(is_begun)
    (child,) = {*await children(host)} - {orphan}
    await host.client.raise_event(child, "said", "well")
    assert await completed(host) == "well"


async def children(host: Host) -> list[str]:
    """The ids of those that have a derived id."""
    found = [each.instance_id async for each in host.client.get_all_instances()]
    return [each for each in found if ":" in each]


async def test_what_ran_on_when_the_code_failed_runs_again(each_hub: Hub) -> None:
    works = Works()

    async def fans_out(context: OrchestrationContext, names: list[str]) -> list[str]:
        tasks = [context.call_activity(works.work, name) for name in names]
        return [await task for task in tasks]

    works.add(fans_out)
    works.broken, works.held = {"b"}, {"c": asyncio.Event(), "b": asyncio.Event()}
    host = await each_hub.start(works.app)
    await host.begin(fans_out, ["a", "b", "c"], instance_id="i")
    await until(lambda: sum(works.ran.values()) == 3)
    works.held.pop("b").set()
    assert (await host.finished("i")).runtime_status is FAILED
    works.broken = set()
    await host.client.rewind_instance("i")
    works.held.pop("c").set()
    assert await completed(host) == ["a done", "b done", "c done"]
    assert works.ran == {"a": 1, "b": 2, "c": 2}


async def test_when_all_of_which_several_failed(each_hub: Hub) -> None:
    works = Works()

    async def fans_out(context: OrchestrationContext, names: list[str]) -> list[str]:
        return await when_all([context.call_activity(works.work, name) for name in names])

    works.add(fans_out)
    works.broken = {"b", "d"}
    host = await each_hub.start(works.app)
    await failed(host, fans_out, ["a", "b", "c", "d"])
    works.broken = set()
    await host.client.rewind_instance("i")
    assert await completed(host) == ["a done", "b done", "c done", "d done"]
    assert works.ran == {"a": 1, "b": 2, "c": 1, "d": 2}


async def test_several_that_failed_in_a_child_run_again(each_hub: Hub) -> None:
    works = Works()

    async def child(context: OrchestrationContext) -> list[str]:
        return await when_all([context.call_activity(works.work, name) for name in "abc"])

    async def parents(context: OrchestrationContext) -> list[list[str]]:
        calls = [context.call_sub_orchestrator(child, instance_id=f"child-{n}") for n in (1, 2)]
        return await when_all(calls)

    works.add(child)
    works.add(parents)
    works.broken = {"a", "c"}
    host = await each_hub.start(works.app)
    await failed(host, parents)
    await host.rest()
    works.broken = set()
    await host.client.rewind_instance("i")
    assert await completed(host) == [["a done", "b done", "c done"]] * 2
    assert works.ran == {"a": 4, "b": 2, "c": 4}


async def test_a_parent_that_has_got_over_its_child_hears_of_no_rewind(each_hub: Hub) -> None:
    works = Works()

    async def careful(context: OrchestrationContext) -> str:
        try:
            return str(await context.call_sub_orchestrator("bottom", "a", instance_id="bottom"))
        except TaskFailedError:
            return str(await context.wait_for_external_event("instead"))

    works.family()
    works.add(careful)
    works.broken = {"a"}
    host = await each_hub.start(works.app)
    await host.begin(careful, instance_id="i")
    await host.rest()
    assert (await host.finished("bottom")).runtime_status is FAILED
    await host.rest()
    works.broken = set()
    await host.client.rewind_instance("bottom")
    assert await completed(host, "bottom") == "a done"
    await host.rest()
    assert await host.status("i") is RuntimeStatus.RUNNING
    await host.client.raise_event("i", "instead", "by hand")
    assert await completed(host) == "by hand"


async def test_after_all_retries_the_last_one_runs_again(each_hub: Hub) -> None:
    works = Works()
    policy = RetryPolicy(first_retry_interval=SECOND, max_number_of_attempts=3)

    async def retries(context: OrchestrationContext) -> str:
        return str(await context.call_activity(works.work, "a", retry_policy=policy))

    works.add(retries)
    works.broken = {"a"}
    host = await each_hub.start(works.app)
    await host.begin(retries, instance_id="i")
    for attempt in range(1, 4):
        await until(lambda: works.ran["a"] == attempt)  # noqa: B023 - at once
        await host.rest()
        await each_hub.clock.advance(2 * SECOND)
    assert (await host.finished("i")).runtime_status is FAILED
    works.broken = set()
    await host.client.rewind_instance("i")
    assert await completed(host) == "a done"
    assert works.ran == {"a": 4}


async def test_what_continued_as_new_goes_on_in_its_last_execution(each_hub: Hub) -> None:
    works = Works()

    async def rounds(context: OrchestrationContext, number: int) -> str:
        heard = await context.wait_for_external_event("said")
        done = await context.call_activity(works.work, f"{number}")
        if number < 3:
            context.continue_as_new(number + 1, save_events=True)
            return ""
        return f"{heard}: {done}"

    works.add(rounds)
    works.broken = {"2"}
    host = await each_hub.start(works.app)
    await host.begin(rounds, 1, instance_id="i")
    for word in ("one", "two"):
        await host.client.raise_event("i", "said", word)
    assert (await host.finished("i")).runtime_status is FAILED
    works.broken = set()
    await host.client.rewind_instance("i")
    await host.client.raise_event("i", "said", "three")
    assert await completed(host) == "three: 3 done"
    assert works.ran == {"1": 1, "2": 2, "3": 1}


async def test_code_that_went_another_way_goes_on_once_it_is_mended(each_hub: Hub) -> None:
    right, wrong = Works(), Works()

    async def steps(context: OrchestrationContext) -> str:
        await context.call_activity("work", "a")
        await context.wait_for_external_event("said")
        return str(await context.call_activity("work", "b"))

    async def other_steps(context: OrchestrationContext) -> None:
        await context.create_timer(SECOND)

    right.add(steps)
    other_steps.__name__ = "steps"
    wrong.add(other_steps)
    host = await each_hub.start(right.app)
    await host.begin(steps, instance_id="i")
    await until(lambda: right.ran["a"] == 1)
    await host.rest()
    await host.crash()
    host = await each_hub.start(wrong.app)
    await host.client.raise_event("i", "said")
    assert (await host.finished("i")).runtime_status is FAILED
    await host.crash()
    host = await each_hub.start(right.app)
    await host.client.rewind_instance("i")
    await host.client.raise_event("i", "said")
    assert await completed(host) == "b done"
    assert right.ran == {"a": 1, "b": 1}


async def test_a_rewound_instance_can_be_suspended_and_terminated(each_hub: Hub) -> None:
    works = Works()
    line = works.line()
    works.broken = {"a"}
    host = await each_hub.start(works.app)
    await failed(host, line, ["a"])
    works.held = {"a": asyncio.Event()}
    await host.client.rewind_instance("i")
    await host.client.suspend_instance("i")
    await until_status(host, RuntimeStatus.SUSPENDED)
    await host.client.resume_instance("i")
    await until_status(host, RuntimeStatus.RUNNING)
    await host.client.terminate_instance("i")
    assert (await host.finished("i")).runtime_status is TERMINATED


async def until_status(host: Host, status: RuntimeStatus) -> None:
    async def is_so() -> bool:
        return await host.status("i") is status

    await until(is_so)


async def test_only_what_has_failed_is_rewound(each_hub: Hub) -> None:
    works = Works()
    line = works.line()
    works.held = {"a": asyncio.Event()}
    host = await each_hub.start(works.app)
    with pytest.raises(InstanceNotFoundError):
        await host.client.rewind_instance("nobody")
    await host.begin(line, ["a"], instance_id="i")
    await until(lambda: works.ran["a"] == 1)
    with pytest.raises(InstanceStateError) as active:
        await host.client.rewind_instance("i")
    assert not active.value.finished
    works.held.pop("a").set()
    await completed(host)
    with pytest.raises(InstanceStateError) as over:
        await host.client.rewind_instance("i")
    assert over.value.finished


async def test_of_several_rewinds_at_once_one_is_made(each_hub: Hub) -> None:
    works = Works()
    line = works.line()
    works.broken = {"a"}
    host = await each_hub.start(works.app)
    await failed(host, line, ["a"])
    works.broken = set()
    outcomes = await asyncio.gather(
        *(host.client.rewind_instance("i") for _ in range(5)), return_exceptions=True
    )
    assert outcomes.count(None) == 1
    await completed(host)
    assert (await host.history("i")).count("ExecutionRewound") == 1


@pytest.mark.parametrize("level", ["i", "middle", "bottom"])
async def test_a_host_that_dies_right_after_any_of_the_rewinds_leaves_it_to_the_next(
    each_hub: Hub, level: str
) -> None:
    works = Works()
    top = works.family()
    works.broken = {"w"}
    queues = RedeliveringQueues()
    host = await each_hub.start(works.app, queues=queues)
    await failed(host, top, "w")
    works.broken = set()

    async def tear(name: str, args: tuple[Any, ...]) -> None:
        is_it = name == "commit" and args[0].instance_id == level
        host.store.tears_commits = is_it and "Rewound" in type(args[0].batch.events[0]).__name__

    host.store.before = tear
    asking = asyncio.ensure_future(host.client.rewind_instance("i"))
    await until(lambda: host.store.is_severed)
    await asyncio.gather(asking, return_exceptions=True)
    await host.crash()
    await queues.redeliver()
    other = await each_hub.start(works.app, queues=queues)
    if await other.status("i") is FAILED:
        await other.client.rewind_instance("i")
    assert await completed(other) == "top: middle: w done"
