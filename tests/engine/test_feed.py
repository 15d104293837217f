"""Who listens is told what happens; who does not costs nothing, who is slow holds up nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from bindings.client import RuntimeStatus
from bindings.errors import FailureDetails
from host.core.failures import Caught
from host.core.history import TaskScheduled
from host.core.records import ActivityKey, Instance
from host.engine.feed.events import FeedEvent, FeedKind, Wanted
from host.engine.feed.feed import (
    BUSY_S,
    CALM,
    CALM_S,
    KEPT,
    LINGER_S,
    MAX_SEEN,
    MAX_TOLD,
    Feed,
    Listener,
    Told,
)
from host.engine.observer import (
    ActivityBegan,
    ActivityFailed,
    InstanceEnded,
    InstanceQuarantined,
    InstanceStarted,
    Observers,
    TurnCommitted,
)
from tests.contract.builders import commit, instance
from tests.kit.manual_clock import ManualClock

EVERYTHING = Wanted()
HOST = "a1b2c3d4e5f6a7b8"


class World:
    """A host that tells its observers what the test says, and a feed that observes it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.observers = Observers()
        self.feed = Feed(self.observers, self.clock, HOST)

    def start(self, *ids: str, name: str = "hello") -> None:
        for id_ in ids:
            row = instance(id_, name=name, status=RuntimeStatus.RUNNING)
            if InstanceStarted in self.observers.wanted:
                self.observers.tell(InstanceStarted(row=row))

    def end(self, id_: str, row: Instance | None = None) -> None:
        row = row or instance(id_, status=RuntimeStatus.COMPLETED)
        self.observers.tell(InstanceEnded(row=row, error=None))

    def turn(self, id_: str, status: RuntimeStatus | None) -> None:
        """A turn that stores this status; None for one that leaves the row as it is."""
        row = instance(id_, status=status or RuntimeStatus.RUNNING)
        turn = commit(1, instance_id=id_, row=None if status is None else row)
        self.observers.tell(TurnCommitted(commit=turn, view=lambda: row))

    def begin_activity(self, id_: str, task_id: int = 0) -> None:
        self.observers.tell(ActivityBegan(key=key(id_, task_id), scheduled=scheduled(task_id)))

    async def told(self, listener: Listener, after_s: float = BUSY_S) -> list[FeedEvent | None]:
        """What the listener is told once so much time has passed."""
        await self.clock.advance(timedelta(seconds=after_s))
        return [each.event for each in await next_of(listener)]


async def next_of(listener: Listener) -> Sequence[Told]:
    async with asyncio.timeout(5):
        return await listener.next()


def key(id_: str, task_id: int = 0) -> ActivityKey:
    return ActivityKey(id_, "e1", task_id)


def scheduled(task_id: int = 0) -> TaskScheduled:
    return TaskScheduled(timestamp=ManualClock().now(), task_id=task_id, name="say_hello")


def ids(events: Sequence[FeedEvent | None]) -> list[str | None]:
    return [None if each is None else each.instance_id for each in events]


async def test_nothing_is_observed_while_nobody_listens() -> None:
    world = World()
    assert world.observers.wanted == frozenset()
    listener = world.feed.listen(EVERYTHING)
    assert InstanceStarted in world.observers.wanted
    listener.close()
    assert InstanceStarted in world.observers.wanted  # he may come back in a moment
    await world.clock.advance(timedelta(seconds=LINGER_S + 1))
    world.start("late")
    await world.clock.advance(timedelta(seconds=CALM_S))
    assert world.observers.wanted == frozenset()


async def test_who_listens_is_told_what_happens_from_then_on() -> None:
    world = World()
    first = world.feed.listen(EVERYTHING)
    world.start("one")
    assert ids(await world.told(first)) == ["one"]
    second = world.feed.listen(EVERYTHING)
    world.start("two")
    assert ids(await world.told(first)) == ["two"]
    assert ids(await world.told(second)) == ["two"]


async def test_events_say_what_happened_without_any_payload() -> None:
    world = World()
    listener = world.feed.listen(EVERYTHING)
    world.start("i", name="order")
    world.begin_activity("i", 3)
    details = FailureDetails(error_type="ValueError", message="no luck " * 1000)
    world.observers.tell(
        ActivityFailed(
            key=key("i", 3),
            scheduled=scheduled(3),
            took_s=1.5,
            error=Caught(error=ValueError(), details=details),
        )
    )
    row = instance("i", name="order", status=RuntimeStatus.FAILED, failure=details)
    world.observers.tell(InstanceQuarantined(row=row, reason="It was too much."))
    world.end("i", row)
    started, began, failed, quarantined, ended = await world.told(listener)
    assert started is not None
    assert began is not None
    assert failed is not None
    assert quarantined is not None
    assert ended is not None
    assert (started.kind, started.name) == (FeedKind.STARTED, "order")
    assert (began.kind, began.name, began.activity, began.task_id) == (
        FeedKind.ACTIVITY_STARTED,
        "order",
        "say_hello",
        3,
    )
    assert (failed.kind, failed.seconds) == (FeedKind.ACTIVITY_FAILED, 1.5)
    assert (quarantined.kind, quarantined.reason) == (FeedKind.QUARANTINED, "It was too much.")
    assert (ended.kind, ended.status) == (FeedKind.ENDED, RuntimeStatus.FAILED)
    for each in (failed, ended):
        assert each.reason is not None
        assert each.reason.startswith("ValueError: no luck")
        assert len(each.reason) <= 300


async def test_of_an_activity_whose_orchestrator_is_not_known_no_name_is_told() -> None:
    world = World()
    listener = world.feed.listen(EVERYTHING)
    world.begin_activity("elsewhere")
    (event,) = await world.told(listener)
    assert event is not None
    assert event.name is None


async def test_a_listener_is_told_only_what_it_wants() -> None:
    world = World()
    of_one = world.feed.listen(Wanted(instance_ids=("one",)))
    of_name = world.feed.listen(Wanted(names=("order",)))
    of_end = world.feed.listen(Wanted(kinds=frozenset({FeedKind.ENDED})))
    of_failed = world.feed.listen(Wanted(statuses=(RuntimeStatus.FAILED,)))
    world.start("one", "two")
    world.start("three", name="order")
    world.end("two")
    world.end("one", instance("one", status=RuntimeStatus.FAILED))
    await world.clock.advance(timedelta(seconds=1))
    assert ids([x.event for x in await of_one.next()]) == ["one", "one"]
    assert ids([x.event for x in await of_name.next()]) == ["three"]
    assert ids([x.event for x in await of_end.next()]) == ["two", "one"]
    assert ids([x.event for x in await of_failed.next()]) == ["one"]


async def test_what_nobody_listens_for_is_not_observed() -> None:
    world = World()
    world.feed.listen(Wanted(kinds=frozenset({FeedKind.ENDED})))
    assert world.observers.wanted == {InstanceEnded}
    world.feed.listen(Wanted(kinds=frozenset({FeedKind.STARTED})))
    assert world.observers.wanted == {InstanceEnded, InstanceStarted}


async def test_who_comes_back_for_what_was_not_observed_is_told_of_a_gap() -> None:
    world = World()
    of_ends = world.feed.listen(Wanted(kinds=frozenset({FeedKind.ENDED})))
    world.end("one")
    world.end("two")
    first, _ = await told_of(world, of_ends)
    again = world.feed.listen(Wanted(kinds=frozenset({FeedKind.ENDED})), first)
    assert ids([each.event for each in await again.next()]) == ["two"]
    of_all = world.feed.listen(EVERYTHING, first)
    assert (await of_all.next())[0].event is None  # starts are missing, if there were any


async def told_of(world: World, listener: Listener) -> list[str]:
    """The ids of the events that the listener is told next."""
    await world.clock.advance(timedelta(seconds=1))
    return [world.feed.id_of(each.number) for each in await next_of(listener)]


async def test_under_load_turns_that_change_nothing_are_only_counted() -> None:
    world = World()
    listener = world.feed.listen(EVERYTHING)
    world.start(*(f"i{number}" for number in range(CALM)))
    world.start("it")
    for status in (RuntimeStatus.RUNNING, None, None, RuntimeStatus.SUSPENDED, None):
        world.turn("it", status)
    event = (await world.told(listener))[-1]
    assert event is not None
    assert (event.kind, event.status, event.count) == (FeedKind.TURN, RuntimeStatus.SUSPENDED, 6)


async def test_under_load_the_events_of_an_instance_are_told_together() -> None:
    world = World()
    listener = world.feed.listen(EVERYTHING)
    of_starts = world.feed.listen(Wanted(kinds=frozenset({FeedKind.STARTED})))
    for number in range(CALM):
        world.start(f"i{number}")
        world.begin_activity(f"i{number}")
    world.end("i0")
    world.begin_activity("i0", 1)
    events = await world.told(listener)
    assert len(events) == CALM
    first = events[0]
    assert first is not None
    assert (first.kind, first.count) == (FeedKind.ENDED, 4)
    assert first.kinds == {FeedKind.STARTED, FeedKind.ENDED, FeedKind.ACTIVITY_STARTED}
    assert len(await of_starts.next()) == CALM  # who wants starts is told of what has them in it


async def test_more_than_can_be_told_is_left_out_and_a_gap_says_so() -> None:
    world = World()
    listener = world.feed.listen(EVERYTHING)
    world.start(*(f"i{number}" for number in range(MAX_TOLD + 10)))
    events = await world.told(listener)
    assert ids(events) == [None, *(f"i{number}" for number in range(10, MAX_TOLD + 10))]


async def test_once_enough_is_gathered_nothing_is_observed_until_it_is_told() -> None:
    world = World()
    listener = world.feed.listen(EVERYTHING)
    world.start(*["again"] * (MAX_SEEN - 1))
    assert world.observers.wanted
    world.start("again", "unseen")
    assert world.observers.wanted == frozenset()
    world.feed.listen(Wanted(kinds=frozenset({FeedKind.ENDED})))
    assert world.observers.wanted == frozenset()
    assert ids(await world.told(listener)) == ["again", None]  # what is missing came later
    world.start("seen")
    assert ids(await world.told(listener)) == ["seen"]


async def test_a_listener_that_comes_back_goes_on_where_it_was() -> None:
    world = World()
    listener = world.feed.listen(EVERYTHING)
    world.start("one", "two")
    await world.clock.advance(timedelta(seconds=1))
    first = (await listener.next())[0]
    listener.close()
    world.start("three")
    back = world.feed.listen(EVERYTHING, world.feed.id_of(first.number))
    assert ids(await world.told(back)) == ["two", "three"]


async def test_a_listener_that_was_away_for_too_long_is_told_of_a_gap() -> None:
    world = World()
    listener = world.feed.listen(EVERYTHING)
    world.start("one")
    assert ids(await world.told(listener)) == ["one"]
    seen = world.feed.id_of(listener.at)
    listener.close()
    await world.clock.advance(timedelta(seconds=LINGER_S + 1))
    world.start("two")  # with this the feed sees that nobody listens
    await world.clock.advance(timedelta(seconds=1))
    world.start("three")
    back = world.feed.listen(EVERYTHING, seen)
    world.start("four")
    assert ids(await world.told(back)) == [None, "four"]


async def test_ids_of_others_and_what_is_no_id_are_a_gap() -> None:
    for id_ in (
        "other.1",
        "1",
        "",
        f"{HOST[:12]}.99",
        f"{HOST[:12]}.-1",
        "x" * 10_000,
        "\0",
        "٣.٣",
    ):
        world = World()
        listener = world.feed.listen(EVERYTHING, id_)
        assert ids([each.event for each in await listener.next()]) == [None], id_
        world.start("one")
        assert ids(await world.told(listener)) == ["one"]


async def test_a_slow_listener_misses_the_oldest_and_is_told_so() -> None:
    world = World()
    slow = world.feed.listen(EVERYTHING)
    count = 0
    while count < KEPT + MAX_TOLD:
        world.start(*(f"i{count + number}" for number in range(MAX_TOLD)))
        count += MAX_TOLD
        await world.clock.advance(timedelta(seconds=1))
    found = ids([each.event for each in await slow.next()])
    assert found[0] is None
    assert found[1:] == [f"i{number}" for number in range(count - KEPT, count)]


async def test_a_feed_that_is_closed_tells_nothing_more() -> None:
    world = World()
    world.feed.listen(EVERYTHING)
    world.start("one")
    world.feed.close()
    await world.clock.until_quiet()
    assert not world.clock.is_waited_for
    assert world.observers.wanted == frozenset()
