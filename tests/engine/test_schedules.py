"""People see when timers are due, pause and resume them, and have one run now: for all hosts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bindings import FunctionApp, TimerRequest
from bindings.functions import Binding
from bindings.kinds import timer
from host.core.converter import Converter
from host.errors import ScheduleNotFoundError, ScheduleStateError
from host.functions.catalog import Catalog
from host.functions.model import App, HostFunction
from host.functions.registry import AppVersion, FunctionRegistry
from host.storage.memory import MemoryStore
from host.triggers.making import records_of
from host.triggers.schedules import Schedules, ScheduleView
from host.triggers.timers import LOOK_S
from tests.kit.manual_clock import ManualClock
from tests.kit.timer_hosts import TimerHost, TimerRun, Work, at_once, timer_trigger

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
HOURLY = "0 0 * * * *"


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 1, 1, hour, minute, second, tzinfo=UTC)


def registry_of(*, disabled: bool = False, schedule: str = HOURLY) -> FunctionRegistry[Any]:
    """An app with the timer `tick`, and a function that is none."""
    app = FunctionApp()

    @app.timer_trigger("timer", schedule)
    def tick(timer: TimerRequest) -> None: ...

    @app.activity_trigger()
    def work(value: int) -> int:
        return value

    functions = tuple(
        HostFunction(name=each.name, declaration=each, directory=Path(), is_disabled=disabled)
        for each in app.get_functions()
    )
    found = App(functions=functions)
    catalog = Catalog(found, Converter())
    return FunctionRegistry(AppVersion(app=found, catalog=catalog, routes=None, plans={}))


class Hub:
    """A hub with hosts that run the timer `tick`, and what people order."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock.now)
        self.runs: list[TimerRun] = []
        self.hosts: list[TimerHost] = []

    async def host(
        self, name: str, trigger: Binding | None = None, work: Work = at_once
    ) -> TimerHost:
        host = TimerHost(name, self.store, self.clock, self.runs)
        self.hosts.append(host)
        await host.start({"tick": trigger or timer_trigger(HOURLY)}, work)
        await self.clock.until_quiet()
        return host

    def schedules(self, at: TimerHost | None = None, **app: Any) -> Schedules:
        """What people ask, at a host or at one that runs no timers."""

        def look_anew(name: str) -> None:
            assert name == "tick"
            for listener in () if at is None else at.listeners:
                listener.look_anew()

        records = records_of(self.store, timer.TYPE)
        return Schedules(registry_of(**app), records, self.clock, look_anew)

    async def pass_time(self, delta: timedelta) -> None:
        await self.clock.pass_time(delta)

    def due(self) -> list[datetime]:
        return [run.request.due_at for run in self.runs]


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub()
    assert hub.clock.now() == at(0)
    yield hub
    for host in hub.hosts:
        await host.stop()


async def only(schedules: Schedules) -> ScheduleView:
    (view,) = await schedules.all()
    return view


async def test_timers_are_listed_with_when_they_are_due(hub: Hub) -> None:
    host = await hub.host("a")
    await hub.pass_time(HOUR + MINUTE)
    assert await only(hub.schedules(host)) == ScheduleView(
        name="tick",
        schedule=HOURLY,
        time_zone="UTC",
        next=at(2),
        last=at(1),
        paused_at=None,
        is_disabled=False,
        is_running=False,
    )


async def test_a_timer_that_no_host_runs_yet_is_listed_too(hub: Hub) -> None:
    view = await only(hub.schedules())
    assert (view.next, view.last) == (at(1), None)
    disabled = await only(hub.schedules(disabled=True))
    assert (disabled.next, disabled.is_disabled) == (None, True)


async def test_a_paused_timer_begins_nothing_on_any_host_until_it_is_resumed(hub: Hub) -> None:
    first = await hub.host("a")
    await hub.host("b")
    await hub.pass_time(HOUR + MINUTE)
    view = await hub.schedules(first).pause("TICK")
    assert (view.paused_at, view.next) == (at(1, 1), None)
    await hub.pass_time(3 * HOUR)
    assert hub.due() == [at(1)]
    view = await hub.schedules(first).resume("tick")
    assert (view.paused_at, view.next) == (None, at(5))
    await hub.pass_time(2 * HOUR)
    assert hub.due() == [at(1), at(5), at(6)]  # what was due meanwhile is left out
    assert [run.began for run in hub.runs] == hub.due()
    assert not any(run.request.past_due for run in hub.runs)


async def test_a_pause_outlives_hosts_and_holds_for_new_ones(hub: Hub) -> None:
    host = await hub.host("a")
    await hub.schedules(host).pause("tick")
    await host.stop()
    await hub.pass_time(2 * HOUR)
    other = await hub.host("b", timer_trigger(HOURLY, runOnStartup=True))
    await hub.pass_time(2 * HOUR)
    assert hub.runs == []
    await hub.schedules(other).resume("tick")
    await hub.pass_time(HOUR)
    assert hub.due() == [at(5)]


async def test_a_timer_is_paused_before_any_host_has_run_it(hub: Hub) -> None:
    await hub.schedules().pause("tick")
    await hub.host("a")
    await hub.pass_time(2 * HOUR)
    assert hub.runs == []


async def test_a_pause_at_the_moment_of_the_due_time_wins_or_loses_as_a_whole(hub: Hub) -> None:
    await hub.host("a")
    await hub.host("b")
    await hub.pass_time(HOUR - timedelta(seconds=1))
    schedules = hub.schedules()  # none of the hosts is told: they find out as they claim
    await schedules.pause("tick")
    await hub.pass_time(HOUR)
    assert hub.runs == []


async def test_a_run_that_goes_on_when_it_is_paused_ends_and_the_pause_stays(hub: Hub) -> None:
    gate = asyncio.Event()

    async def works(_: TimerRun) -> None:
        await gate.wait()

    host = await hub.host("a", work=works)
    await hub.pass_time(HOUR + MINUTE)
    view = await hub.schedules(host).pause("tick")
    assert view.is_running
    await hub.pass_time(HOUR)
    gate.set()
    await hub.pass_time(2 * HOUR)
    assert [run.end for run in hub.runs] == ["done"]
    assert (await only(hub.schedules(host))).paused_at == at(1, 1)


async def test_what_is_told_twice_is_done_once(hub: Hub) -> None:
    host = await hub.host("a")
    schedules = hub.schedules(host)
    await schedules.resume("tick")
    first = await schedules.pause("tick")
    await hub.pass_time(MINUTE)
    assert await schedules.pause("tick") == first


async def test_a_timer_is_run_now_and_its_due_times_stay(hub: Hub) -> None:
    host = await hub.host("a")
    await hub.host("b")
    await hub.pass_time(10 * MINUTE)
    await hub.schedules(host).run("tick")
    await hub.clock.until_quiet()
    assert [(run.host, run.began) for run in hub.runs] == [("a", at(0, 10))]
    view = await only(hub.schedules(host))
    assert (view.next, view.last) == (at(1), None)
    await hub.pass_time(HOUR)
    assert hub.due() == [at(0, 10), at(1)]
    assert not any(run.request.past_due for run in hub.runs)


async def test_a_paused_timer_can_be_run_by_hand(hub: Hub) -> None:
    host = await hub.host("a")
    schedules = hub.schedules(host)
    await schedules.pause("tick")
    await hub.pass_time(2 * HOUR)
    await schedules.run("tick")
    await hub.pass_time(2 * HOUR)
    assert hub.due() == [at(2)]
    assert (await only(schedules)).paused_at == at(0)


async def test_a_run_that_was_asked_for_where_nobody_runs_it_is_done_by_who_does(hub: Hub) -> None:
    await hub.host("a")
    await hub.pass_time(10 * MINUTE)
    await hub.schedules().run("tick")
    await hub.pass_time(50 * MINUTE + timedelta(seconds=5))
    assert hub.due() == [at(0, 10), at(1)]


async def test_a_run_by_hand_that_a_stop_cut_off_is_done_by_another_host(hub: Hub) -> None:
    async def hangs(_: TimerRun) -> None:
        await asyncio.Event().wait()

    first = await hub.host("a", work=hangs)
    await hub.pass_time(10 * MINUTE)
    await hub.schedules(first).run("tick")
    await hub.clock.until_quiet()
    for listener in first.listeners:
        stopping = asyncio.ensure_future(listener.stop())
        await asyncio.sleep(0)
        stopping.cancel()
        await asyncio.wait([stopping])
    first.listeners.clear()
    await hub.host("b")
    await hub.pass_time(MINUTE)
    assert [(run.host, run.end) for run in hub.runs] == [("a", "cancelled"), ("b", "done")]
    assert (await only(hub.schedules())).next == at(1)


async def test_what_runs_just_now_is_not_run_beside_that(hub: Hub) -> None:
    gate = asyncio.Event()

    async def works(_: TimerRun) -> None:
        await gate.wait()

    host = await hub.host("a", work=works)
    await hub.pass_time(HOUR)
    with pytest.raises(ScheduleStateError, match="runs just now"):
        await hub.schedules(host).run("tick")
    gate.set()


async def test_two_who_ask_for_a_run_at_once_get_one(hub: Hub) -> None:
    host = await hub.host("a")
    schedules = hub.schedules()
    await asyncio.gather(schedules.run("tick"), schedules.run("tick"))
    for listener in host.listeners:
        listener.look_anew()
    await hub.pass_time(MINUTE)
    assert len(hub.runs) == 1


async def test_what_is_no_timer_or_disabled_is_refused(hub: Hub) -> None:
    for name in ("work", "nobody", ""):
        with pytest.raises(ScheduleNotFoundError):
            await hub.schedules().pause(name)
    with pytest.raises(ScheduleStateError, match="disabled"):
        await hub.schedules(disabled=True).run("tick")


async def test_a_host_with_an_older_schedule_does_not_resume_it(hub: Hub) -> None:
    host = await hub.host("a")
    await hub.schedules(host).pause("tick")
    with pytest.raises(ScheduleStateError, match="another schedule"):
        await hub.schedules(host, schedule="0 30 * * * *").resume("tick")
    await hub.schedules(host).resume("tick")


async def test_paused_hosts_ask_the_hub_rarely(hub: Hub) -> None:
    host = await hub.host("a")
    await hub.schedules(host).pause("tick")
    await hub.clock.until_quiet()
    reads = 0
    read = hub.store.record

    async def counted(kind: str, key: str) -> Any:
        nonlocal reads
        reads += 1
        return await read(kind, key)

    hub.store.record = counted  # type: ignore[method-assign]
    await hub.pass_time(HOUR)
    assert reads <= HOUR / timedelta(seconds=LOOK_S / 2) + 1
