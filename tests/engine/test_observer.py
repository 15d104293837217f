"""Whoever observes a host is told what happens on it, and can disturb nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus, TaskFailedError
from host.core.records import ActivityKey
from host.engine.observer import (
    EVENTS,
    ActivityBegan,
    ActivityCancelled,
    ActivityCompleted,
    ActivityFailed,
    Event,
    InstanceEnded,
    InstanceQuarantined,
    InstanceStarted,
    InstanceTakenOver,
    Observer,
    Observers,
    TurnCommitted,
    TurnRefused,
    WakeUpRedelivered,
)
from host.storage.protocol import WakeUp
from tests.kit.hub import Hub, until
from tests.kit.seams import RedeliveringQueues

SECOND = timedelta(seconds=1)
A_WAKE_UP = WakeUpRedelivered(wakeup=WakeUp(instance_id="it"))


class Diary:
    """Keeps every event that it is told of."""

    def __init__(self, kinds: Iterable[type[Event]] = EVENTS) -> None:
        self.events: list[Event] = []
        self.observer = Observer(name="diary", sees=dict.fromkeys(kinds, self.see))

    def see(self, event: Event) -> None:
        if isinstance(event, TurnCommitted):
            assert event.row is event.row  # it is made when it is asked for
        self.events.append(event)

    def kinds(self) -> list[type[Event]]:
        return [type(event) for event in self.events]


def of_kind(kind: type[Any], diary: Diary) -> list[Any]:
    return [event for event in diary.events if isinstance(event, kind)]


class Work:
    """An app with an activity that can be held up, or fail."""

    def __init__(self) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()
        self.runs = 0

        @self.app.activity_trigger()
        async def act(what: str) -> str:
            self.runs += 1
            if what == "held":
                await self.gate.wait()
            elif what == "fails":
                raise LookupError("on purpose")
            return what

        @self.app.activity_trigger()
        def act_in_thread(what: str) -> str:
            if what == "fails":
                raise LookupError("on purpose")
            return what

        @self.app.orchestration_trigger()
        async def asks(context: OrchestrationContext, what: str) -> Any:
            return await context.call_activity(act, what)

        @self.app.orchestration_trigger()
        async def asks_thread(context: OrchestrationContext, what: str) -> Any:
            return await context.call_activity(act_in_thread, what)

        @self.app.orchestration_trigger()
        async def listens(context: OrchestrationContext) -> Any:
            return await context.wait_for_external_event("go")

        self.asks, self.asks_thread, self.listens = asks, asks_thread, listens


async def handing_out_again(instance_id: str) -> RedeliveringQueues:
    """Queues with the hint of a host that vanished with it."""
    queues = RedeliveringQueues()
    await queues.send_wakeups([instance_id])
    await queues.release(await queues.receive_wakeups(1))
    return queues


@pytest.mark.parametrize("name", ["asks", "asks_thread"])
async def test_an_observer_is_told_the_way_of_an_instance(hub: Hub, name: str) -> None:
    work, diary = Work(), Diary()
    host = await hub.start(work.app, observers=[diary.observer])
    done = await host.run(getattr(work, name), "this", instance_id="it")
    assert done.output == "this"
    await host.rest()
    assert diary.kinds() == [
        TurnCommitted,
        InstanceStarted,
        ActivityBegan,
        ActivityCompleted,
        TurnCommitted,
        InstanceEnded,
    ]
    first, started, began, completed, last, ended = diary.events
    assert isinstance(first, TurnCommitted)
    assert (first.commit.number, first.row.status) == (0, RuntimeStatus.RUNNING)
    assert isinstance(started, InstanceStarted)
    assert (started.row.name, started.row.instance_id) == (name, "it")
    assert isinstance(began, ActivityBegan)
    assert isinstance(completed, ActivityCompleted)
    assert began.key == completed.key == ActivityKey("it", started.row.execution_id, 1)
    assert isinstance(last, TurnCommitted)
    assert (last.commit.number, last.row.output) == (1, '"this"')
    assert isinstance(ended, InstanceEnded)
    assert (ended.row.status, ended.error) == (RuntimeStatus.COMPLETED, None)


@pytest.mark.parametrize("name", ["asks", "asks_thread"])
async def test_an_observer_is_told_of_failures_with_the_error(hub: Hub, name: str) -> None:
    work, diary = Work(), Diary([ActivityCompleted, ActivityFailed, InstanceEnded])
    host = await hub.start(work.app, observers=[diary.observer])
    await host.run(getattr(work, name), "fails")
    await host.rest()
    failed, ended = diary.events
    assert isinstance(failed, ActivityFailed)
    assert isinstance(failed.error.error, LookupError)
    assert isinstance(ended, InstanceEnded)
    assert ended.row.status is RuntimeStatus.FAILED
    assert ended.error is not None
    assert isinstance(ended.error.error, TaskFailedError)


async def test_each_activity_that_began_comes_to_one_end_and_says_how_long_it_took(
    hub: Hub,
) -> None:
    work, diary = Work(), Diary([ActivityBegan, ActivityCompleted, ActivityCancelled])
    host = await hub.start(work.app, observers=[diary.observer], max_concurrent_activities=1)
    for instance_id in ("running", "waiting"):
        await host.begin(work.asks, "held", instance_id=instance_id)
    await until(lambda: work.runs == 1)
    assert diary.kinds() == [ActivityBegan]
    await hub.clock.advance(SECOND)
    await host.client.terminate_instance("running")
    await host.finished("running")
    await until(lambda: work.runs == 2)
    work.gate.set()
    await host.finished("waiting")
    await host.rest()
    ends = of_kind(ActivityCancelled, diary) + of_kind(ActivityCompleted, diary)
    assert [each.key.instance_id for each in ends] == ["running", "waiting"]
    assert ends[0].took_s == 1.0
    assert len(of_kind(ActivityBegan, diary)) == 2


async def test_an_observer_is_told_of_a_takeover_and_of_hints_that_come_again(hub: Hub) -> None:
    work, diary = Work(), Diary()
    first = await hub.start(work.app)
    await first.begin(work.asks, "held", instance_id="it")
    await until(lambda: work.runs == 1)
    await first.crash()
    work.gate.set()
    queues = await handing_out_again("it")
    second = await hub.start(work.app, queues=queues, observers=[diary.observer])
    await second.finished("it")
    redelivered, taken_over = diary.events[:2]
    assert isinstance(redelivered, WakeUpRedelivered)
    assert redelivered.wakeup.instance_id == "it"
    assert isinstance(taken_over, InstanceTakenOver)
    assert taken_over.row.instance_id == "it"
    assert InstanceStarted not in diary.kinds()
    assert second.engine.counters() == {"conflicts": 0, "redeliveries": 1}


async def test_an_observer_is_told_of_a_turn_that_came_too_late(hub: Hub) -> None:
    work, diary = Work(), Diary([TurnRefused])
    loser = await hub.start(work.app, observers=[diary.observer])
    await loser.begin(work.listens, instance_id="it")
    await loser.started("it")
    await loser.rest()
    is_held, may_go_on = asyncio.Event(), asyncio.Event()

    async def hold_up(name: str, _: tuple[Any, ...]) -> None:
        if name == "commit":
            is_held.set()
            await may_go_on.wait()

    loser.store.before = hold_up
    await loser.client.raise_event("it", "go")
    await is_held.wait()
    winner = await hub.start(work.app)
    await winner.engine.wake(["it"])
    await winner.finished("it")
    may_go_on.set()
    await loser.rest()
    (refused,) = diary.events
    assert isinstance(refused, TurnRefused)
    assert refused.commit.number == 1
    assert loser.engine.counters()["conflicts"] == 1


async def test_an_observer_is_told_of_a_quarantine(hub: Hub) -> None:
    work, diary = Work(), Diary([InstanceQuarantined])
    first = await hub.start(work.app)
    await first.begin(work.asks, "held", instance_id="it")
    await until(lambda: work.runs == 1)
    await first.crash()
    for is_over in (lambda: work.runs == 2, lambda: len(diary.events) == 1):
        host = await hub.start(
            work.app,
            queues=await handing_out_again("it"),
            observers=[diary.observer],
            max_deliveries=1,
        )
        await until(is_over)
        await host.crash()
    (quarantined,) = diary.events
    assert isinstance(quarantined, InstanceQuarantined)
    assert quarantined.row.is_quarantined
    assert quarantined.reason.startswith("A host ended 1 times")


async def test_an_observer_that_fails_is_named_once_and_disturbs_nothing(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(event: Event) -> None:
        raise SystemExit("no ink")

    work, diary = Work(), Diary([TurnCommitted])
    clumsy = Observer(name="clumsy", sees=dict.fromkeys(EVENTS, stumble))
    host = await hub.start(work.app, observers=[clumsy, diary.observer])
    for _ in range(3):
        assert (await host.run(work.asks, "this")).output == "this"
    assert len(diary.events) == 6
    lines = [each.getMessage() for each in caplog.records if "observer" in each.getMessage()]
    assert lines == [
        "The observer 'clumsy' failed with TurnCommitted: SystemExit: no ink. What else it fails "
        "with is not logged."
    ]


async def test_the_row_of_a_turn_is_read_while_it_is_told(hub: Hub) -> None:
    turns: list[TurnCommitted] = []
    late = Observer(name="late", sees={TurnCommitted: turns.append})
    host = await hub.start(Work().app, observers=[late])
    await host.run("asks", "this")
    for turn in turns:
        with pytest.raises(RuntimeError, match="while the event is told"):
            _ = turn.row


async def test_counters_and_log_lines_are_observers_like_any_other(hub: Hub) -> None:
    host = await hub.start(Work().app)
    observed = host.engine.parts.observers.wanted
    assert {TurnRefused, WakeUpRedelivered, InstanceStarted, ActivityFailed} <= observed
    assert not {TurnCommitted, ActivityBegan, ActivityCompleted} & observed


def test_nothing_is_wanted_that_nobody_observes() -> None:
    observers, counts = Observers(), Counter[str]()
    assert observers.wanted == frozenset()
    observers.tell(A_WAKE_UP)

    def observing(name: str) -> Observer:
        return Observer(name=name, sees={WakeUpRedelivered: lambda _: counts.update([name])})

    first, second = observing("first"), observing("second")
    observers.add(first)
    observers.add(second)
    assert observers.wanted == {WakeUpRedelivered}
    observers.tell(A_WAKE_UP)
    observers.remove(first)
    observers.tell(A_WAKE_UP)
    assert counts == {"first": 1, "second": 2}
    observers.remove(second)
    observers.remove(second)
    assert observers.wanted == frozenset()


def test_an_observer_may_go_in_the_midst_of_being_told() -> None:
    observers, told = Observers(), list[Event]()

    def see_once(event: Event) -> None:
        told.append(event)
        observers.remove(once)

    once = Observer(name="once", sees={WakeUpRedelivered: see_once})
    diary = Diary([WakeUpRedelivered])
    for each in (once, diary.observer):
        observers.add(each)
    observers.tell(A_WAKE_UP)
    observers.tell(A_WAKE_UP)
    assert len(told) == 1
    assert len(diary.events) == 2


async def _later(event: Event) -> None: ...


@pytest.mark.parametrize(
    ("sees", "reason"),
    [
        ({WakeUp: print}, "is no kind of event"),
        ({WakeUpRedelivered: _later}, "must be a plain function"),
        ({WakeUpRedelivered: "print"}, "must be a plain function"),
    ],
)
def test_what_cannot_be_told_is_refused(sees: Any, reason: str) -> None:
    with pytest.raises(TypeError, match=f"'odd': .*{reason}"):
        Observers([Observer(name="odd", sees=sees)])


def test_an_observer_may_leave_while_it_is_told_and_fail_then() -> None:
    observers = Observers()

    def leave(_: Event) -> None:
        observers.remove(leaving)
        raise ValueError("gone")

    leaving = Observer(name="leaving", sees={WakeUpRedelivered: leave})
    observers.add(leaving)
    observers.tell(A_WAKE_UP)
    assert observers.wanted == frozenset()
