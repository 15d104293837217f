"""What everybody would log at the same time is logged once a minute, with a count."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from bindings import FunctionApp, OrchestrationContext
from host.engine.repeated import RepeatedLines
from host.errors import StorageUnavailableError
from tests.kit.hub import Hub
from tests.kit.manual_clock import ManualClock

FULL = StorageUnavailableError("The disk is full.")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def lines(clock: ManualClock) -> RepeatedLines:
    return RepeatedLines(clock)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_the_same_failure_of_many_is_one_line(
    lines: RepeatedLines, caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(100):
        lines.warn("'%s' failed: %s", n, FULL)
    assert told(caplog) == ["'0' failed: The disk is full."]


def test_other_failures_are_told(lines: RepeatedLines, caplog: pytest.LogCaptureFixture) -> None:
    lines.warn("'%s' failed: %s", "a", FULL)
    lines.warn("'%s' failed: %s", "a", StorageUnavailableError("Locked."))
    lines.warn("'%s' waits: %s", "a", FULL)
    assert len(told(caplog)) == 3


def test_what_goes_on_is_told_again_with_a_count(
    lines: RepeatedLines, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(5):
        lines.warn("'%s' failed: %s", n, FULL)
    clock.jump(timedelta(minutes=1))
    lines.warn("'%s' failed: %s", "late", FULL)
    assert told(caplog)[1:] == ["'late' failed: The disk is full. (and 4 more like this)"]


async def test_found_g13_timers_that_are_due_while_the_disk_is_full_are_few_lines(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def sleeps(context: OrchestrationContext) -> None:
        await context.create_timer(timedelta(seconds=60))

    host = await hub.start(app)
    ids = [await host.begin(sleeps) for _ in range(100)]
    for instance_id in ids:
        await host.started(instance_id)
    host.store.fail("commit", FULL, times=10_000)
    with caplog.at_level(logging.INFO):
        await hub.clock.advance(timedelta(seconds=1), steps=100)
    assert len([line for line in told(caplog) if "disk is full" in line]) <= 2
