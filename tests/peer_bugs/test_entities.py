"""Bugs that peers had with entities."""

from __future__ import annotations

from typing import Any

from bindings import Entity, EntityContext, EntityId, FunctionApp, OrchestrationContext
from bindings.errors import TaskFailedError
from tests.kit.hub import Hub, until
from tests.peer_bugs.test_values import FALSY, LIKE_JSON


async def test_bug_38_states_that_look_like_nothing_are_states(each_hub: Hub) -> None:
    app = FunctionApp()

    @app.entity_trigger()
    def keeps(context: EntityContext) -> None:
        before = context.get_state(lambda: "nothing yet")
        if context.operation_name == "set":
            context.set_state(context.get_input())
        context.set_result([before])

    @app.orchestration_trigger()
    async def asks(context: OrchestrationContext, value: Any) -> Any:
        entity = EntityId("keeps", context.instance_id)
        first = await context.call_entity(entity, "set", value)
        return [first, await context.call_entity(entity, "get")]

    host = await each_hub.start(app)
    for number, value in enumerate(FALSY):
        state = await host.run(asks, value, instance_id=f"i{number}")
        assert state.output == [["nothing yet"], [value]]
        found = await host.client.get_entity(EntityId("keeps", f"i{number}"))
        assert found is not None
        assert (found.has_state, found.state) == (True, value)


async def test_bug_39_what_an_operation_returns_or_raises_reaches_its_caller(each_hub: Hub) -> None:
    app = FunctionApp()

    @app.entity_trigger()
    class Echo(Entity[None]):
        initial_state = None

        def say(self, value: Any) -> Any:
            return value

        def fail(self) -> None:
            try:
                raise KeyError("within")
            except KeyError as error:
                raise ValueError("no luck") from error

    @app.orchestration_trigger()
    async def asks(context: OrchestrationContext, values: list[Any]) -> list[Any]:
        entity = EntityId("Echo", "one")
        said = [await context.call_entity(entity, "say", each) for each in values]
        try:
            await context.call_entity(entity, "fail")
        except TaskFailedError as error:
            caught = error.details
        cause = caught.cause
        return [*said, caught.error_type, caught.message, cause and cause.error_type]

    host = await each_hub.start(app)
    values = [*FALSY, *LIKE_JSON]
    state = await host.run(asks, values)
    assert state.output[:-3] == values
    assert [str(each).rpartition(".")[2] for each in state.output[-3:]] == [
        "ValueError",
        "no luck",
        "KeyError",
    ]


async def test_bug_40_an_entity_does_not_grow_with_its_age(each_hub: Hub) -> None:
    app = FunctionApp()

    @app.entity_trigger()
    class Counter(Entity[int]):
        initial_state = 0

        def add(self) -> None:
            self.state += 1

    async def size_after(count: int) -> int:
        async def is_done() -> bool:
            found = await host.client.get_entity(entity)
            return found is not None and found.state == count

        await until(is_done)
        snapshot = await each_hub.store.load(str(entity))
        assert snapshot is not None
        (stored,) = snapshot.batches
        return len(repr(stored.batch.events))  # how many messages a batch takes in is chance

    host, entity = await each_hub.start(app), EntityId("Counter", "one")
    sizes: list[int] = []
    for count in range(100, 701, 200):
        seen = 0 if not sizes else count - 200
        for _ in range(count - seen):
            await host.client.signal_entity(entity, "add")
        sizes.append(await size_after(count))
    assert sizes[-1] <= max(sizes[:-1]) * 1.1
