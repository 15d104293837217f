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
