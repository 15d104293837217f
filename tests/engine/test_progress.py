"""What a person at a terminal is told of instances: starts, ends, takeovers, never too much."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext
from host.engine.progress import CATEGORY, MAX_A_SECOND
from tests.kit.hub import Hub


def an_app() -> FunctionApp:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def ends(context: OrchestrationContext) -> Any:
        return context.get_input()

    @app.orchestration_trigger()
    async def fails(context: OrchestrationContext) -> None:
        raise ValueError("on purpose")

    @app.orchestration_trigger()
    async def waits(context: OrchestrationContext) -> Any:
        return await context.wait_for_external_event("go")

    return app


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == CATEGORY]


async def test_found_e3_a_start_and_an_end_are_a_line_each(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    host = await hub.start(an_app())
    for name in ("ends", "fails", "waits"):
        await host.client.schedule_new_orchestration(name, instance_id=f"{name}-1")
    await host.finished("ends-1")
    await host.finished("fails-1")
    await host.started("waits-1")
    await host.client.terminate_instance("waits-1")
    await host.finished("waits-1")
    assert sorted(told(caplog)) == [
        "'ends' completed after 0.0 s: ends-1",
        "'ends' started: ends-1",
        "'fails' started: fails-1",
        "'waits' started: waits-1",
        "'waits' terminated after 0.0 s: waits-1",
    ]
    assert "Orchestrator 'fails' of 'fails-1' failed" in caplog.text


async def test_found_e3_a_takeover_is_a_line(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    first = await hub.start(an_app())
    await first.client.schedule_new_orchestration("waits", instance_id="it")
    await first.started("it")
    await first.crash()
    caplog.set_level(logging.INFO)
    second = await hub.start(an_app())
    await second.client.raise_event("it", "go")
    await second.queues.send_wakeups(["it"], is_recovery=True)
    await second.finished("it")
    assert "'waits' goes on where a host left it: it" in told(caplog)


async def test_found_e3_of_many_only_the_first_are_told_and_the_rest_counted(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    host = await hub.start(an_app())
    ids = [await host.client.schedule_new_orchestration("ends") for _ in range(40)]
    for each in ids:
        await host.finished(each)
    await host.rest()
    await hub.clock.advance(timedelta(seconds=5))
    lines = told(caplog)
    assert len(lines) == MAX_A_SECOND + 1
    assert lines[-1] == f"... and {80 - MAX_A_SECOND} more such lines within a second"


async def test_found_e3_one_setting_switches_the_lines_off(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.WARNING, logger=CATEGORY)
    host = await hub.start(an_app())
    await host.finished(await host.client.schedule_new_orchestration("ends"))
    assert told(caplog) == []


async def test_found_e3_a_stop_can_say_what_it_waits_for(hub: Hub) -> None:
    host = await hub.start(an_app())
    assert host.engine.busy_with() == "nothing at work"
