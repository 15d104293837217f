"""Tags of entities: set by their operations, found by lists, given to what the entities start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bindings import (
    Entity,
    EntityContext,
    EntityId,
    EntityQuery,
    EntityState,
    FunctionApp,
    InvalidArgumentError,
    OrchestrationContext,
    OrchestrationQuery,
    RuntimeStatus,
    TaskFailedError,
)
from host.core.entities.turns import MAX_OPERATIONS
from tests.engine.test_entity_cleaning import all_rows, clean, open_aws_hub
from tests.engine.test_entity_transfers import changed
from tests.kit.hub import Host, Hub, open_hub, until

ROME = {"town": "Rome", "size": ""}
PARIS = {"town": "Paris"}
CLASS, FUNCTION = EntityId("Shop", "a"), EntityId("stall", "a")
HOUR = timedelta(hours=1)


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
async def hub(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Hub]:
    kind = request.param
    async with open_aws_hub() if kind == "dynamodb" else open_hub(kind, tmp_path) as hub:
        yield hub


def shops() -> FunctionApp:  # noqa: C901 - an app of many functions
    """The same entity as a class and as a function."""
    app = FunctionApp()

    @app.entity_trigger()
    class Shop(Entity[int]):
        initial_state = 0

        def open(self, tags: dict[str, str]) -> None:
            self.state += 1
            self.context.set_tags(tags)

        def sell(self) -> None:
            self.state += 1

        def fail(self, tags: Any) -> None:
            self.context.set_tags(tags)
            raise ValueError("no")

        def name_only(self, tags: dict[str, str]) -> None:
            self.context.set_tags(tags)

        def tags(self) -> dict[str, str]:
            return dict(self.context.tags)

        def begin(self, instance_id: str) -> None:
            self.context.start_new_orchestration("ends", instance_id=instance_id)
            self.context.set_tags(PARIS)

    @app.entity_trigger()
    def stall(context: EntityContext) -> dict[str, str]:
        match context.operation_name:
            case "open":
                context.set_state(1)
                context.set_tags(context.get_input())
            case "fail":
                context.set_tags(context.get_input())
                raise ValueError("no")
            case "delete":
                context.delete_state()
        return dict(context.tags)

    @app.orchestration_trigger()
    async def ends(_: OrchestrationContext) -> None:
        pass

    @app.orchestration_trigger()
    async def asks(context: OrchestrationContext, asked: list[Any]) -> Any:
        name, operation, *given = asked
        try:
            return await context.call_entity(EntityId(name, "a"), operation, *given)
        except TaskFailedError as error:
            return str(error)

    return app


async def do(host: Host, entity_id: EntityId, operation: str, input_: Any = None) -> None:
    await host.client.signal_entity(entity_id, operation, input_)
    await host.rest()


async def shown(host: Host, entity_id: EntityId) -> EntityState:
    found = await host.client.get_entity(entity_id)
    assert found is not None
    return found


async def found_by(host: Host, tags: Mapping[str, str], **how: Any) -> list[EntityId]:
    page = await host.client.query_entities(EntityQuery(tags=tags, **how))
    assert all(each.tags.items() >= tags.items() for each in page.items)
    return [each.entity_id for each in page.items]


@pytest.mark.parametrize("entity_id", [CLASS, FUNCTION], ids=["class", "function"])
async def test_tags_are_set_changed_and_taken_away_and_lists_find_by_them(
    hub: Hub, entity_id: EntityId
) -> None:
    host = await hub.start(shops())
    await do(host, EntityId(entity_id.name, "plain"), "open", {})
    await do(host, entity_id, "open", ROME)
    assert (await shown(host, entity_id)).tags == ROME
    assert await found_by(host, ROME) == [entity_id]
    assert await found_by(host, {"town": "Rome"}, include_state=False) == [entity_id]
    assert await found_by(host, {"town": "Rome", "size": "large"}) == []
    await do(host, entity_id, "open", PARIS)
    assert (await shown(host, entity_id)).tags == PARIS
    assert await found_by(host, PARIS) == [entity_id]
    assert await found_by(host, {"town": "Rome"}) == []
    await do(host, entity_id, "open", {})
    assert (await shown(host, entity_id)).tags == {}
    assert await found_by(host, PARIS) == []
    assert len(await found_by(host, {})) == 2


async def test_one_that_is_asked_for_by_its_key_must_have_the_tags(hub: Hub) -> None:
    host = await hub.start(shops())
    await do(host, CLASS, "open", ROME)
    assert await found_by(host, ROME, name="Shop", key="a") == [CLASS]
    assert await found_by(host, PARIS, name="Shop", key="a") == []
    hub.clock.jump(HOUR)
    late = hub.clock.now() - timedelta(minutes=1)
    assert await found_by(host, {}, name="Shop", key="a", last_operation_from=late) == []
    assert await found_by(host, {}, name="Shop", key="a", last_operation_to=late) == [CLASS]


@pytest.mark.parametrize("name", ["shop", "stall"])
async def test_an_operation_that_fails_has_set_no_tags(hub: Hub, name: str) -> None:
    host, entity_id = await hub.start(shops()), EntityId(name, "a")
    await do(host, entity_id, "open", ROME)
    answer = (await host.run("asks", [name, "fail", PARIS])).output
    assert "failed: no" in answer
    assert (await host.run("asks", [name, "tags"])).output == ROME
    assert (await shown(host, entity_id)).tags == ROME
    assert await found_by(host, PARIS) == []


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"a:b": "c"}, "A tag's name has no colon"),
        ({"": "c"}, "A tag's name is"),
        ({"a": 1}, "The tag 'a' is"),
        ([1], "Tags are a mapping of at most 100 texts"),
        ({str(n): "" for n in range(101)}, "Tags are a mapping of at most 100 texts"),
    ],
)
@pytest.mark.parametrize("name", ["shop", "stall"])
async def test_what_are_no_tags_fails_the_operation(name: str, tags: Any, said: str) -> None:
    async with open_hub("memory", Path()) as hub:
        host = await hub.start(shops())
        await do(host, EntityId(name, "a"), "open", ROME)
        assert said in (await host.run("asks", [name, "fail", tags])).output
        assert (await shown(host, EntityId(name, "a"))).tags == ROME
        with pytest.raises(InvalidArgumentError, match=said):
            await host.client.query_entities(EntityQuery(tags=tags))


@pytest.mark.parametrize("entity_id", [CLASS, FUNCTION], ids=["class", "function"])
async def test_who_deletes_the_state_deletes_the_tags(hub: Hub, entity_id: EntityId) -> None:
    host = await hub.start(shops())
    await do(host, entity_id, "open", ROME)
    await do(host, entity_id, "delete")
    found = await shown(host, entity_id)
    assert (found.has_state, found.tags) == (False, {})
    assert await found_by(host, ROME, include_without_state=True) == []
    await do(host, entity_id, "open", PARIS)
    assert await found_by(host, PARIS) == [entity_id]


async def test_an_operation_sees_what_it_has_set_and_cannot_write_to_it() -> None:
    app, seen = FunctionApp(), list[Any]()

    @app.entity_trigger()
    def looks(context: EntityContext) -> None:
        given = {"town": "Rome"}
        seen.append(dict(context.tags))
        context.set_tags(given)
        given["town"] = "Paris"
        seen.append(dict(context.tags))
        with pytest.raises(TypeError):
            context.tags["town"] = "Oslo"  # type: ignore[index]
        context.delete_state()
        seen.append(dict(context.tags))
        context.set_tags({"town": "Bern"})

    async with open_hub("memory", Path()) as hub:
        host = await hub.start(app)
        await do(host, EntityId("looks", "a"), "look")
        assert seen == [{}, {"town": "Rome"}, {}]
        assert (await shown(host, EntityId("looks", "a"))).tags == {"town": "Bern"}


async def test_tags_outlast_batches_and_hosts(hub: Hub) -> None:
    host = await hub.start(shops())
    await do(host, CLASS, "open", ROME)
    await host.crash()
    host = await hub.start(FunctionApp())
    many = MAX_OPERATIONS + 1  # more than one batch does
    await asyncio.gather(*(host.client.signal_entity(CLASS, "sell") for _ in range(many)))
    host.swap(shops())
    host.engine.functions_changed()

    async def all_is_done() -> bool:
        return bool((await shown(host, CLASS)).state == many + 1)

    await until(all_is_done)
    assert (await shown(host, CLASS)).tags == ROME
    await host.crash()
    other = await hub.start(shops())
    assert await found_by(other, ROME) == [CLASS]
    assert (await other.run("asks", ["shop", "tags"])).output == ROME
    await do(other, CLASS, "open", PARIS)
    assert await found_by(other, ROME) == []
    assert await found_by(other, PARIS) == [CLASS]


async def test_what_an_entity_starts_has_its_tags_as_they_are_after_the_batch(hub: Hub) -> None:
    host = await hub.start(shops())
    await do(host, CLASS, "open", ROME)
    await do(host, CLASS, "begin", "started")
    assert (await host.finished("started")).tags == PARIS
    page = await host.client.query_instances(OrchestrationQuery(tags=PARIS))
    assert [each.instance_id for each in page.items] == ["started"]


async def test_what_is_started_again_after_a_crash_has_the_tags_too(hub: Hub) -> None:
    """A host dies when the batch is stored, and before anything is sent."""
    host = await hub.start(shops())
    await do(host, CLASS, "begin", "started")
    before = await hub.store.load(str(CLASS))
    assert before is not None
    behind = msgspec.structs.replace(before.instance, last_number=-1, entity=None, tags={})
    planted = msgspec.structs.replace(before, instance=behind, wake_at=hub.clock.now())
    async with open_hub("memory", Path()) as other:
        await other.store.plant(planted, leaves_work=True)
        last = await other.start(shops())
        await last.rest()
        found = await last.finished("started")
        assert (found.runtime_status, found.tags) == (RuntimeStatus.COMPLETED, PARIS)
        await do(last, CLASS, "sell")
        assert await found_by(last, PARIS) == [CLASS]


@pytest.mark.parametrize("said", [{}, PARIS, None], ids=["none", "others", "its own"])
async def test_tags_go_from_hub_to_hub_and_the_last_batch_is_believed(
    hub: Hub, said: dict[str, str] | None
) -> None:
    host = await hub.start(shops())
    await do(host, CLASS, "open", ROME)
    lines = [line async for line in host.client.export_instances()]
    if said is not None:
        lines = [changed(line, lambda x: x["instance"].update(tags=said)) for line in lines]
    async with open_hub("memory", Path()) as other:
        target = await other.start(shops())
        (outcome,) = [each async for each in target.client.import_instances(lines)]
        assert outcome.status == "imported"
        await target.rest()
        assert (await shown(target, CLASS)).tags == ROME
        assert await found_by(target, ROME, include_state=False) == [CLASS]
        await do(target, CLASS, "begin", "started")
        assert (await target.finished("started")).tags == PARIS
        assert await found_by(target, ROME) == []


async def test_an_entity_with_tags_and_without_a_state_is_not_empty(hub: Hub) -> None:
    host = await hub.start(shops())
    await do(host, CLASS, "name_only", ROME)
    await do(host, FUNCTION, "look")
    assert await found_by(host, ROME) == []
    assert await found_by(host, ROME, include_without_state=True) == [CLASS]
    hub.clock.jump(HOUR)
    assert (await clean(hub, host)).empty_entities_removed == 1
    assert await all_rows(hub) == {str(CLASS)}
    await do(host, CLASS, "name_only", {})
    hub.clock.jump(HOUR)
    assert (await clean(hub, host)).empty_entities_removed == 1
    assert await all_rows(hub) == set()
