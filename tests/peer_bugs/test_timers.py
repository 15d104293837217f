"""Bugs that peers had with timers, end to end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from bindings import FunctionApp, OrchestrationContext, ReusePolicy, RuntimeStatus, when_any
from host.core.records import Instance
from host.engine.alarms import AlarmPump
from host.storage.memory import MemoryStore
from host.storage.protocol import Alarm
from tests.kit.hub import Hub
from tests.kit.manual_clock import ManualClock

POLL_S, LONGEST_S = 8, 20
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


class Timers:
    """Orchestrators that sleep in every way that went wrong for somebody."""

    def __init__(self) -> None:
        self.app = FunctionApp()

        @self.app.orchestration_trigger()
        async def sleeps(context: OrchestrationContext, seconds: float) -> datetime:
            await context.create_timer(timedelta(seconds=seconds))
            return context.current_utc_datetime

        @self.app.orchestration_trigger()
        async def loops(context: OrchestrationContext) -> list[float]:
            pauses = []
            for _ in range(4):
                begin = context.current_utc_datetime
                await context.create_timer(begin + SECOND / 2)
                pauses.append((context.current_utc_datetime - begin).total_seconds())
            return pauses

        @self.app.orchestration_trigger()
        async def until_noon(context: OrchestrationContext) -> list[datetime]:
            seen = []
            east = timezone(timedelta(hours=9))
            for moment in (
                datetime(2026, 1, 1, 12),
                datetime(2026, 1, 1, 13, tzinfo=UTC),
                datetime(2026, 1, 1, 23, tzinfo=east),
            ):
                await context.create_timer(moment)
                seen.append(context.current_utc_datetime)
            return seen

        self.sleeps, self.loops, self.until_noon = sleeps, loops, until_noon


class Deadlines:
    """Orchestrators with timers that they do not wait for, or not only."""

    def __init__(self) -> None:
        self.app = FunctionApp()

        @self.app.orchestration_trigger()
        async def leaves_timers(context: OrchestrationContext) -> str:
            for hours in range(1, 4):
                context.create_timer(hours * HOUR)
            await context.wait_for_external_event("leave")
            return "left"

        @self.app.orchestration_trigger()
        async def idle(context: OrchestrationContext) -> int:
            heard, deadline = 0, context.create_timer(HOUR)
            while True:
                ping = context.wait_for_external_event("ping")
                if await when_any([ping, deadline]) is deadline:
                    return heard
                heard += 1

        self.leaves_timers, self.idle = leaves_timers, idle


async def test_bug_09_a_timer_that_elapsed_while_the_host_was_down_fires_once_after_the_start(
    each_hub: Hub,
) -> None:
    timers = Timers()
    first = await each_hub.start(timers.app)
    instance_id = await first.begin(timers.sleeps, 60.0)
    await first.started(instance_id)
    await first.crash()
    await each_hub.clock.advance(48 * HOUR)
    second = await each_hub.start(timers.app)
    await second.finished(instance_id)
    assert (await second.history(instance_id)).count("TimerFired") == 1


async def test_bug_10_no_timer_of_a_loop_fires_early(each_hub: Hub) -> None:
    timers = Timers()
    host = await each_hub.start(timers.app)
    instance_id = await host.begin(timers.loops)
    for _ in range(4):
        await host.started(instance_id)
        await host.rest()
        await each_hub.clock.advance(SECOND / 2 - timedelta(microseconds=1))
        await host.rest()
        assert await host.status(instance_id) is RuntimeStatus.RUNNING
        await each_hub.clock.advance(timedelta(microseconds=1) + SECOND / 10)
    assert min((await host.finished(instance_id)).output) >= 0.5


async def test_bug_11_a_timer_of_ten_years_works(each_hub: Hub) -> None:
    timers = Timers()
    host = await each_hub.start(timers.app)
    ten_years = timedelta(days=3650)
    instance_id = await host.begin(timers.sleeps, ten_years.total_seconds())
    await host.started(instance_id)
    begin = each_hub.clock.now()
    await each_hub.clock.advance(25 * timedelta(days=1))
    await host.rest()
    assert await host.status(instance_id) is RuntimeStatus.RUNNING
    await each_hub.clock.advance(ten_years)
    output = (await host.finished(instance_id)).output
    assert datetime.fromisoformat(output) >= begin + ten_years


async def test_bug_12_aware_and_naive_times_mean_the_same_instant(each_hub: Hub) -> None:
    timers = Timers()
    host = await each_hub.start(timers.app)
    instance_id = await host.begin(timers.until_noon)
    await host.started(instance_id)
    await each_hub.clock.advance(12 * HOUR)
    await host.rest()
    for _ in range(2):
        await each_hub.clock.advance(HOUR)
        await host.rest()
    seen = (await host.finished(instance_id)).output
    assert [datetime.fromisoformat(each).hour for each in seen] == [12, 13, 14]


async def test_bug_13_a_terminate_wins_over_a_timer_of_the_same_moment(each_hub: Hub) -> None:
    timers = Timers()
    first = await each_hub.start(timers.app)
    instance_id = await first.begin(timers.sleeps, 60.0)
    await first.started(instance_id)
    await first.rest()
    await first.stop()
    await each_hub.clock.advance(120 * SECOND)
    await first.client.terminate_instance(instance_id)  # both are there when a host comes
    second = await each_hub.start(timers.app)
    assert (await second.finished(instance_id)).runtime_status is RuntimeStatus.TERMINATED
    assert "TimerFired" not in await second.history(instance_id)
    await each_hub.clock.advance(HOUR)
    assert await second.status(instance_id) is RuntimeStatus.TERMINATED


async def test_bug_14_an_orchestration_completes_at_once_and_its_timers_are_gone(
    each_hub: Hub,
) -> None:
    deadlines = Deadlines()
    host = await each_hub.start(deadlines.app)
    instance_id = await host.begin(deadlines.leaves_timers)
    await host.started(instance_id)
    await host.rest()
    assert await each_hub.store.next_alarm(each_hub.clock.now()) is not None
    await host.client.raise_event(instance_id, "leave")
    assert (await host.finished(instance_id)).output == "left"
    assert await each_hub.store.next_alarm(each_hub.clock.now()) is None
    history = await host.history(instance_id)
    await each_hub.clock.advance(4 * HOUR)
    await host.rest()
    assert await host.history(instance_id) == history


async def test_bug_15_a_deadline_is_not_put_off_by_other_events(each_hub: Hub) -> None:
    deadlines = Deadlines()
    host = await each_hub.start(deadlines.app)
    instance_id = await host.begin(deadlines.idle)
    await host.started(instance_id)
    for _ in range(5):
        await each_hub.clock.advance(HOUR / 6)
        await host.client.raise_event(instance_id, "ping")
        await host.rest()
    await each_hub.clock.advance(HOUR / 6)
    assert (await host.finished(instance_id)).output == 5


async def test_bug_16_a_new_timer_wakes_the_pump_although_it_sleeps_for_longer(
    each_hub: Hub,
) -> None:
    timers = Timers()
    host = await each_hub.start(timers.app, alarm_poll_s=100_000.0)
    for seconds in (3600.0, 60.0, 10.0, 1.0, 0.001):
        await host.started(await host.begin(timers.sleeps, seconds, instance_id=str(seconds)))
    await host.rest()
    for seconds in (0.001, 1.0, 10.0, 60.0, 3600.0):
        await each_hub.clock.advance(
            datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds) - each_hub.clock.now()
        )
        await host.finished(str(seconds))


async def test_bug_16_a_message_whose_hint_was_lost_is_found_by_the_next_start(
    each_hub: Hub,
) -> None:
    deadlines = Deadlines()
    first = await each_hub.start(deadlines.app)
    await first.started(await first.begin(deadlines.idle, instance_id="it"))
    await first.rest()
    await first.stop()
    await first.client.raise_event("it", "ping")
    second = await each_hub.start(deadlines.app)
    await second.rest()
    await each_hub.clock.advance(HOUR)
    assert (await second.finished("it")).output == 1


class Bells:
    """Alarms that are set on the pump's host, which tells it, or on another one, which does not."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock.now)
        self.pump = AlarmPump(self.store, self.clock, self._wake, POLL_S)
        self.latest: dict[str, datetime] = {}
        self.due: dict[str, datetime] = {}
        self.rang: dict[str, datetime] = {}

    async def set(self, name: str, seconds: int, *, is_told: bool) -> None:
        """Set an alarm, and say until when it has to ring."""
        now = self.clock.now()
        due = now + seconds * SECOND
        row = Instance(
            instance_id=name,
            execution_id=name,
            name="sleeps",
            status=RuntimeStatus.PENDING,
            created_at=now,
            updated_at=now,
            scheduled_start_at=due,
        )
        await self.store.create(row, ReusePolicy.NEVER)
        self.due[name] = due
        self.latest[name] = due if is_told else max(due, now + POLL_S * SECOND)
        if is_told:
            self.pump.notice(Alarm(instance_id=name, due=due))

    async def run(self) -> None:
        """The pump's loop, as the engine runs it."""
        while True:
            await self.pump.wake_due()
            await self.pump.nap.rest()

    async def _wake(self, instance_ids: Sequence[str]) -> None:
        for each in instance_ids:
            self.rang.setdefault(each, self.clock.now())


async def _ring(settings_: list[tuple[int, int, bool]]) -> Bells:
    bells = Bells()
    pump = asyncio.create_task(bells.run())
    for number, (pause, seconds, is_told) in enumerate(settings_):
        await bells.clock.advance(SECOND, steps=pause)
        await bells.set(str(number), seconds, is_told=is_told)
    await bells.clock.advance(SECOND, steps=LONGEST_S + POLL_S)
    pump.cancel()
    return bells


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10), st.integers(0, LONGEST_S), st.booleans()), max_size=6)
)
def test_bug_16_no_alarm_rings_early_or_later_than_one_poll(
    settings_: list[tuple[int, int, bool]],
) -> None:
    bells = asyncio.run(_ring(settings_))
    assert bells.rang.keys() == bells.due.keys()
    for name, moment in bells.rang.items():
        assert bells.due[name] <= moment <= bells.latest[name]
