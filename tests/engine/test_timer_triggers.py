"""Timers of one host and of several, on a clock that tests move."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from bindings.functions import Binding
from host.errors import StorageError
from host.storage.memory import MemoryStore
from host.storage.protocol import NamedRecord
from host.triggers.timers import CHECK_S
from tests.kit.manual_clock import ManualClock
from tests.kit.seams import StoreSeam
from tests.kit.timer_hosts import TimerHost, TimerRun, Work, at_once, timer_trigger

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
HOURLY = "0 0 * * * *"


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 1, 1, hour, minute, second, tzinfo=UTC)


class Hub:
    """A hub, its clock, and what its hosts ran."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock.now)
        self.runs: list[TimerRun] = []
        self.hosts: list[TimerHost] = []
        self.seams: dict[str, StoreSeam] = {}

    async def host(
        self,
        name: str,
        trigger: Binding,
        work: Work = at_once,
        *,
        is_alone: bool = False,
        clock: ManualClock | None = None,
        check_s: float = 60.0,
    ) -> TimerHost:
        self.seams[name] = StoreSeam(self.store)
        host = TimerHost(
            name,
            self.seams[name].as_store,
            clock or self.clock,
            self.runs,
            is_alone=is_alone,
            check_s=check_s,
        )
        self.hosts.append(host)
        await host.start({"tick": trigger}, work)
        await self.clock.until_quiet()
        return host

    async def kill(self, host: TimerHost) -> None:
        """Nothing that it does reaches the hub any more."""
        self.seams[host.name].sever()
        self.hosts.remove(host)
        await end(host)

    async def pass_time(self, delta: timedelta) -> None:
        await self.clock.pass_time(delta)

    def due(self) -> list[datetime]:
        return [run.request.due_at for run in self.runs]

    def past_due(self) -> list[datetime]:
        return [run.request.due_at for run in self.runs if run.request.past_due]


async def end(host: TimerHost) -> None:
    """Stop it without any patience, as a host whose grace time is over."""
    stop = asyncio.create_task(host.stop())
    await asyncio.sleep(0)
    stop.cancel()
    await asyncio.wait([stop])


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    opened = Hub()
    yield opened
    for host in opened.hosts:
        await end(host)


# ---- one host ------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_alone", [True, False])
async def test_a_timer_runs_when_it_is_due_and_is_told_about_it(hub: Hub, is_alone: bool) -> None:
    await hub.host("a", timer_trigger(HOURLY), is_alone=is_alone)
    await hub.pass_time(2 * HOUR + MINUTE)
    first, second = hub.runs
    assert [run.began for run in hub.runs] == hub.due() == [at(1), at(2)]
    assert hub.past_due() == []
    never = "0001-01-01T00:00:00+00:00"
    assert first.request.schedule_status == {
        "Last": never,
        "Next": at(1).isoformat(),
        "LastUpdated": never,
    }
    assert second.request.schedule_status == {
        "Last": at(1).isoformat(),
        "Next": at(2).isoformat(),
        "LastUpdated": at(1).isoformat(),
    }
    assert hub.hosts[0].shown["tick"] == {
        "schedule": "0 0 * * * * UTC",
        "nextDue": "2026-01-01T03:00:00Z",
        "lastDue": "2026-01-01T02:00:00Z",
    }


async def test_the_log_says_at_the_start_when_it_is_due(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await hub.host("a", timer_trigger("0 30 9 * * *", timeZone="Europe/Berlin"))
    (line,) = [each for each in caplog.messages if "is due next at" in each]
    assert line.startswith(
        "The timer 'tick' (0 30 9 * * * Europe/Berlin) is due next at 2026-01-01T08:30:00Z, "
    )
    assert line.count("T08:30:00Z") == 5


async def test_a_span_goes_on_from_the_time_before_also_over_a_restart(hub: Hub) -> None:
    host = await hub.host("a", timer_trigger("00:20:00"))
    await hub.pass_time(50 * MINUTE)
    await host.stop()
    await hub.host("b", timer_trigger("00:20:00"))
    await hub.pass_time(31 * MINUTE)
    assert hub.due() == [at(0, 20), at(0, 40), at(1), at(1, 20)]


async def test_what_was_missed_while_no_host_ran_is_made_up_for_by_one_run(hub: Hub) -> None:
    host = await hub.host("a", timer_trigger(HOURLY))
    await hub.pass_time(HOUR + MINUTE)
    await host.stop()
    await hub.pass_time(3 * HOUR)
    await hub.host("b", timer_trigger(HOURLY))
    await hub.pass_time(HOUR)
    assert hub.due() == [at(1), at(2), at(5)]
    assert hub.past_due() == [at(2)]
    assert hub.runs[1].began == at(4, 1)


@pytest.mark.parametrize(
    "trigger", [timer_trigger(HOURLY, useMonitor=False), timer_trigger("*/30 * * * * *")]
)
async def test_without_a_monitor_nothing_is_made_up_for(hub: Hub, trigger: Binding) -> None:
    host = await hub.host("a", trigger)
    await host.stop()
    await hub.pass_time(3 * HOUR + MINUTE)
    await hub.host("b", trigger)
    assert hub.runs == []
    await hub.pass_time(HOUR)
    assert hub.past_due() == []
    assert hub.runs[0].request.schedule_status is None


async def test_another_schedule_has_missed_nothing(hub: Hub) -> None:
    host = await hub.host("a", timer_trigger(HOURLY))
    await host.stop()
    await hub.pass_time(5 * HOUR)
    await hub.host("b", timer_trigger("0 30 * * * *"))
    await hub.pass_time(31 * MINUTE)
    assert hub.due() == [at(5, 30)]
    assert hub.past_due() == []


async def test_a_long_run_delays_the_next_which_then_is_past_due_once(hub: Hub) -> None:
    async def works(run: TimerRun) -> None:
        if run.request.due_at == at(1):
            await hub.clock.sleep(150 * 60)

    await hub.host("a", timer_trigger(HOURLY), works)
    await hub.pass_time(5 * HOUR)
    assert hub.due() == [at(1), at(2), at(4), at(5)]
    assert hub.past_due() == [at(2)]
    assert hub.runs[1].began == at(3, 30)


async def test_a_function_that_fails_is_logged_and_runs_again_when_it_is_due(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(_: TimerRun) -> None:
        raise ValueError("no milk")

    host = await hub.host("a", timer_trigger(HOURLY), fails)
    await hub.pass_time(2 * HOUR)
    assert hub.due() == [at(1), at(2)]
    lines = [each for each in caplog.records if "'tick', due at" in each.getMessage()]
    assert ["no milk" in str(each.exc_info) for each in lines] == [True, True]
    assert host.problems() == []


async def test_it_runs_at_the_start_too_if_it_is_to(hub: Hub) -> None:
    trigger = timer_trigger(HOURLY, runOnStartup=True)
    await hub.pass_time(10 * MINUTE)
    host = await hub.host("a", trigger)
    assert hub.due() == [at(0, 10)]
    await hub.pass_time(HOUR)
    await host.stop()
    assert hub.due() == [at(0, 10), at(1)]
    await hub.pass_time(HOUR)
    await hub.host("b", trigger)
    assert hub.due()[2:] == [at(2)]  # what was missed comes before, and is enough
    assert hub.past_due() == [at(2)]


async def test_a_stop_waits_for_the_run(hub: Hub) -> None:
    gate = asyncio.Event()

    async def works(_: TimerRun) -> None:
        await gate.wait()

    host = await hub.host("a", timer_trigger(HOURLY), works)
    await hub.pass_time(HOUR)
    stop = asyncio.create_task(host.stop())
    await hub.pass_time(2 * HOUR)
    assert not stop.done()
    gate.set()
    await stop
    assert [run.end for run in hub.runs] == ["done"]


# ---- several hosts -------------------------------------------------------------------------------


async def test_of_many_hosts_one_runs_it(hub: Hub) -> None:
    for name in "abcde":
        await hub.host(name, timer_trigger(HOURLY))
    await hub.pass_time(5 * HOUR + MINUTE)
    assert hub.due() == [at(hour) for hour in range(1, 6)]
    assert hub.past_due() == []
    assert {run.host for run in hub.runs} == {"a"}


async def test_between_due_times_nobody_asks_the_hub(hub: Hub) -> None:
    for name in "abc":
        await hub.host(name, timer_trigger("0 0 12 * * *"))
    for seam in hub.seams.values():
        seam.calls.clear()
    await hub.pass_time(11 * HOUR)
    assert [dict(seam.calls) for seam in hub.seams.values()] == [{}, {}, {}]
    await hub.pass_time(2 * HOUR)
    assert [dict(seam.calls) for seam in hub.seams.values()] == [
        {"change_record": 2},
        {"record": 2},
        {"record": 2},
    ]


@pytest.mark.parametrize("seconds", [1, 2, 5])
async def test_so_it_is_with_one_that_is_due_all_the_time(hub: Hub, seconds: int) -> None:
    first = await hub.host("a", timer_trigger(f"*/{seconds} * * * * *"))
    await hub.host("b", timer_trigger(f"*/{seconds} * * * * *"))
    await hub.host("c", timer_trigger(f"*/{seconds} * * * * *"))
    await hub.pass_time(MINUTE)
    await first.stop()
    await hub.pass_time(MINUTE)
    assert hub.due() == [at(0) + each * SECOND for each in range(seconds, 121, seconds)]
    assert hub.past_due() == []


async def test_an_ordered_stop_of_the_host_that_goes_first_makes_no_run_late(hub: Hub) -> None:
    first = await hub.host("a", timer_trigger(HOURLY))
    await hub.host("b", timer_trigger(HOURLY))
    await hub.host("c", timer_trigger(HOURLY))
    await hub.pass_time(HOUR + 30 * MINUTE)
    await first.stop()
    await hub.pass_time(2 * HOUR)
    assert [run.began for run in hub.runs] == hub.due() == [at(1), at(2), at(3)]


async def test_a_host_that_dies_makes_one_run_two_seconds_late(hub: Hub) -> None:
    first = await hub.host("a", timer_trigger(HOURLY))
    await hub.host("b", timer_trigger(HOURLY))
    await hub.pass_time(30 * MINUTE)
    await hub.kill(first)
    await hub.pass_time(2 * HOUR)
    assert [run.began for run in hub.runs] == [at(1, 0, 2), at(2)]
    assert hub.past_due() == [at(1)]


async def never(_: TimerRun) -> None:
    await asyncio.Event().wait()


async def test_a_run_that_breaks_off_with_its_host_is_repeated_within_a_minute_and_a_half(
    hub: Hub,
) -> None:
    first = await hub.host("a", timer_trigger(HOURLY), never)
    await hub.host("b", timer_trigger(HOURLY))
    await hub.pass_time(HOUR + 10 * SECOND)
    await hub.kill(first)
    await hub.pass_time(HOUR)
    assert hub.due() == [at(1), at(1), at(2)]
    assert hub.past_due() == [at(1)]
    assert at(1) < hub.runs[1].began <= at(1, 1, 30)
    assert hub.runs[1].request.schedule_status == hub.runs[0].request.schedule_status


async def test_without_a_monitor_it_is_left_out(hub: Hub) -> None:
    trigger = timer_trigger(HOURLY, useMonitor=False)
    first = await hub.host("a", trigger, never)
    await hub.host("b", trigger)
    await hub.pass_time(HOUR + 10 * SECOND)
    await hub.kill(first)
    await hub.pass_time(HOUR)
    assert hub.due() == [at(1), at(2)]


async def test_on_a_hub_of_one_process_it_is_repeated_at_its_next_start(hub: Hub) -> None:
    first = await hub.host("a", timer_trigger(HOURLY), never, is_alone=True)
    await hub.pass_time(HOUR)
    await hub.kill(first)
    await hub.host("b", timer_trigger(HOURLY), is_alone=True)
    assert hub.due() == [*hub.past_due(), at(1)] == [at(1), at(1)]


async def test_a_run_that_a_stop_cancels_is_repeated_by_another_host_soon(hub: Hub) -> None:
    first = await hub.host("a", timer_trigger(HOURLY), never)
    await hub.host("b", timer_trigger(HOURLY))
    await hub.pass_time(HOUR + 10 * SECOND)
    await end(first)
    await hub.pass_time(30 * SECOND)
    assert hub.due() == [at(1), at(1)]
    assert hub.past_due() == [at(1)]
    assert hub.runs[0].end == "cancelled"


async def test_a_run_that_goes_on_is_nobody_elses_however_long_it_takes(hub: Hub) -> None:
    async def works(_: TimerRun) -> None:
        await hub.clock.sleep(600)

    await hub.host("a", timer_trigger(HOURLY), works)
    await hub.host("b", timer_trigger(HOURLY), works)
    await hub.pass_time(2 * HOUR + 11 * MINUTE)
    assert [(run.request.due_at, run.end) for run in hub.runs] == [(at(1), "done"), (at(2), "done")]


async def test_a_host_that_stood_still_in_a_run_does_not_run_it_again(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    frozen = ManualClock()
    first = await hub.host("a", timer_trigger(HOURLY), never, clock=frozen)
    await frozen.pass_time(HOUR)
    assert [run.host for run in hub.runs] == ["a"]
    await hub.host("b", timer_trigger(HOURLY))
    await hub.pass_time(HOUR + 2 * MINUTE)
    assert [run.host for run in hub.runs] == ["a", "b"]
    await frozen.pass_time(3 * MINUTE)
    assert [run.host for run in hub.runs] == ["a", "b"]
    assert hub.runs[0].end == "cancelled"
    assert first.problems() == []
    assert "Another host has begun the run of 'tick' anew" in caplog.text


async def test_clocks_that_differ_by_seconds_run_nothing_twice(hub: Hub) -> None:
    clocks = [ManualClock(hub.clock.now() + offset * SECOND) for offset in (-5, 0, 5)]
    for name, clock in zip("abc", clocks, strict=True):
        await hub.host(name, timer_trigger("0 */10 * * * *"), clock=clock)
    for _ in range(2 * 1800):
        for clock in clocks:
            clock.move(2 * SECOND)
        for _ in range(30):  # a listener needs fewer to do what is due, and rest again
            await asyncio.sleep(0)
    assert hub.due() == [at(0) + n * 10 * MINUTE for n in range(13)]


async def test_hosts_with_another_schedule_wait_while_a_newer_one_runs_it(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    old = await hub.host("old", timer_trigger(HOURLY))
    await hub.host("new", timer_trigger("0 30 * * * *"))
    await hub.pass_time(2 * HOUR)
    assert [(run.host, run.request.due_at) for run in hub.runs] == [
        ("new", at(0, 30)),
        ("new", at(1, 30)),
    ]
    assert caplog.text.count("a host that started later runs it by another schedule") == 1
    assert old.problems() == []


async def test_one_start_of_two_at_once_runs_it(hub: Hub) -> None:
    async def works(_: TimerRun) -> None:
        await hub.clock.sleep(30)

    trigger = timer_trigger(HOURLY, runOnStartup=True)
    await hub.host("a", trigger, works)
    await hub.host("b", trigger, works)
    await hub.pass_time(MINUTE)
    assert [run.host for run in hub.runs] == ["a"]


# ---- clocks that jump, and a hub that is away ----------------------------------------------------


async def test_a_clock_that_is_put_forward_and_back_runs_no_due_time_twice(hub: Hub) -> None:
    await hub.host("a", timer_trigger(HOURLY))
    await hub.pass_time(HOUR + 10 * MINUTE)
    hub.clock.set_wall(2 * HOUR)  # 01:10 is 03:10 now
    await hub.pass_time(10 * MINUTE)
    assert hub.due() == [at(1), at(2)]
    assert hub.past_due() == [at(2)]
    hub.clock.set_wall(-2 * HOUR)
    await hub.pass_time(4 * HOUR)
    assert hub.due() == [at(1), at(2), at(4), at(5)]


async def test_a_clock_that_was_years_ahead_makes_nobody_wait_for_years(hub: Hub) -> None:
    await hub.host("a", timer_trigger(HOURLY))
    hub.clock.set_wall(timedelta(days=20_000))
    await hub.pass_time(MINUTE)
    hub.clock.set_wall(-timedelta(days=20_000))
    await hub.pass_time(2 * HOUR)
    assert hub.due() == [at(1), at(2)]
    assert hub.past_due() == [at(1)]


async def test_a_machine_that_slept_runs_at_once_what_it_missed(hub: Hub) -> None:
    await hub.host("a", timer_trigger(HOURLY), check_s=CHECK_S)
    hub.clock.set_wall(5 * HOUR + 10 * MINUTE)
    await hub.pass_time(11 * SECOND)
    assert hub.due() == hub.past_due() == [at(1)]
    await hub.pass_time(HOUR)
    assert hub.due() == [at(1), at(6)]


async def test_while_the_hub_is_away_nothing_runs_and_after_that_at_once(hub: Hub) -> None:
    host = await hub.host("a", timer_trigger(HOURLY))
    hub.seams["a"].fail("change_record", StorageError("away"), times=30)
    await hub.pass_time(HOUR + 30 * SECOND)
    assert hub.runs == []
    assert host.problems() == ["the hub cannot be asked: StorageError: away"]
    await hub.pass_time(MINUTE)
    assert hub.due() == hub.past_due() == [at(1)]
    assert host.problems() == []


async def test_a_hub_that_was_away_in_a_run_lets_nobody_repeat_it(hub: Hub) -> None:
    async def works(_: TimerRun) -> None:
        await hub.clock.sleep(300)

    await hub.host("a", timer_trigger(HOURLY), works)
    await hub.host("b", timer_trigger(HOURLY), works)
    await hub.pass_time(HOUR + 10 * SECOND)
    for seam in hub.seams.values():
        seam.before = away
    await hub.pass_time(2 * MINUTE)
    for seam in hub.seams.values():
        seam.before = None
    await hub.pass_time(5 * MINUTE)
    assert [(run.host, run.end) for run in hub.runs] == [("a", "done")]


async def away(_method: str, _arguments: tuple[object, ...]) -> None:
    raise StorageError("away")


async def test_a_stop_does_not_wait_for_a_hub_that_is_away(hub: Hub) -> None:
    host = await hub.host("a", timer_trigger(HOURLY))
    hub.seams["a"].before = away
    await hub.pass_time(HOUR + MINUTE)
    await host.stop()
    assert hub.runs == []


@pytest.mark.parametrize("method", ["claim", "end"])
async def test_a_write_whose_answer_is_lost_is_found_done(hub: Hub, method: str) -> None:
    await hub.host("a", timer_trigger(HOURLY))
    await hub.host("b", timer_trigger(HOURLY))
    await hub.pass_time(59 * MINUTE)
    seam, lost = hub.seams["a"], iter([method == "claim", method == "end"])

    async def lose(called: str, arguments: tuple[object, ...]) -> None:
        if called == "change_record" and next(lost, False):
            record = arguments[0]
            assert isinstance(record, NamedRecord)
            seam.before = None
            found = await hub.store.record(record.kind, record.key)
            assert found is not None
            await hub.store.change_record(record, after=found.stamp)
            raise StorageError("the answer is lost")

    seam.before = lose
    await hub.pass_time(2 * HOUR)
    assert hub.due() == [at(1), at(2)]


async def test_a_record_that_cannot_be_read_is_made_anew(hub: Hub) -> None:
    damaged = NamedRecord(kind="trigger.timerTrigger", key="tick", stamp="x", data=b"{")
    await hub.store.put_record(damaged)
    await hub.host("a", timer_trigger(HOURLY))
    await hub.pass_time(HOUR)
    assert hub.due() == [at(1)]
