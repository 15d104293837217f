"""Fork: a new instance has the history of another up to an event, and goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from bindings import (
    InstanceAlreadyExistsError,
    InstanceNotFoundError,
    InvalidArgumentError,
    OrchestrationContext,
    RuntimeStatus,
)
from tests.engine.breakable_work import BreakableWork
from tests.kit.hub import Host, Hub, until

COMPLETED, FAILED = RuntimeStatus.COMPLETED, RuntimeStatus.FAILED
Code = Callable[..., Coroutine[Any, Any, Any]]


class Works(BreakableWork):
    """Orchestrators whose activities can be broken or held."""

    def __init__(self) -> None:
        super().__init__()
        work = self.work

        @self.app.orchestration_trigger()
        async def line(context: OrchestrationContext, names: list[str]) -> list[str]:
            drawn = str(context.new_uuid())
            return [drawn, *[await context.call_activity(work, name) for name in names]]

        @self.app.orchestration_trigger()
        async def hears(context: OrchestrationContext, count: int) -> list[Any]:
            heard: list[Any] = []
            for _ in range(count):
                heard.append(await context.wait_for_external_event("said"))
                await context.call_activity(work, str(heard[-1]))
            return heard

        @self.app.orchestration_trigger()
        async def child(context: OrchestrationContext, name: str) -> str:
            return f"{context.instance_id}: {await context.call_activity(work, name)}"

        @self.app.orchestration_trigger()
        async def parent(context: OrchestrationContext, names: list[str]) -> list[str]:
            first = await context.call_sub_orchestrator("child", names[0])
            named = f"{context.instance_id}-named"
            second = await context.call_sub_orchestrator("child", names[1], instance_id=named)
            return [first, second]

        @self.app.orchestration_trigger()
        async def sleeps(context: OrchestrationContext) -> str:
            await context.create_timer(timedelta(hours=1))
            return "awake"

        self.line, self.hears, self.parent, self.sleeps = line, hears, parent, sleeps


async def completed(host: Host, instance_id: str) -> Any:
    state = await host.finished(instance_id)
    assert state.runtime_status is COMPLETED, state
    return state.output


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["EventType"] for event in events]


async def place_of(host: Host, instance_id: str, kind: str, which: int = 0) -> int:
    """The number of an event in the stored history, from 1 on."""
    events = await host.client.get_instance_history(instance_id)
    places = [place for place, each in enumerate(kinds(events), 1) if each == kind]
    return places[which]


async def test_a_failed_one_is_forked_before_its_first_failure(each_hub: Hub) -> None:
    works = Works()
    works.broken = {"b"}
    host = await each_hub.start(works.app)
    state = await host.run(works.line, ["a", "b", "c"], instance_id="i")
    assert state.runtime_status is FAILED
    works.broken = set()
    assert await host.client.fork_instance("i", new_instance_id="f") == "f"
    drawn, *rest = await completed(host, "f")
    assert rest == ["a done", "b done", "c done"]
    assert works.ran == {"a": 1, "b": 2, "c": 1}
    events = await host.client.get_instance_history("f")
    (rewound,) = [each for each in events if each["EventType"] == "ExecutionRewound"]
    assert rewound["Reason"].startswith("Forked from 'i' after event ")
    origin = await host.client.get_instance("i")
    assert origin is not None
    assert origin.runtime_status is FAILED
    again = await host.client.fork_instance("i")
    assert (await completed(host, again))[0] == drawn


async def test_any_event_will_do_to_fork_after(each_hub: Hub) -> None:
    works = Works()
    host = await each_hub.start(works.app)
    state = await host.run(works.line, ["a", "b", "c"], instance_id="i")
    events = await host.client.get_instance_history("i")
    for number in range(len(events) + 1):
        await host.client.fork_instance("i", after_event=number, new_instance_id=f"f{number}")
        assert await completed(host, f"f{number}") == state.output
    with pytest.raises(InvalidArgumentError, match=f"afterEvent is 0 to {len(events)}"):
        await host.client.fork_instance("i", after_event=len(events) + 1)


async def test_a_running_one_is_forked_and_both_go_on(each_hub: Hub) -> None:
    works = Works()
    host = await each_hub.start(works.app)
    await host.client.schedule_new_orchestration(works.hears, input=2, instance_id="i")
    await host.client.raise_event("i", "said", "one")
    await until(lambda: works.ran["one"] == 1)
    number = await place_of(host, "i", "EventRaised")
    await host.client.fork_instance("i", after_event=number, new_instance_id="f")
    await host.client.raise_event("i", "said", "two")
    await host.client.raise_event("f", "said", "other")
    assert await completed(host, "i") == ["one", "two"]
    assert await completed(host, "f") == ["one", "other"]
    assert works.ran == {"one": 2, "two": 1, "other": 1}


async def test_without_an_event_only_a_failed_one_is_forked(each_hub: Hub) -> None:
    works = Works()
    host = await each_hub.start(works.app)
    await host.run(works.line, ["a"], instance_id="i")
    with pytest.raises(InvalidArgumentError, match="has not failed"):
        await host.client.fork_instance("i")
    with pytest.raises(InstanceNotFoundError):
        await host.client.fork_instance("nobody")
    with pytest.raises(InstanceAlreadyExistsError):
        await host.client.fork_instance("i", after_event=0, new_instance_id="i")
    with pytest.raises(InvalidArgumentError, match="instance id"):
        await host.client.fork_instance("i", after_event=0, new_instance_id="a/b")


async def test_only_from_the_start_the_input_may_be_another(each_hub: Hub) -> None:
    works = Works()
    host = await each_hub.start(works.app)
    state = await host.run(works.line, ["a"], instance_id="i")
    await host.client.fork_instance("i", after_event=0, new_instance_id="f", input=["x", "y"])
    drawn, *rest = await completed(host, "f")
    assert (drawn, rest) == (state.output[0], ["x done", "y done"])
    forked = await host.client.get_instance("f")
    assert forked is not None
    assert forked.input == ["x", "y"]
    with pytest.raises(InvalidArgumentError, match="only from the start"):
        await host.client.fork_instance("i", after_event=3, input=["x"])
    await host.client.fork_instance("i", after_event=0, new_instance_id="none", input=None)
    assert (await host.finished("none")).input is None


async def test_results_of_children_are_kept_and_open_ones_are_the_forks_own(
    each_hub: Hub,
) -> None:
    works = Works()
    works.held["b"] = asyncio.Event()
    host = await each_hub.start(works.app)
    await host.client.schedule_new_orchestration(works.parent, input=["a", "b"], instance_id="i")
    await until(lambda: works.ran["b"] == 1)
    events = await host.client.get_instance_history("i")
    await host.client.fork_instance("i", after_event=len(events), new_instance_id="f")
    await until(lambda: works.ran["b"] == 2)
    works.held["b"].set()
    first, second = await completed(host, "i")
    assert (first.split(":")[0], second) == ("i", "i-named: b done")
    assert await completed(host, "f") == [first, "f-named: b done"]
    assert works.ran == {"a": 1, "b": 2}
    child = await host.client.get_instance("f-named")
    assert child is not None
    assert child.parent_instance_id == "f"


async def test_a_fork_of_a_child_answers_nobody(each_hub: Hub) -> None:
    works = Works()
    host = await each_hub.start(works.app)
    state = await host.run(works.parent, ["a", "b"], instance_id="i")
    await host.client.fork_instance("i-named", after_event=0, new_instance_id="f")
    assert await completed(host, "f") == "f: b done"
    forked = await host.client.get_instance("f")
    assert forked is not None
    assert forked.parent_instance_id is None
    assert (await host.client.get_instance("i")) == state


async def test_one_that_has_not_begun_is_forked_as_it_is(each_hub: Hub) -> None:
    works = Works()
    host = await each_hub.start(works.app)
    await host.client.schedule_new_orchestration(
        works.line, input=["a"], instance_id="i", start_at=timedelta(hours=1)
    )
    await host.client.fork_instance("i", after_event=0, new_instance_id="f", input=["b"])
    state = await host.client.get_instance("f")
    origin = await host.client.get_instance("i")
    assert state is not None
    assert origin is not None
    assert (state.runtime_status, state.input) == (RuntimeStatus.PENDING, ["b"])
    assert state.scheduled_start_at == origin.scheduled_start_at


async def test_open_timers_of_a_fork_are_its_own(each_hub: Hub) -> None:
    works = Works()
    host = await each_hub.start(works.app)
    await host.client.schedule_new_orchestration(works.sleeps, instance_id="i")
    await host.client.wait_for_instance_start("i")
    events = await host.client.get_instance_history("i")
    await host.client.fork_instance("i", after_event=len(events), new_instance_id="f")
    state = await host.client.get_instance("f")
    assert state is not None
    assert state.runtime_status is RuntimeStatus.RUNNING


async def test_the_time_of_a_fork_does_not_go_back(each_hub: Hub) -> None:
    """Its host's clock may be behind that of the host that led the origin."""
    works = Works()
    host = await each_hub.start(works.app)
    await each_hub.clock.advance(timedelta(hours=1))
    await host.run(works.line, ["a"], instance_id="i")
    each_hub.clock.set_wall(-timedelta(hours=1))
    for number in (0, 4):
        await host.client.fork_instance("i", after_event=number, new_instance_id=f"f{number}")
        await completed(host, f"f{number}")
        events = await host.client.get_instance_history(f"f{number}")
        turns = [x["Timestamp"] for x in events if x["EventType"] == "OrchestratorStarted"]
        assert turns == sorted(turns)
