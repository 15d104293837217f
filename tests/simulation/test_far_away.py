"""A host whose every request takes its time has many of them under way at once."""

from __future__ import annotations

import asyncio

import pytest

from bindings import FunctionApp, OrchestrationContext
from tests.simulation.calm import CalmHub

ANSWER_S = 0.02
COUNT = 1000
LONGEST_S = 1.25
"""Less than one poll after the other would take, at ten messages in 20 ms: two seconds."""

app = FunctionApp()


@app.orchestration_trigger()
async def echo(context: OrchestrationContext, number: int) -> int:
    return number


@pytest.mark.timeout(300)
def test_found_f8_a_thousand_wake_ups_are_not_received_ten_in_each_20_ms() -> None:
    hub = CalmHub(answer_s=ANSWER_S)

    async def go() -> float:
        host = await hub.host(app, max_concurrent_orchestrators=COUNT)
        begun = hub.loop.time()
        starts = [
            host.client.schedule_new_orchestration(echo, input=number, instance_id=f"i{number}")
            for number in range(COUNT)
        ]
        await asyncio.gather(*starts)
        for _ in range(COUNT):
            await asyncio.sleep(ANSWER_S)
            if not (host.engine.open_sessions or len(hub.wakeups)):
                break
        return hub.loop.time() - begun

    assert hub.run(go()) <= LONGEST_S
