"""Instances go from one hub to another as lines of JSON, and go on there."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bindings import (
    FunctionApp,
    InstanceNotFoundError,
    InstanceStateError,
    InvalidArgumentError,
    OrchestrationContext,
    OrchestrationQuery,
    RuntimeStatus,
)
from tests.kit.hub import Host, Hub, open_hub, until

COMPLETED = RuntimeStatus.COMPLETED


class Works:
    """Orchestrators whose activities can be held."""

    def __init__(self) -> None:  # noqa: C901 - many small functions
        self.app = FunctionApp()
        self.ran: Counter[str] = Counter()
        self.held: dict[str, asyncio.Event] = {}

        @self.app.activity_trigger()
        async def work(name: str) -> str:
            self.ran[name] += 1
            if name in self.held:
                await self.held[name].wait()
            return f"{name} done"

        @self.app.activity_trigger(at_most_once=True)
        async def once(name: str) -> str:
            self.ran[name] += 1
            if name in self.held:
                await self.held[name].wait()
            return f"{name} done"

        @self.app.orchestration_trigger()
        async def line(context: OrchestrationContext, names: list[str]) -> list[str]:
            return [await context.call_activity(work, name) for name in names]

        @self.app.orchestration_trigger()
        async def careful(context: OrchestrationContext, name: str) -> str:
            return str(await context.call_activity(once, name))

        @self.app.orchestration_trigger()
        async def hears(context: OrchestrationContext, count: int) -> list[Any]:
            heard = [await context.wait_for_external_event("said") for _ in range(count)]
            context.set_custom_status(heard)
            return heard

        @self.app.orchestration_trigger()
        async def parent(context: OrchestrationContext) -> list[Any]:
            return [await context.call_sub_orchestrator("hears", 1, instance_id="child")]

        @self.app.orchestration_trigger()
        async def rounds(context: OrchestrationContext, number: int) -> int:
            said = await context.wait_for_external_event("said")
            if said == "end":
                return number
            context.continue_as_new(number + 1)
            return 0

        @self.app.orchestration_trigger()
        async def sleeps(context: OrchestrationContext) -> str:
            await context.create_timer(timedelta(hours=1))
            return "awake"

        self.line, self.hears, self.parent, self.rounds = line, hears, parent, rounds
        self.sleeps, self.careful = sleeps, careful


@asynccontextmanager
async def two_hubs(kind: str, folder: Path) -> AsyncIterator[tuple[Hub, Hub]]:
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    async with open_hub(kind, folder / "a") as one, open_hub("memory", folder / "b") as other:
        yield one, other


@pytest.fixture(params=["memory", "sqlite"])
async def hubs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Hub, Hub]]:
    """A hub, and another one."""
    async with two_hubs(request.param, tmp_path) as both:
        yield both


async def lines_of(host: Host, instance_id: str, *, moves: bool = False) -> list[bytes]:
    return [line async for line in host.client.export_instance(instance_id, move=moves)]


async def all_lines(host: Host, *, moves: bool = False, **query: Any) -> list[bytes]:
    wanted = OrchestrationQuery(**query)
    return [line async for line in host.client.export_instances(wanted, move=moves)]


async def import_all(host: Host, lines: list[bytes], *, suspended: bool = False) -> None:
    answers = [x async for x in host.client.import_instances(lines, suspended=suspended)]
    assert [(x.status, x.error) for x in answers] == [("imported", None)] * len(lines)


async def completed(host: Host, instance_id: str = "i") -> Any:
    state = await host.finished(instance_id)
    assert state.runtime_status is COMPLETED, state
    return state.output


async def test_a_finished_one_is_the_same_elsewhere(hubs: tuple[Hub, Hub]) -> None:
    works = Works()
    source, target = await hubs[0].start(works.app), await hubs[1].start(works.app)
    state = await source.run(works.line, ["a", "b"], instance_id="i", tags={"k": "v"})
    await import_all(target, await lines_of(source, "i"))
    assert await target.client.get_instance("i") == state
    history = await source.client.get_instance_history("i")
    assert await target.client.get_instance_history("i") == history
    assert await all_lines(target) == await all_lines(source)
    again = await lines_of(source, "i")
    (answer,) = [x async for x in target.client.import_instances([b"", *again])]
    assert (answer.line, answer.status, answer.instance_id) == (2, "exists", "i")
    assert await target.client.purge_instance("i") == 1


async def test_a_running_one_goes_on(hubs: tuple[Hub, Hub]) -> None:
    works = Works()
    source, target = await hubs[0].start(works.app), await hubs[1].start(works.app)
    await source.begin(works.hears, 2, instance_id="i")
    await source.client.raise_event("i", "said", "one")
    await source.rest()
    await import_all(target, await lines_of(source, "i"))
    await target.client.raise_event("i", "said", "two")
    assert await completed(target) == ["one", "two"]
    assert await source.status("i") is RuntimeStatus.RUNNING


async def test_an_activity_that_ran_runs_again_unless_at_most_once(hubs: tuple[Hub, Hub]) -> None:
    works, others = Works(), Works()
    works.held = {"a": asyncio.Event(), "o": asyncio.Event()}
    source, target = await hubs[0].start(works.app), await hubs[1].start(others.app)
    await source.begin(works.line, ["a"], instance_id="i")
    await source.begin(works.careful, "o", instance_id="c")
    await until(lambda: works.ran == {"a": 1, "o": 1})
    await import_all(target, await all_lines(source))
    assert await completed(target) == ["a done"]
    lost = await target.finished("c")
    assert lost.runtime_status is RuntimeStatus.FAILED
    assert others.ran == {"a": 1}
    for each in works.held.values():
        each.set()


async def test_timers_and_scheduled_starts_keep_their_times(hubs: tuple[Hub, Hub]) -> None:
    works = Works()
    source, target = await hubs[0].start(works.app), await hubs[1].start(works.app)
    await source.begin(works.sleeps, instance_id="i")
    await source.started("i")
    await source.rest()
    await source.begin(works.line, ["a"], instance_id="later", start_at=timedelta(hours=2))
    await import_all(target, await all_lines(source))
    await target.rest()
    assert await target.status("i") is RuntimeStatus.RUNNING
    assert await target.status("later") is RuntimeStatus.PENDING
    await hubs[1].clock.advance(timedelta(hours=1, seconds=1))
    assert await completed(target) == "awake"
    await hubs[1].clock.advance(timedelta(hours=1, seconds=1))
    assert await completed(target, "later") == ["a done"]


async def test_one_that_continued_as_new_goes_on(hubs: tuple[Hub, Hub]) -> None:
    works = Works()
    source, target = await hubs[0].start(works.app), await hubs[1].start(works.app)
    await source.begin(works.rounds, 0, instance_id="i")
    for _ in range(3):
        await source.client.raise_event("i", "said", "on")
        await source.rest()
    await import_all(target, await lines_of(source, "i"))
    await target.client.raise_event("i", "said", "on")
    await target.rest()
    await target.client.raise_event("i", "said", "end")
    assert await completed(target) == 4


async def test_an_imported_one_may_wait_suspended(hubs: tuple[Hub, Hub]) -> None:
    works = Works()
    source, target = await hubs[0].start(works.app), await hubs[1].start(works.app)
    await source.begin(works.hears, 1, instance_id="i")
    await source.rest()
    await import_all(target, await lines_of(source, "i"), suspended=True)
    await target.client.raise_event("i", "said", "one")
    await target.rest()
    assert await target.status("i") is RuntimeStatus.SUSPENDED
    await target.client.resume_instance("i")
    assert await completed(target) == ["one"]


@pytest.mark.parametrize("order", ["parent first", "child first"])
async def test_a_parent_hears_of_its_child_whoever_comes_first(
    hubs: tuple[Hub, Hub], order: str
) -> None:
    works = Works()
    source, target = await hubs[0].start(works.app), await hubs[1].start(works.app)
    await source.begin(works.parent, instance_id="i")
    await source.rest()
    (parent, _) = await lines_of(source, "i")
    await source.client.raise_event("child", "said", "word")
    assert await completed(source) == [["word"]]
    (child,) = await lines_of(source, "child")
    both = [parent, child] if order == "parent first" else [child, parent]
    await import_all(target, both)
    assert await completed(target) == [["word"]]


async def test_an_instance_is_exported_with_the_children_that_it_waits_for(
    hubs: tuple[Hub, Hub],
) -> None:
    works = Works()
    source, target = await hubs[0].start(works.app), await hubs[1].start(works.app)
    await source.begin(works.parent, instance_id="i")
    await source.rest()
    await import_all(target, await lines_of(source, "i"))
    await target.client.raise_event("child", "said", "word")
    assert await completed(target) == [["word"]]


async def test_a_move_takes_a_tree_away_and_loses_nothing_of_it(hubs: tuple[Hub, Hub]) -> None:
    works = Works()
    source, target = await hubs[0].start(works.app), await hubs[1].start(works.app)
    await source.begin(works.parent, instance_id="i")
    await source.rest()
    lines = await all_lines(source, moves=True)
    assert [json.loads(x)["instance"]["instance_id"] for x in lines] == ["i", "child"]
    again = await all_lines(source, moves=True)
    assert [json.loads(x)["history"] for x in again] == [json.loads(x)["history"] for x in lines]
    for each in ("i", "child"):
        state = await source.finished(each)
        assert state.runtime_status is RuntimeStatus.TERMINATED
        assert state.output == "Moved by an export."
    await import_all(target, lines)
    await target.client.raise_event("child", "said", "word")
    assert await completed(target) == [["word"]]


async def test_what_was_moved_can_be_exported_again(hubs: tuple[Hub, Hub]) -> None:
    """The line may be lost with who was to get it. What waited in the inbox is in it, too."""
    works = Works()
    source, target = await hubs[0].start(works.app), await hubs[1].start(works.app)
    await source.begin(works.hears, 2, instance_id="i")
    await source.rest()
    await source.client.suspend_instance("i")
    await source.rest()
    await source.client.raise_event("i", "said", "one")
    await source.rest()
    first = await lines_of(source, "i", moves=True)
    again = await lines_of(source, "i", moves=True)
    assert (await source.finished("i")).runtime_status is RuntimeStatus.TERMINATED
    plain = json.loads((await lines_of(source, "i"))[0])
    assert plain["instance"]["status"] == "Terminated"
    for number, lines in enumerate((first, again)):
        await import_all(target, lines)
        await target.client.raise_event("i", "said", "two")
        await target.client.resume_instance("i")
        assert await completed(target) == ["one", "two"], number
        await target.client.purge_instance("i")


async def test_a_child_does_not_move_away_from_its_parent(hubs: tuple[Hub, Hub]) -> None:
    works = Works()
    source = await hubs[0].start(works.app)
    await source.begin(works.parent, instance_id="i")
    await source.rest()
    with pytest.raises(InstanceStateError):
        await lines_of(source, "child", moves=True)
    assert await all_lines(source, moves=True, name="hears") == []
    with pytest.raises(InstanceNotFoundError):
        await lines_of(source, "nobody")
    assert await source.status("child") is RuntimeStatus.RUNNING


async def test_a_filter_says_which(hubs: tuple[Hub, Hub]) -> None:
    works = Works()
    source = await hubs[0].start(works.app)
    for number in range(70):
        await source.begin(works.line, [], instance_id=f"{number}")
    await source.begin(works.sleeps, instance_id="s")
    await source.rest()
    assert len(await all_lines(source)) == 71
    assert len(await all_lines(source, name="line")) == 70
    with pytest.raises(InvalidArgumentError):
        await all_lines(source, name=7)


async def ring(source: Host, *, ended: bool) -> list[bytes]:
    """Two instances of which each says that it started the other: nobody's history is so."""
    await source.begin("parent", instance_id="i")
    await source.rest()
    if ended:
        await source.client.raise_event("child", "said", "word")
        await source.finished("i")
    said = [json.loads((await lines_of(source, each))[0]) for each in ("i", "child")]
    parent, child = said
    task = {"instance_id": "child", "execution_id": child["instance"]["execution_id"], "task_id": 9}
    events = child["history"][0]["batch"]["events"]
    moment = events[0]["timestamp"]
    events.append(
        {"type": 7, "timestamp": moment, "task_id": 9, "name": "parent", "instance_id": "i"}
    )
    parent["instance"]["parent"] = parent["history"][0]["batch"]["events"][1]["parent"] = task
    return [json.dumps(each).encode() for each in said]


async def test_found_a_ring_of_ended_ones_is_purged_once(hubs: tuple[Hub, Hub]) -> None:
    works = Works()
    source, target = await hubs[0].start(works.app), await hubs[1].start(works.app)
    await import_all(target, await ring(source, ended=True))
    assert await asyncio.wait_for(target.client.purge_instance("i"), 10) == 2


async def test_found_a_ring_of_open_ones_is_exported_once(hubs: tuple[Hub, Hub]) -> None:
    works = Works()
    source, target = await hubs[0].start(works.app), await hubs[1].start(FunctionApp())
    await import_all(target, await ring(source, ended=False))
    assert len(await asyncio.wait_for(lines_of(target, "i"), 10)) == 2


@pytest.mark.parametrize("suspended", [False, True])
async def test_one_whose_row_is_behind_its_end_is_ended_by_the_first_look(
    hubs: tuple[Hub, Hub], *, suspended: bool
) -> None:
    """Its host had stored the end when it was read, and not yet the row."""
    works = Works()
    source, target = await hubs[0].start(works.app), await hubs[1].start(FunctionApp())
    await source.run(works.line, ["a"], instance_id="i")
    (line,) = await lines_of(source, "i")
    said = json.loads(line)
    said["instance"] |= {"status": "Running", "output": None, "turn": 0}
    await import_all(target, [json.dumps(said).encode()], suspended=suspended)
    assert await completed(target) == ["a done"]
