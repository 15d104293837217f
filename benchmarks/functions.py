"""The functions that are measured: as small as they can be, so that the engine is what is seen."""

from __future__ import annotations

from typing import Any

from bindings import Entity, EntityId, FunctionApp, OrchestrationContext, when_all, when_any

app = FunctionApp()

CITIES = ("Tokyo", "Seattle", "London", "Paris", "Oslo")


@app.activity_trigger()
async def say_hello(city: str) -> str:
    return f"Hello {city}!"


@app.activity_trigger()
def say_hello_in_thread(city: str) -> str:
    return f"Hello {city}!"


@app.activity_trigger()
async def one(_number: int) -> int:
    return 1


@app.orchestration_trigger()
async def hello5(context: OrchestrationContext) -> list[str]:
    return [await context.call_activity(say_hello, city) for city in CITIES]


@app.orchestration_trigger()
async def hello5_in_threads(context: OrchestrationContext) -> list[str]:
    return [await context.call_activity(say_hello_in_thread, city) for city in CITIES]


@app.orchestration_trigger()
async def fan_out(context: OrchestrationContext, width: int) -> int:
    return sum(await when_all([context.call_activity(one, number) for number in range(width)]))


@app.orchestration_trigger()
async def sequence(context: OrchestrationContext, steps: int) -> int:
    done = 0
    for number in range(steps):
        done += await context.call_activity(one, number)
    return done


@app.orchestration_trigger()
async def one_by_one(context: OrchestrationContext, width: int) -> int:
    left = [context.call_activity(one, number) for number in range(width)]
    done = 0
    while left:
        winner = await when_any(left)
        left.remove(winner)
        done += winner.result
    context.set_custom_status("waiting")
    await context.wait_for_external_event("end")
    return done


@app.entity_trigger()
class Counter(Entity[int]):
    initial_state = 0

    def add(self, number: int) -> int:
        self.state += number
        return self.state


@app.entity_trigger(entity_name="async_counter")
class AsyncCounter(Entity[int]):
    initial_state = 0

    async def add(self, number: int) -> int:
        self.state += number
        return self.state


@app.orchestration_trigger()
async def call_many(context: OrchestrationContext, given: dict[str, Any]) -> int:
    entity = EntityId(given["name"], "one")
    done = 0
    for _ in range(given["calls"]):
        done = await context.call_entity(entity, "add", 1)
    return done


@app.orchestration_trigger()
async def section(context: OrchestrationContext) -> int:
    one, other = EntityId("counter", "left"), EntityId("counter", "right")
    async with context.lock_entities(one, other):
        return int(await context.call_entity(one, "add", 1))
