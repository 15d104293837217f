"""Context variables: one context for an execution, one for an activity call."""

from __future__ import annotations

import asyncio
import decimal
from contextvars import ContextVar
from decimal import Decimal
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, when_all
from tests.kit.hub import Hub

Ctx = OrchestrationContext

TENANT: ContextVar[str] = ContextVar("tenant", default="nobody")


def counting_app() -> tuple[FunctionApp, Any, Any]:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def divides(context: Ctx, precision: int) -> list[str]:
        with decimal.localcontext() as numbers:
            numbers.prec = precision
            before = str(Decimal(1) / Decimal(7))
            await context.wait_for_external_event("go")
            within = str(Decimal(1) / Decimal(7))
        return [before, within, str(Decimal(1) / Decimal(7))]

    @app.orchestration_trigger()
    def sets(context: Ctx, tenant: str) -> Any:
        seen = [TENANT.get()]
        token = TENANT.set(tenant)
        yield context.wait_for_external_event("go")
        seen.append(TENANT.get())
        TENANT.reset(token)
        seen.append(TENANT.get())
        return seen

    return app, divides, sets


@pytest.mark.parametrize("is_restarted", [False, True], ids=["in memory", "restarted"])
async def test_found_b2_what_the_code_sets_is_there_after_a_wait_and_only_for_it(
    hub: Hub, is_restarted: bool
) -> None:
    app, divides, sets = counting_app()
    host = await hub.start(app)
    divided = [await host.begin(divides, precision) for precision in (4, 9)]
    tenants = [await host.begin(sets, tenant) for tenant in ("ann", "bob")]
    await host.rest()
    if is_restarted:
        await host.crash()
        host = await hub.start(app)
    for instance_id in (*divided, *tenants):
        await host.client.raise_event(instance_id, "go")
    outputs = [(await host.finished(each)).output for each in divided]
    full = str(Decimal(1) / Decimal(7))
    assert outputs == [["0.1429", "0.1429", full], ["0.142857143", "0.142857143", full]]
    assert [(await host.finished(each)).output for each in tenants] == [
        ["nobody", "ann", "nobody"],
        ["nobody", "bob", "nobody"],
    ]


async def test_found_b2_a_new_execution_begins_with_nothing_set(hub: Hub) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def again(context: Ctx, seen: list[str]) -> list[str]:
        seen = [*seen, TENANT.get()]
        TENANT.set(f"round {len(seen)}")
        if len(seen) < 3:
            context.continue_as_new(seen)
        return seen

    state = await (await hub.start(app)).run(again, [])
    assert state.output == ["nobody"] * 3


async def test_found_b2_nothing_leaks_from_one_activity_to_the_next(hub: Hub) -> None:
    app = FunctionApp()

    def see_and_set(name: str) -> list[str]:
        seen = [TENANT.get(), str(Decimal(1) / Decimal(7))]
        TENANT.set(name)
        decimal.getcontext().prec = 3
        return seen

    @app.activity_trigger()
    def in_a_thread(name: str) -> list[str]:
        return see_and_set(name)

    @app.activity_trigger()
    async def on_the_loop(name: str) -> list[str]:
        seen = see_and_set(name)
        await asyncio.sleep(0)
        assert TENANT.get() == name
        return seen

    @app.orchestration_trigger()
    async def runs(context: Ctx) -> list[Any]:
        TENANT.set("the orchestrator's")
        kinds = ["in_a_thread", "on_the_loop"]
        found = [await context.call_activity(each, str(n)) for n in range(3) for each in kinds]
        return found + await when_all([context.call_activity(each, "x") for each in kinds * 2])

    host = await hub.start(app, max_concurrent_activities=1)
    state = await host.run(runs)
    assert state.output is not None
    assert {tuple(each) for each in state.output} == {("nobody", str(Decimal(1) / Decimal(7)))}
