"""An orchestrator that blocks the event loop is reported by name, in health and in the log."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

from bindings import FunctionApp, OrchestrationContext
from tests.kit.hub import Host, Hub


class Listener(logging.Handler):
    """Lets code that blocks the event loop wait for a report from another thread."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.reported = threading.Event()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += record.getMessage()
        self.reported.set()


async def test_a_stuck_turn_is_reported_by_name_and_with_its_stack(hub: Hub) -> None:
    app, listener, problems = FunctionApp(), Listener(), list[str]()
    hosts: list[Host] = []

    @app.orchestration_trigger()
    async def blocks(context: OrchestrationContext) -> bool:
        hub.clock.jump(timedelta(seconds=1))
        problems.extend(hosts[0].engine.problems())
        return listener.reported.wait(10)

    hosts.append(await hub.start(app, stuck_turn_s=0.01))
    logger = logging.getLogger("funchost.engine")
    logger.addHandler(listener)
    try:
        state = await hosts[0].run(blocks, instance_id="stuck-one")
    finally:
        logger.removeHandler(listener)
    assert state.output is True
    assert "stuck-one" in problems[0]
    assert "'blocks'" in problems[0]
    assert "listener.reported.wait(10)" in listener.text
    assert hosts[0].engine.problems() == []


async def test_a_turn_that_never_ends_is_broken_off_and_the_others_go_on(hub: Hub) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def spins(context: OrchestrationContext) -> None:
        hub.clock.jump(timedelta(seconds=10))
        while True:
            pass

    @app.orchestration_trigger()
    async def returns(context: OrchestrationContext) -> str:
        return "fine"

    host = await hub.start(app, stuck_turn_s=0.01, break_off_turn_s=5.0)

    spun = await host.run(spins)

    assert spun.runtime_status == "Failed"
    assert spun.failure_details is not None
    assert spun.failure_details.error_type == "EndlessTurnError"
    assert (await host.run(returns)).output == "fine"
