"""While the store is away nothing ends, and a few lines say so; then all goes on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext
from host.engine.store_watch import CALM_S, FORGOTTEN_S, TOLD_EVERY_S, StoreWatch
from host.errors import StorageError, StorageUnavailableError
from tests.kit.hub import Hub, until
from tests.kit.manual_clock import ManualClock
from tests.kit.seams import RedeliveringQueues

SECOND = timedelta(seconds=1)
AWAY = StorageUnavailableError("PutItem failed: AWS answered 503 without a reason")
IN_FLIGHT = 60
OUTAGE_S = 45


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def watch(clock: ManualClock) -> StoreWatch:
    return StoreWatch(clock)


@pytest.fixture(autouse=True)
def _all_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name != "funchost.instances"]


def pass_seconds(clock: ManualClock, watch: StoreWatch, seconds: float) -> None:
    for _ in range(int(seconds)):
        clock.jump(SECOND)
        watch.look()


def test_one_line_says_that_the_store_fails_and_one_that_it_works(
    watch: StoreWatch, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(100):
        watch.failed("'%s' failed: %s", n, AWAY)
        watch.failed("The %s failed: %s", n, StorageUnavailableError("Query"), part="pump")
    clock.jump(10 * SECOND)
    watch.failed("'%s' failed: %s", "x", AWAY)
    for part in ("sessions", "pump"):
        watch.worked(part)
    pass_seconds(clock, watch, CALM_S)
    assert told(caplog) == [
        f"The store fails. All goes on by itself when it works: {AWAY}",
        "The store works again. Failures within 10 s: 201.",
    ]
    assert not watch.is_failing


def test_while_it_fails_a_line_a_minute_counts(
    watch: StoreWatch, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(int(2 * TOLD_EVERY_S) + 1):
        watch.failed("'%s' failed: %s", "x", AWAY)
        pass_seconds(clock, watch, 1)
    assert told(caplog)[1:] == [
        f"The store still fails. Failures since this was last said: 59, the last of them: {AWAY}",
        f"The store still fails. Failures since this was last said: 60, the last of them: {AWAY}",
    ]


def test_as_long_as_one_part_has_not_worked_it_fails(watch: StoreWatch, clock: ManualClock) -> None:
    watch.failed("The %s failed: %s", "pump", AWAY, part="pump")
    watch.worked("hints")
    pass_seconds(clock, watch, FORGOTTEN_S - 1)
    assert watch.is_failing
    pass_seconds(clock, watch, 1)
    assert not watch.is_failing


def test_a_session_that_ended_well_speaks_for_all(watch: StoreWatch, clock: ManualClock) -> None:
    watch.failed("The %s failed: %s", "dispatcher", AWAY, part="dispatcher")
    watch.worked()
    pass_seconds(clock, watch, CALM_S)
    assert not watch.is_failing


def test_what_is_quiet_is_not_said_to_fail_still(
    watch: StoreWatch, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(50):
        watch.failed("The %s failed: %s", "pump", AWAY, part="pump")
        pass_seconds(clock, watch, 1)
    pass_seconds(clock, watch, FORGOTTEN_S)
    assert [line.partition(".")[0] for line in told(caplog)] == [
        "The store fails",
        "The store works again",
    ]


def test_a_store_that_comes_and_goes_is_told_of_a_few_times_a_minute(
    watch: StoreWatch, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(30):
        watch.failed("'%s' failed: %s", "x", AWAY)
        watch.worked()
        pass_seconds(clock, watch, 2 * CALM_S)
    minutes = 30 * 2 * CALM_S / 60
    assert len(told(caplog)) <= 2 * minutes + 2


def test_what_fails_one_instance_alone_is_not_the_store_that_is_away(
    watch: StoreWatch, caplog: pytest.LogCaptureFixture
) -> None:
    watch.failed("'%s' failed: %s", "it", StorageError("It changes whenever it is read."))
    assert told(caplog) == ["'it' failed: It changes whenever it is read."]
    assert not watch.is_failing


class Outage:
    """The store and the queues of a host, away on demand."""

    def __init__(self) -> None:
        self.is_on = False
        self.failures = 0

    async def __call__(self, name: str, _: tuple[Any, ...]) -> None:
        if self.is_on:
            self.failures += 1
            raise StorageUnavailableError(f"{name} failed: AWS answered 503 without a reason")


class AwayQueues(RedeliveringQueues):
    """Refuse everything during an outage."""

    def __init__(self, outage: Outage) -> None:
        super().__init__()
        self.outage = outage

    async def send_wakeups(self, instance_ids: Sequence[str], *, is_recovery: bool = False) -> None:
        await self.outage("send", ())
        await super().send_wakeups(instance_ids, is_recovery=is_recovery)

    async def extend(self, hints: Any) -> None:
        await self.outage("extend", ())
        await super().extend(hints)

    async def finish(self, hints: Any) -> None:
        await self.outage("finish", ())
        await super().finish(hints)


async def test_found_f11_an_outage_with_sixty_instances_in_flight_is_few_lines(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    app, gate, outage = FunctionApp(), asyncio.Event(), Outage()

    @app.activity_trigger()
    async def works(number: int) -> int:
        await gate.wait()
        return number

    @app.orchestration_trigger()
    async def leads(context: OrchestrationContext) -> int:
        return await context.call_activity(works, 1) + await context.call_activity(works, 2)

    queues = AwayQueues(outage)
    host = await hub.start(app, queues=queues, sweep_s=20.0)
    host.store.before = outage
    ids = [await host.begin(leads) for _ in range(IN_FLIGHT)]
    for instance_id in ids:
        await host.started(instance_id)
    caplog.clear()

    outage.is_on = True
    await hub.clock.advance(SECOND)
    gate.set()
    await hub.clock.advance(SECOND, steps=OUTAGE_S - 1)
    assert outage.failures > IN_FLIGHT
    assert (host.engine.problems(), bool(host.engine.store_problems())) == ([], True)
    outage.is_on = False
    await hub.clock.advance(SECOND, steps=30)

    for instance_id in ids:
        assert (await host.finished(instance_id)).output == 3
    assert told(caplog)[0].startswith("The store fails.")
    assert told(caplog)[-1].startswith("The store works again.")
    assert len(told(caplog)) <= 3
    await until(lambda: host.engine.store_problems() == [])
