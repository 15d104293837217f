"""Runs that failed and are repeated: which tries there are, when, and what ends them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bindings import BatchFailure, FunctionApp, FunctionContext, RetryContext, TimerRequest
from bindings.function_retry import read_retry
from bindings.kinds.resources import NoResources
from host.core.converter import Converter
from host.functions.catalog import Catalog
from host.functions.invocation import Invoker
from host.functions.model import App, HostFunction
from host.functions.registry import AppVersion, FunctionRegistry, plan_calls
from host.storage.memory import MemoryStore
from host.triggers.listeners import Listeners
from host.triggers.making import HostServices
from host.triggers.retries import Retries
from tests.kit.manual_clock import ManualClock
from tests.unit.test_invocation import Hub as Client

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
HOURLY = "0 0 * * * *"


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 1, 1, hour, minute, second, tzinfo=UTC)


@dataclass
class Job:
    """A timer function that fails as often as the test says, and notes its tries."""

    clock: ManualClock
    failures: int
    error: Exception | None = None
    began: list[datetime] = field(default_factory=list)
    requests: list[TimerRequest] = field(default_factory=list)
    contexts: list[FunctionContext] = field(default_factory=list)

    def app(self, count: int = 3, *, schedule: str = HOURLY, **retry: Any) -> FunctionApp:
        given = {"strategy": "fixed_delay", "delay_interval": "00:00:10", **retry}
        app = FunctionApp()

        @app.retry(max_retry_count=count, **given)
        @app.timer_trigger("timer", schedule=schedule)
        async def job(timer: TimerRequest, context: FunctionContext) -> str:
            self.began.append(self.clock.now())
            self.requests.append(timer)
            self.contexts.append(context)
            if len(self.began) <= self.failures:
                raise self.error or ValueError(f"failure {len(self.began)}")
            return "done"

        return app

    @property
    def tries(self) -> list[RetryContext]:
        return [each.retry_context for each in self.contexts]


def functions_of(app: FunctionApp) -> tuple[HostFunction, ...]:
    return tuple(
        HostFunction(
            name=each.name,
            declaration=each,
            directory=Path(),
            retry=None if each.retry is None else read_retry(each.retry),
        )
        for each in app.get_functions()
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def invoker() -> AsyncIterator[Invoker]:
    client = Client()  # type: ignore[abstract]  # see the class
    made = Invoker(client=client, converter=Converter())
    yield made
    made.stop()


DUE = TimerRequest(due_at=at(0))


@dataclass
class Running:
    """One value on its way through all of its tries."""

    retries: Retries
    task: asyncio.Task[object]


async def begin(job: Job, app: FunctionApp, invoker: Invoker) -> Running:
    (function,) = functions_of(app)
    retries = Retries(invoker, job.clock, chance=lambda: 0.5)
    task = asyncio.create_task(retries.run(lambda: function, DUE))
    await job.clock.until_quiet()
    return Running(retries, task)


async def test_a_failed_run_is_repeated_with_its_value_until_it_succeeds(
    clock: ManualClock, invoker: Invoker, caplog: pytest.LogCaptureFixture
) -> None:
    job = Job(clock, failures=2)
    running = await begin(job, job.app(), invoker)
    await clock.pass_time(MINUTE)
    assert await running.task == "done"
    assert job.began == [at(0), at(0, 0, 10), at(0, 0, 20)]
    assert all(each is DUE for each in job.requests)
    assert len({each.invocation_id for each in job.contexts}) == 3
    assert [(each.retry_count, each.max_retry_count) for each in job.tries] == [
        (0, 3),
        (1, 3),
        (2, 3),
    ]
    assert job.tries[0].exception is None
    assert [each.exception.message for each in job.tries[1:] if each.exception] == [
        "failure 1",
        "failure 2",
    ]
    assert caplog.messages == [
        "'job' failed and is run again at 2026-01-01T00:00:10Z (try 1 of 4): ValueError: failure 1",
        "'job' failed and is run again at 2026-01-01T00:00:20Z (try 2 of 4): ValueError: failure 2",
    ]
    assert not any(each.exc_info for each in caplog.records)


async def test_what_the_last_try_raises_is_what_the_listener_gets(
    clock: ManualClock, invoker: Invoker, caplog: pytest.LogCaptureFixture
) -> None:
    job = Job(clock, failures=9)
    running = await begin(job, job.app(count=1), invoker)
    await clock.pass_time(MINUTE)
    with pytest.raises(ValueError, match="failure 2"):
        await running.task
    assert caplog.messages[-1] == (
        "'job' failed and is not run again (try 2 of 2): ValueError: failure 2"
    )


async def test_no_retry_at_all_is_one_try(clock: ManualClock, invoker: Invoker) -> None:
    job = Job(clock, failures=1)
    running = await begin(job, job.app(count=0), invoker)
    with pytest.raises(ValueError, match="failure 1"):
        await running.task


async def test_for_ever_is_as_often_as_it_takes(
    clock: ManualClock, invoker: Invoker, caplog: pytest.LogCaptureFixture
) -> None:
    job = Job(clock, failures=100)
    running = await begin(job, job.app(count=-1), invoker)
    await clock.pass_time(1000 * SECOND)
    assert await running.task == "done"
    assert job.tries[-1].retry_count == 100
    assert job.tries[-1].max_retry_count == -1
    assert "(try 100)" in caplog.messages[-1]


async def test_what_says_which_part_failed_is_its_listeners_affair(
    clock: ManualClock, invoker: Invoker
) -> None:
    job = Job(clock, failures=9, error=BatchFailure(["2"], "no stock"))
    running = await begin(job, job.app(), invoker)
    with pytest.raises(BatchFailure, match="no stock"):
        await running.task
    assert len(job.began) == 1


async def test_growing_delays_grow(clock: ManualClock, invoker: Invoker) -> None:
    job = Job(clock, failures=4)
    growing = {"minimum_interval": "00:00:01", "maximum_interval": "00:00:05"}
    app = job.app(4, strategy="exponential_backoff", delay_interval=None, **growing)
    running = await begin(job, app, invoker)
    await clock.pass_time(MINUTE)
    assert await running.task == "done"
    seconds = [(each - at(0)) / SECOND for each in job.began]
    assert seconds == [0, 1, 3, 7, 12]


async def test_a_stop_ends_the_wait_as_if_the_run_were_cancelled(
    clock: ManualClock, invoker: Invoker
) -> None:
    job = Job(clock, failures=9)
    running = await begin(job, job.app(), invoker)
    running.retries.stop()
    await clock.until_quiet()
    assert running.task.cancelled()
    await clock.pass_time(MINUTE)
    assert len(job.began) == 1


async def test_a_run_that_fails_while_its_host_stops_is_cancelled_too(
    clock: ManualClock, invoker: Invoker
) -> None:
    job = Job(clock, failures=9)
    (function,) = functions_of(job.app())
    retries = Retries(invoker, clock)
    retries.stop()
    with pytest.raises(asyncio.CancelledError):
        await retries.run(lambda: function, DUE)
    assert len(job.began) == 1


async def test_the_next_try_is_of_the_code_that_counts_then(
    clock: ManualClock, invoker: Invoker
) -> None:
    old, new = Job(clock, failures=9), Job(clock, failures=0)
    (now,) = functions_of(old.app())
    (then,) = functions_of(new.app())
    current = [now]
    task = asyncio.create_task(Retries(invoker, clock).run(lambda: current[0], DUE))
    await clock.until_quiet()
    current[0] = then
    await clock.pass_time(MINUTE)
    assert await task == "done"
    assert (len(old.began), len(new.began)) == (1, 1)
    assert new.tries[0].retry_count == 1


# ---- with the listener of a timer ----------------------------------------------------------------


@dataclass
class House:
    """The listeners of hosts on one hub."""

    clock: ManualClock
    store: MemoryStore
    invoker: Invoker
    listening: list[Listeners] = field(default_factory=list)
    registries: list[FunctionRegistry[None]] = field(default_factory=list)

    async def host(self, name: str, app: FunctionApp) -> Listeners:
        registry = FunctionRegistry(version_of(app))
        services = HostServices(
            store=self.store,
            clock=self.clock,
            host_id=name,
            is_alone=False,
            resources=NoResources(),
        )
        listeners = Listeners(registry, self.invoker, services, grace_s=5)
        self.listening.append(listeners)
        self.registries.append(registry)
        listeners.start()
        await self.clock.until_quiet()
        return listeners


def version_of(app: FunctionApp) -> AppVersion[None]:
    found, plans = plan_calls(App(functions=functions_of(app)))
    return AppVersion(app=found, catalog=Catalog(found, Converter()), routes=None, plans=plans)


@pytest.fixture
async def house(clock: ManualClock, invoker: Invoker) -> AsyncIterator[House]:
    opened = House(clock, MemoryStore(clock.now), invoker)
    yield opened
    for listeners in opened.listening:
        await listeners.stop()


async def test_a_timer_that_is_retried_runs_its_next_due_times_later(
    house: House, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    job = Job(clock, failures=2)
    await house.host("a", job.app(delay_interval="00:40:00"))
    await clock.pass_time(3 * HOUR + MINUTE)
    assert job.began == [at(1), at(1, 40), at(2, 20), at(2, 20), at(3)]
    assert [each.due_at for each in job.requests] == [at(1)] * 3 + [at(2), at(3)]
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


async def test_a_timer_that_fails_for_good_is_logged_with_its_stack_once(
    house: House, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    job = Job(clock, failures=2)
    await house.host("a", job.app(count=1))
    await clock.pass_time(2 * HOUR + MINUTE)
    assert job.began == [at(1), at(1, 0, 10), at(2)]
    assert [each.retry_count for each in job.tries] == [0, 1, 0]
    (stack,) = [each for each in caplog.records if each.exc_info]
    assert "failed" in stack.message


async def test_a_stop_hands_a_run_that_waits_for_its_next_try_to_another_host(
    house: House, clock: ManualClock
) -> None:
    first, second = Job(clock, failures=9), Job(clock, failures=0)
    leaving = await house.host("a", first.app(delay_interval="12:00:00"))
    await house.host("b", second.app())
    await clock.pass_time(HOUR + MINUTE)
    assert (len(first.began), len(second.began)) == (1, 0)
    stop = asyncio.create_task(leaving.stop())
    await clock.until_quiet()
    assert stop.done()
    await clock.pass_time(20 * SECOND)
    assert [each.due_at for each in second.requests] == [at(1)]
    assert second.tries[0].retry_count == 0


@pytest.mark.parametrize(
    ("schedule", "began", "retry_count"),
    [(HOURLY, at(1, 30), 1), ("0 0 */2 * * *", at(2), 0)],
    ids=["the same trigger", "another trigger"],
)
async def test_new_code_goes_on_with_the_tries_and_a_new_trigger_ends_them(
    house: House, clock: ManualClock, schedule: str, began: datetime, retry_count: int
) -> None:
    old, new = Job(clock, failures=9), Job(clock, failures=0)
    await house.host("a", old.app(delay_interval="00:30:00"))
    await clock.pass_time(HOUR + MINUTE)
    house.registries[0].swap(version_of(new.app(schedule=schedule)))
    await clock.pass_time(HOUR)
    assert len(old.began) == 1
    assert new.began[0] == began
    assert new.tries[0].retry_count == retry_count
