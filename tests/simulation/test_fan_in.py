"""Many children answer one parent: its group in the queue does not fill up with wake-ups."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bindings import FunctionApp, OrchestrationContext, when_all
from tests.simulation.calm import CalmHub

CHILDREN = 1000
MAX_LEFT = 20

app = FunctionApp()


@app.orchestration_trigger()
async def child(context: OrchestrationContext, number: int) -> int:
    return number


@app.orchestration_trigger()
async def parent(context: OrchestrationContext) -> int:
    return sum(await when_all([context.call_sub_orchestrator(child, n) for n in range(CHILDREN)]))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("hosts", [1, 3])
def test_found_f5_a_fan_in_of_a_thousand_children_leaves_few_wake_ups_over(hosts: int) -> None:
    hub = CalmHub()

    async def go() -> int:
        running = [await hub.host(app) for _ in range(hosts)]
        client = running[0].client
        await client.schedule_new_orchestration(parent, instance_id="parent")
        state = await client.wait_for_instance_completion("parent", timeout=timedelta(hours=1))
        assert state.output == sum(range(CHILDREN))
        return sum(1 for group in hub.wakeups.groups() if group == "parent")

    left = hub.run(go())
    assert left <= MAX_LEFT
