"""A year of timers on three hosts, in three zones, while hosts die, stop and stand still."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bindings.schedules import parse_schedule
from host.storage.protocol import HubStore
from tests.kit.timer_hosts import timer_trigger
from tests.simulation.calm import CalmHub
from tests.simulation.clock import BEGINNING, SkewedClock
from tests.simulation.loop import VirtualLoop
from tests.simulation.processes import Process
from tests.simulation.timers import TimerWorld

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
START = BEGINNING + timedelta(minutes=20)
"""No time is due near it, by any host's clock."""
SCHEDULES = {"hourly": "0 0 * * * *", "daily": "0 30 2 * * *"}


def due_times(schedule: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    parsed = parse_schedule(schedule, ZoneInfo(zone))
    found, due = [], parsed.due_after(start)
    while due < end:
        found.append(due)
        due = parsed.due_after(due)
    return found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("zone", ZONES)
def test_in_a_year_each_due_time_is_run_once_whatever_happens_to_hosts(zone: str) -> None:
    timers = {name: timer_trigger(text, timeZone=zone) for name, text in SCHEDULES.items()}
    world = TimerWorld(seed=ZONES.index(zone), timers=timers, start=START)
    year, margin = timedelta(days=365), timedelta(minutes=110)
    world.run(year + margin)
    end = START + year + margin
    due = {name: due_times(text, zone, START, end) for name, text in SCHEDULES.items()}
    assert len(due["hourly"]) > 8760
    assert len(due["daily"]) in {365, 366}
    assert world.problems(due) == []
    assert world.broken.total() > 10


class _Caller:
    """A host, as the simulated network knows it."""

    def __init__(self, process: Process) -> None:
        self.process = process

    def crash(self, why: str) -> None:
        """No fault does this here."""
        raise AssertionError(why)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("zone", "day"), list(zip(ZONES, ("03-27", "10-30", "10-02"), strict=True))
)
def test_so_it_is_on_aws_around_a_change_of_the_wall_clock(zone: str, day: str) -> None:
    start = datetime.fromisoformat(f"2026-{day}T00:20:00+00:00")
    timers = {name: timer_trigger(text, timeZone=zone) for name, text in SCHEDULES.items()}
    hub = CalmHub()

    def store_of(_loop: VirtualLoop, process: Process, clock: SkewedClock) -> HubStore:
        return hub.hub.drivers(_Caller(process), clock)[0]

    world = TimerWorld(7, timers, start=start, loop=hub.loop, store_of=store_of, trouble_each_h=1.0)
    world.run(timedelta(days=5))
    end = start + timedelta(days=5)
    due = {name: due_times(text, zone, start, end) for name, text in SCHEDULES.items()}
    assert world.problems(due) == []
