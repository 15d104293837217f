"""Entities go from one hub to another as lines of JSON, before those that ask them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bindings import EntityId, FunctionApp, OrchestrationContext, OrchestrationQuery
from host.cli.unfinished import unfinished_in_file
from host.core.history import EntityOperationSignaled
from host.core.records import Message, Snapshot
from host.storage.memory import MemoryStore
from tests.engine.test_entities import counters, state_of
from tests.engine.test_entity_cleaning import open_aws_hub
from tests.kit.hub import Host, Hub, open_hub, until

HOUR = timedelta(hours=1)
A, B = EntityId("tally", "a"), EntityId("tally", "b")
TIME = "2024-01-01T00:00:00Z"
PAIRS = [("memory", "memory"), ("sqlite", "dynamodb"), ("dynamodb", "sqlite")]


def app() -> FunctionApp:
    found = counters()

    @found.orchestration_trigger()
    async def ask(context: OrchestrationContext, key: str) -> Any:
        await context.wait_for_external_event("go")
        return await context.call_entity(EntityId("tally", key), "add", 10)

    return found


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[Hub]:
    async with open_aws_hub() if kind == "dynamodb" else open_hub(kind, folder) as hub:
        yield hub


@pytest.fixture(params=PAIRS, ids=" to ".join)
async def hubs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Hub, Hub]]:
    source, target = request.param
    for each in "ab":
        (tmp_path / each).mkdir()
    async with opened(source, tmp_path / "a") as one, opened(target, tmp_path / "b") as other:
        yield one, other


async def exported(host: Host, query: OrchestrationQuery | None = None, **how: Any) -> list[bytes]:
    return [line async for line in host.client.export_instances(query, **how)]


async def imported(host: Host, lines: list[bytes], **how: Any) -> list[str]:
    found = [each async for each in host.client.import_instances(lines, **how)]
    assert all((each.error is None) == (each.status == "imported") for each in found)
    return [each.status for each in found]


def ids_of(lines: list[bytes]) -> list[str]:
    return [json.loads(line)["instance"]["instance_id"] for line in lines]


async def add(host: Host, entity_id: EntityId, number: int, **how: Any) -> None:
    await host.client.signal_entity(entity_id, "add", number, **how)


async def shows(host: Host, entity_id: EntityId, state: Any) -> None:
    async def is_there() -> bool:
        return bool(await state_of(host, entity_id) == state)

    await until(is_there)


async def test_states_go_along_and_entities_go_on(hubs: tuple[Hub, Hub]) -> None:
    source, target = hubs
    one, other = await source.start(app()), await target.start(app())
    for number in range(5):
        await add(one, A, number)
    await add(one, B, 1)
    await shows(one, A, 10)
    await shows(one, B, 1)
    lines = await exported(one)
    assert set(ids_of(lines)) == {str(A), str(B)}
    assert await imported(other, lines) == ["imported"] * 2
    assert (await state_of(other, A), await state_of(other, B)) == (10, 1)
    await add(other, A, 1)
    await shows(other, A, 11)
    assert await imported(other, lines) == ["exists"] * 2
    assert await state_of(one, A) == 10


async def test_what_waits_goes_along(hubs: tuple[Hub, Hub]) -> None:
    source, target = hubs
    one = await source.start(app())
    await add(one, A, 1)
    await add(one, A, 100, signal_time=2 * HOUR)
    await shows(one, A, 1)
    one.swap(FunctionApp())
    await add(one, A, 5)  # nobody can do it here
    other = await target.start(app())
    assert await imported(other, await exported(one)) == ["imported"]
    await shows(other, A, 6)
    await target.clock.advance(HOUR)
    await other.rest()
    assert await state_of(other, A) == 6
    await target.clock.advance(2 * HOUR)
    await shows(other, A, 106)


async def test_what_was_done_is_not_done_again(hubs: tuple[Hub, Hub]) -> None:
    source, target = hubs
    one, other = await source.start(app()), await target.start(app())
    event = EntityOperationSignaled(
        timestamp=source.clock.now(), task_id=0, instance_id=str(A), operation="add", input="7"
    )
    again = Message(message_id="f" * 32, event=event)
    await source.store.send(str(A), again)
    await one.queues.send_wakeups([str(A)])
    await shows(one, A, 7)
    await imported(other, await exported(one))
    await target.store.send(str(A), again)
    await add(other, A, 1)
    await shows(other, A, 8)


async def test_entities_come_before_those_that_ask_them(hubs: tuple[Hub, Hub]) -> None:
    source, target = hubs
    one, other = await source.start(app()), await target.start(app())
    await add(one, A, 1)
    await shows(one, A, 1)
    await one.begin("ask", "a", instance_id="asks")
    await one.started("asks")
    lines = await exported(one)
    assert ids_of(lines) == [str(A), "asks"]
    assert await imported(other, lines) == ["imported"] * 2
    await other.client.raise_event("asks", "go")
    assert (await other.finished("asks")).output == 11


async def test_one_that_has_asked_entities_can_be_imported(hubs: tuple[Hub, Hub]) -> None:
    source, target = hubs
    one, other = await source.start(app()), await target.start(app())
    assert (await one.run("add_twice", "x", instance_id="twice")).output == [5, 12]
    assert await imported(other, await exported(one)) == ["imported"] * 2
    assert (await other.finished("twice")).output == [5, 12]
    assert await state_of(other, EntityId("counter", "x")) == 12


async def test_who_is_in_a_section_goes_along_and_holds_it(hubs: tuple[Hub, Hub]) -> None:
    def with_section() -> FunctionApp:
        found = app()

        @found.orchestration_trigger()
        async def hold(context: OrchestrationContext) -> Any:
            async with context.lock_entities(A, B):
                await context.wait_for_external_event("go")
                return await context.call_entity(A, "add", 1)

        return found

    source, target = hubs
    one, other = await source.start(with_section()), await target.start(with_section())
    await one.begin("hold", instance_id="holds")

    async def is_locked() -> bool:
        found = await one.client.get_entity(B)
        return found is not None and found.locked_by == "holds"

    await until(is_locked)
    await add(one, A, 100)  # it waits for the end of the section
    lines = await exported(one)
    assert await imported(other, lines) == ["imported"] * 3
    await other.client.raise_event("holds", "go")
    assert (await other.finished("holds")).output == 1
    await shows(other, A, 101)


async def test_a_move_copies_entities(hubs: tuple[Hub, Hub]) -> None:
    source, target = hubs
    one, other = await source.start(app()), await target.start(app())
    await add(one, A, 1)
    await shows(one, A, 1)
    lines = await exported(one, move=True)
    assert await state_of(one, A) == 1
    assert await imported(other, lines, suspended=True) == ["imported"]
    await add(other, A, 1)
    await shows(other, A, 2)


async def test_who_asks_for_some_instances_gets_no_entities_unless_he_says_so(hub: Hub) -> None:
    host = await hub.start(app())
    await add(host, A, 1)
    await shows(host, A, 1)
    await host.begin("ask", "a", instance_id="asks")
    await host.started("asks")
    some = OrchestrationQuery(name="ask")
    assert ids_of(await exported(host, some)) == ["asks"]
    assert ids_of(await exported(host, some, entities=True)) == [str(A), "asks"]
    assert ids_of(await exported(host, entities=False)) == ["asks"]
    assert ids_of([line async for line in host.client.export_instance("asks")]) == ["asks"]


async def test_who_checks_a_deployment_passes_over_entities(hub: Hub, tmp_path: Path) -> None:
    host = await hub.start(app())
    await add(host, A, 1)
    await shows(host, A, 1)
    await host.begin("ask", "a", instance_id="asks")
    await host.started("asks")
    file = tmp_path / "all.ndjson"
    lines = await exported(host)
    await asyncio.to_thread(file.write_bytes, b"".join(lines))
    found = [case async for case in unfinished_in_file(file)]
    assert [each.instance.instance_id for each in found if isinstance(each, Snapshot)] == ["asks"]
    assert len(found) == 1


def changed(line: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    said = json.loads(line)
    change(said)
    return json.dumps(said).encode()


def checkpoint(said: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = said["history"][0]["batch"]["events"][-1]
    return found


def lock_request(entity_id: str, position: int) -> dict[str, Any]:
    asker = {"instance_id": "i", "execution_id": "e", "task_id": 1}
    event = {"type": 36, "timestamp": TIME, "task_id": 1, "entities": [entity_id]}
    return {"message_id": "m", "event": event | {"position": position, "parent": asker}}


HOSTILE: dict[str, Callable[[dict[str, Any]], object]] = {
    "another name": lambda x: x["instance"].update(name="@other"),
    "upper case": lambda x: x["instance"].update(instance_id="@Tally@a", name="@Tally"),
    "a key that cannot be": lambda x: x["instance"].update(instance_id="@tally@a/b"),
    "finished": lambda x: x["instance"].update(status="Completed"),
    "a parent": lambda x: x["instance"].update(
        parent={"instance_id": "p", "execution_id": "e", "task_id": 1}
    ),
    "an input": lambda x: x["instance"].update(input="1"),
    "a generation": lambda x: x["instance"].update(generation=2),
    "a turn that is not there": lambda x: x["instance"].update(turn=77),
    "another number": lambda x: x["history"][0].update(number=3),
    "another execution": lambda x: x["history"][0].update(execution_id="other"),
    "two batches": lambda x: x["history"].append(x["history"][0]),
    "no batch": lambda x: x.update(history=[]),
    "no checkpoint": lambda x: x["history"][0]["batch"]["events"].pop(),
    "no start of the turn": lambda x: x["history"][0]["batch"]["events"].pop(0),
    "a state that is no JSON": lambda x: checkpoint(x).update(state="{"),
    "an empty state": lambda x: checkpoint(x).update(state=" "),
    "a number out of range": lambda x: checkpoint(x).update(number=-5),
    "tags that are none": lambda x: checkpoint(x).update(tags={"a:b": "c"}),
    "tags of another kind": lambda x: checkpoint(x).update(tags={"a": 1}),
    "an id that cannot be": lambda x: checkpoint(x).update(recent=["a b"]),
    "a lock of others": lambda x: x.update(inbox=[lock_request("@tally@b", 0)]),
    "a lock beyond its end": lambda x: x.update(inbox=[lock_request("@tally@a", 1)]),
    "a signal to another": lambda x: x.update(
        inbox=[
            {
                "message_id": "m",
                "event": {
                    "type": 31,
                    "timestamp": TIME,
                    "task_id": 0,
                    "instance_id": "@tally@b",
                    "operation": "add",
                },
            }
        ]
    ),
    "an orchestration's event": lambda x: x.update(
        inbox=[{"message_id": "m", "event": {"type": 15, "timestamp": TIME, "name": "n"}}]
    ),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
async def test_what_no_hub_wrote_is_refused(
    hub: Hub, change: Callable[[dict[str, Any]], object]
) -> None:
    host = await hub.start(app())
    await add(host, A, 1)
    await shows(host, A, 1)
    (line,) = await exported(host)
    target = Hub(MemoryStore(hub.clock.now), hub.clock)
    other = await target.start(app())
    assert await imported(other, [changed(line, change)]) == ["refused"]
    assert await imported(other, [line]) == ["imported"]
    await target.close()
