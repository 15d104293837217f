"""Notices on their way out: each is taken once at least, and nothing waits for that."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, cast

import msgspec
import pytest

from bindings import FunctionApp, OrchestrationContext
from host.core.history import ExecutionTerminated
from host.core.notices import notice_of_row
from host.core.records import Message, Notice, NoticeKind
from host.engine import notices
from host.engine.damaged import end_if_terminated
from host.engine.notices import AGAIN_AT_ONCE, AT_ONCE, LOOK_S, TAKEN, Answer, Notifications
from host.errors import StorageError
from host.storage.kept_notices import NOTICE, record_of
from host.storage.protocol import HubStore, RecordPage
from tests.kit.hub import Host, Hub, until
from tests.kit.seams import RedeliveringQueues

APP = FunctionApp()
ALL = frozenset(NoticeKind)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
STARTED, COMPLETED = NoticeKind.STARTED, NoticeKind.COMPLETED


@APP.orchestration_trigger()
async def ends(context: OrchestrationContext) -> None:
    pass


@APP.orchestration_trigger()
async def listens(context: OrchestrationContext) -> Any:
    return await context.wait_for_external_event("go")


class Receiver:
    """Takes notices, or refuses them while it is told to."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._begun_at = hub.clock.now()
        self.taken: list[Notice] = []
        self.refused_at: list[float] = []
        self.answer: Callable[[Notice], Answer] = lambda _: TAKEN
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_once = self.most_at_once = 0

    async def post(self, notice: Notice) -> Answer:
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            await self.gate.wait()
        finally:
            self.at_once -= 1
        answer = self.answer(notice)
        if answer.problem is None:
            self.taken.append(notice)
        else:
            passed = self._hub.clock.now() - self._begun_at
            self.refused_at.append(passed.total_seconds())
        return answer

    def wanting(self, kinds: Iterable[NoticeKind] = ALL) -> Notifications:
        return Notifications(wanted=frozenset(kinds), post=self.post)

    def of(self, instance_id: str) -> list[str]:
        return [each.kind.value for each in self.taken if each.instance_id == instance_id]

    def ids(self) -> Counter[str]:
        return Counter(each.notice_id for each in self.taken)


def refuses(_: Notice) -> Answer:
    return Answer("503")


async def kept(hub: Hub) -> int:
    return len((await hub.store.records(NOTICE)).records)


async def start(hub: Hub, receiver: Receiver, **options: Any) -> Host:
    return await hub.start(APP, notifications=receiver.wanting(), **options)


async def test_a_start_and_an_end_are_told_at_once_and_in_order(each_hub: Hub) -> None:
    receiver = Receiver(each_hub)
    host = await start(each_hub, receiver)
    for number in range(20):
        await host.run(ends, instance_id=f"i{number}")
    await host.rest()
    assert [receiver.of(f"i{n}") for n in range(20)] == [["started", "completed"]] * 20
    assert await kept(each_hub) == 0


async def test_only_what_is_wanted_is_told_and_without_a_wish_nothing_is_kept(hub: Hub) -> None:
    receiver = Receiver(hub)
    host = await hub.start(APP, notifications=receiver.wanting({NoticeKind.TERMINATED}))
    await host.run(ends)
    await host.begin(listens, instance_id="it")
    await host.started("it")
    await host.client.terminate_instance("it", "enough")
    await host.finished("it")
    await host.rest()
    assert [(each.kind.value, each.reason) for each in receiver.taken] == [("terminated", "enough")]
    silent = await hub.start(APP)
    await silent.run(ends)
    assert await kept(hub) == 0


async def test_what_is_refused_is_posted_again_later_and_later(hub: Hub) -> None:
    receiver = Receiver(hub)
    receiver.answer = refuses
    host = await hub.start(APP, notifications=receiver.wanting({COMPLETED}))
    await host.run(ends)
    await host.rest()
    await hub.clock.advance(timedelta(seconds=1), steps=2400)
    assert receiver.refused_at[:8] == [0, 1, 3, 7, 15, 31, 63, 127]
    pauses = [b - a for a, b in zip(receiver.refused_at, receiver.refused_at[1:], strict=False)]
    assert pauses[8:11] == [256, 512, 600]
    receiver.answer = lambda _: TAKEN
    await hub.clock.advance(timedelta(seconds=10), steps=60)
    assert len(receiver.taken) == 1
    assert await kept(hub) == 0


async def test_a_receiver_may_say_how_long_to_wait_but_not_for_ever(hub: Hub) -> None:
    receiver = Receiver(hub)
    waits = iter([30.0, 100_000.0, 0.0])
    receiver.answer = lambda _: Answer("429", next(waits))
    host = await hub.start(APP, notifications=receiver.wanting({COMPLETED}))
    await host.run(ends)
    await host.rest()
    await hub.clock.advance(timedelta(seconds=1), steps=631)
    assert receiver.refused_at == [0, 30, 630]


async def test_after_a_day_a_notice_is_dropped_and_the_log_says_so(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = Receiver(hub)
    receiver.answer = refuses
    host = await hub.start(APP, notifications=receiver.wanting({COMPLETED}))
    await host.run(ends, instance_id="it")
    await host.rest()
    await hub.clock.advance(MINUTE, steps=23 * 60)
    assert await kept(hub) == 1
    with caplog.at_level(logging.ERROR):
        await hub.clock.advance(MINUTE, steps=2 * 60)
    assert await kept(hub) == 0
    (line,) = [each.getMessage() for each in caplog.records if "dropped" in each.getMessage()]
    assert "'it'" in line
    assert "completed" in line


async def test_a_day_is_over_though_hosts_come_and_go(hub: Hub) -> None:
    receiver = Receiver(hub)
    receiver.answer = refuses
    host = await hub.start(APP, notifications=receiver.wanting({COMPLETED}))
    await host.run(ends)
    await host.rest()
    for _ in range(5):
        await host.stop()
        host = await hub.start(APP, notifications=receiver.wanting({COMPLETED}))
        await hub.clock.advance(timedelta(minutes=10), steps=30)
        await host.rest()
    assert await kept(hub) == 0


async def test_what_nobody_tried_to_send_is_never_too_old(hub: Hub) -> None:
    receiver = Receiver(hub)
    host = await start(hub, receiver)
    receiver.gate.clear()
    await host.run(ends)
    await host.crash()
    hub.clock.jump(timedelta(days=30))
    receiver.gate.set()
    receiver.taken.clear()
    await (await start(hub, receiver)).rest()
    assert sorted(each.kind.value for each in receiver.taken) == ["completed", "started"]


async def test_one_that_is_always_refused_stops_no_other(hub: Hub) -> None:
    receiver = Receiver(hub)
    receiver.answer = lambda each: Answer("400") if each.instance_id == "bad" else TAKEN
    host = await start(hub, receiver)
    await host.run(ends, instance_id="bad")
    for number in range(50):
        await host.run(ends, instance_id=f"i{number}")
    await host.rest()
    assert len(receiver.taken) == 100


async def test_a_receiver_that_does_not_answer_delays_no_turn(hub: Hub) -> None:
    receiver = Receiver(hub)
    receiver.gate.clear()
    host = await start(hub, receiver)
    for number in range(AT_ONCE + 20):
        await host.run(ends, instance_id=f"i{number}")
    await until(lambda: receiver.at_once == AT_ONCE)
    receiver.gate.set()
    await host.rest()
    assert receiver.most_at_once == AT_ONCE
    assert len(receiver.taken) == 2 * (AT_ONCE + 20)


async def test_a_stop_lets_go_of_what_is_on_its_way_and_the_next_start_sends_it(hub: Hub) -> None:
    receiver = Receiver(hub)
    receiver.gate.clear()
    host = await start(hub, receiver)
    await host.run(ends, instance_id="it")
    await until(lambda: receiver.at_once > 0)
    stopping = asyncio.create_task(host.stop())
    async with asyncio.timeout(10):
        await stopping
    assert receiver.at_once == 0
    receiver.gate.set()
    await (await start(hub, receiver)).rest()
    assert sorted(receiver.of("it")) == ["completed", "started"]


@pytest.mark.parametrize("method", ["change_record", "remove_record", "records", "hold_lock"])
async def test_a_store_that_fails_loses_no_notice(hub: Hub, method: str) -> None:
    receiver = Receiver(hub)
    answers = iter([Answer("503")])
    receiver.answer = lambda _: next(answers, TAKEN)
    host = await start(hub, receiver)
    host.store.fail(method, StorageError("away"), times=3)
    await host.run(ends, instance_id="it")
    await host.rest()
    await hub.clock.advance(timedelta(seconds=1), steps=60)
    assert sorted(receiver.of("it")) == ["completed", "started"]
    assert await kept(hub) == 0


@pytest.mark.parametrize("nth", range(1, 6))
@pytest.mark.parametrize(
    "method", ["commit", "apply", "records", "remove_record", "hold_lock", "load"]
)
async def test_a_host_that_dies_at_any_call_of_the_store_loses_no_notice(
    hub: Hub, method: str, nth: int
) -> None:
    receiver = Receiver(hub)
    host = await start(hub, receiver)

    async def die(called: str, _: tuple[Any, ...]) -> None:
        if called == method and host.store.calls[method] == nth:
            host.store.sever()

    host.store.before = die
    ids = [await host.begin(ends, instance_id=f"i{n}") for n in range(3)]
    await hub.clock.until_quiet()
    await host.crash()
    other = await start(hub, receiver)
    for instance_id in ids:
        await other.finished(instance_id)
    await other.rest()
    for instance_id in ids:
        assert set(receiver.of(instance_id)) == {"started", "completed"}
    assert len(receiver.ids()) == 6
    assert await kept(hub) == 0


async def test_a_turn_whose_effects_were_torn_off_is_told_by_who_takes_the_instance_up(
    hub: Hub,
) -> None:
    receiver, queues = Receiver(hub), RedeliveringQueues()
    host = await start(hub, receiver, queues=queues)
    host.store.tears_commits = True
    await host.begin(ends, instance_id="it")
    await until(lambda: host.store.calls["commit"] > 0)
    await host.crash()
    assert await kept(hub) == 0
    other = await start(hub, receiver, queues=queues)
    await queues.redeliver()
    await other.finished("it")
    await other.rest()
    assert sorted(receiver.of("it")) == ["completed", "started"]


async def test_who_shares_a_hub_leaves_others_what_they_send_and_takes_what_nobody_does(
    hub: Hub,
) -> None:
    receiver = Receiver(hub)
    receiver.gate.clear()
    first = await start(hub, receiver, sweep_s=300.0)
    await first.run(ends, instance_id="it")
    await until(lambda: receiver.at_once > 0)
    await first.crash()
    receiver.gate.set()
    other = await start(hub, receiver, sweep_s=300.0)
    await other.rest()
    assert receiver.taken == []  # its host may be at it
    await hub.clock.advance(timedelta(seconds=10), steps=int(2.5 * LOOK_S / 10))
    assert sorted(receiver.of("it")) == ["completed", "started"]


async def test_of_hosts_that_share_a_hub_one_goes_on_with_what_is_refused(hub: Hub) -> None:
    receiver = Receiver(hub)
    receiver.answer = refuses
    hosts = [await start(hub, receiver, sweep_s=300.0) for _ in range(3)]
    await hosts[2].run(ends, instance_id="it")
    await hub.clock.advance(timedelta(seconds=10), steps=360)
    refused = len(receiver.refused_at)
    receiver.answer = lambda _: TAKEN
    await hub.clock.advance(timedelta(seconds=10), steps=90)
    assert refused < 60
    assert sorted(receiver.of("it")) == ["completed", "started"]
    assert max(receiver.ids().values()) == 1


async def test_a_quarantine_is_told_with_its_reason(hub: Hub) -> None:
    receiver = Receiver(hub)
    host = await hub.start(APP, notifications=receiver.wanting({NoticeKind.QUARANTINED}))
    await host.begin(listens, instance_id="it")
    await host.started("it")
    await host.rest()
    row = await hub.store.get("it")
    assert row is not None
    await host.engine.parts.quarantine.put(row, "It ends hosts.", hub.clock.now())
    await host.rest()
    (told,) = receiver.taken
    assert (told.kind, told.reason) == (NoticeKind.QUARANTINED, "It ends hosts.")


async def test_a_quarantine_that_the_row_does_not_say_is_not_told(hub: Hub) -> None:
    """A store may keep the notice first, and its host may end before it writes the row."""
    receiver = Receiver(hub)
    host = await hub.start(APP)
    await host.begin(listens, instance_id="it")
    await host.started("it")
    await host.rest()
    row = await hub.store.get("it")
    assert row is not None
    told = Notice(
        notice_id="n",
        kind=NoticeKind.QUARANTINED,
        at=row.next_update(hub.clock.now()),
        instance_id="it",
        name="listens",
        status=row.status,
    )
    await hub.store.put_record(record_of(told))
    await host.stop()
    await start(hub, receiver)
    await hub.clock.advance(MINUTE, steps=90)
    assert [each for each in receiver.taken if each.kind is NoticeKind.QUARANTINED] == []
    assert await kept(hub) == 0


async def test_a_quarantine_that_is_made_again_is_the_same_notice(hub: Hub) -> None:
    """On some stores a host may end between the two: then another makes the change anew."""
    host = await hub.start(APP)
    await host.begin(listens, instance_id="it")
    await host.started("it")
    await host.rest()
    row = await hub.store.get("it")
    assert row is not None
    ids = set()
    for seconds in (1, 100):
        changed = msgspec.structs.replace(row, updated_at=row.updated_at + seconds * SECOND)
        told = notice_of_row(changed, NoticeKind.QUARANTINED, "It ends hosts.", seen=row)
        ids.add(told.notice_id)
    assert len(ids) == 1


async def test_a_receiver_of_which_nobody_has_thought_loses_no_notice(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = Receiver(hub)

    def fail(_: Notice) -> Answer:
        receiver.answer = lambda _: TAKEN
        raise ZeroDivisionError

    receiver.answer = fail
    host = await hub.start(APP, notifications=receiver.wanting({COMPLETED}))
    await host.run(ends, instance_id="it")
    await host.rest()
    await hub.clock.advance(SECOND, steps=2)
    assert receiver.of("it") == ["completed"]
    assert "could not be sent" in caplog.text


async def test_a_damaged_instance_that_is_terminated_is_told_of(hub: Hub) -> None:
    receiver = Receiver(hub)
    host = await start(hub, receiver)
    await host.begin(listens, instance_id="it")
    await host.started("it")
    await host.rest()
    event = ExecutionTerminated(timestamp=hub.clock.now(), reason='"enough"')
    await hub.store.send("it", Message(message_id="m", event=event))
    assert await end_if_terminated(host.engine.parts, "it")
    await host.rest()
    assert receiver.of("it") == ["started", "terminated"]
    assert receiver.taken[-1].reason == "enough"
    assert await kept(hub) == 0


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts have hardly any memory for notices."""
    for name, value in (("MAX_WAITING", 6), ("READ_AHEAD", 4), ("MAX_REFUSED", 4), ("_PAGE", 2)):
        monkeypatch.setattr(notices, name, value)


def refuses_the_bad(notice: Notice) -> Answer:
    return Answer("400") if notice.instance_id.startswith("bad") else TAKEN


async def after_runs(
    hub: Hub, answer: Callable[[Notice], Answer], count: int, name: str
) -> tuple[Receiver, Host]:
    """A receiver that answers so, and a host whose so many instances of this name have ended."""
    receiver = Receiver(hub)
    receiver.answer = answer
    host = await start(hub, receiver)
    for number in range(count):
        await host.run(ends, instance_id=f"{name}{number}")
    await host.rest()
    return receiver, host


@pytest.mark.usefixtures("little_room")
async def test_a_memory_full_of_what_is_refused_stops_nothing_new(hub: Hub) -> None:
    receiver, host = await after_runs(hub, refuses_the_bad, 20, "bad")
    await hub.clock.advance(SECOND, steps=60)
    for number in range(5):
        await host.run(ends, instance_id=f"good{number}")
        await host.rest()
        assert receiver.of(f"good{number}") == ["started", "completed"]


@pytest.mark.usefixtures("little_room")
async def test_a_burst_beyond_the_memory_is_sent_though_others_are_refused(hub: Hub) -> None:
    receiver = Receiver(hub)
    receiver.answer = refuses_the_bad
    receiver.gate.clear()
    host = await start(hub, receiver)
    for number in range(30):
        await host.run(ends, instance_id=f"{'bad' if number % 2 else 'good'}{number}")
    receiver.gate.set()
    await host.rest()
    await hub.clock.advance(SECOND, steps=5)
    assert len(receiver.taken) == len(receiver.ids()) == 30
    assert await kept(hub) == 30


@pytest.mark.usefixtures("little_room")
async def test_a_start_gets_to_what_waits_behind_much_that_is_refused(hub: Hub) -> None:
    receiver, host = await after_runs(hub, refuses_the_bad, 20, "bad")
    receiver.gate.clear()
    for number in range(20):
        await host.run(ends, instance_id=f"good{number}")
    await host.stop()
    receiver.gate.set()
    await start(hub, receiver)
    await hub.clock.advance(SECOND, steps=5)
    assert len(receiver.ids()) == 40
    assert await kept(hub) == 40


@pytest.mark.usefixtures("little_room")
async def test_each_that_is_refused_is_tried_in_turn(hub: Hub) -> None:
    receiver, _ = await after_runs(hub, refuses, 12, "i")
    await hub.clock.advance(10 * SECOND, steps=60)
    tried: set[str] = set()

    def note(notice: Notice) -> Answer:
        tried.add(notice.notice_id)
        return Answer("400")

    receiver.answer = note
    await hub.clock.advance(10 * SECOND, steps=900)
    assert len(tried) == 24
    receiver.answer = lambda _: TAKEN
    await hub.clock.advance(10 * SECOND, steps=120)
    assert len(receiver.ids()) == 24
    assert await kept(hub) == 0


@pytest.mark.usefixtures("little_room")
async def test_more_than_there_is_memory_for_is_dropped_after_a_day_too(hub: Hub) -> None:
    await after_runs(hub, refuses, 6, "i")
    await hub.clock.advance(MINUTE, steps=26 * 60)
    assert await kept(hub) == 0


async def test_what_is_refused_leaves_room_on_the_way_to_what_is_new(hub: Hub) -> None:
    receiver, host = await after_runs(hub, refuses, AT_ONCE + AGAIN_AT_ONCE, "bad")
    receiver.gate.clear()
    await hub.clock.advance(SECOND, steps=2)
    assert receiver.at_once == AGAIN_AT_ONCE
    await host.run(ends, instance_id="good")
    await until(lambda: receiver.at_once == AGAIN_AT_ONCE + 1)
    receiver.gate.set()


async def test_time_in_which_nobody_tried_drops_no_notice(hub: Hub) -> None:
    receiver = Receiver(hub)
    receiver.answer = refuses
    host = await hub.start(APP, notifications=receiver.wanting({COMPLETED}))
    await host.run(ends)
    await host.rest()
    await host.stop()
    hub.clock.jump(timedelta(days=3))
    host = await hub.start(APP, notifications=receiver.wanting({COMPLETED}))
    await host.rest()
    await hub.clock.advance(SECOND, steps=200)
    assert await kept(hub) == 1
    receiver.answer = lambda _: TAKEN
    await hub.clock.advance(SECOND, steps=300)
    assert len(receiver.taken) == 1


async def test_a_stop_says_how_many_notices_wait(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = Receiver(hub)
    receiver.answer = refuses
    host = await start(hub, receiver)
    await host.run(ends)
    await host.rest()
    assert host.engine.counters()["noticesWaiting"] == 2
    with caplog.at_level(logging.INFO):
        await host.stop()
    assert "2 notices wait; the next start sends them." in caplog.text


@pytest.mark.usefixtures("little_room")
async def test_a_stop_says_that_more_wait_in_the_store(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    _, host = await after_runs(hub, refuses, 10, "i")
    with caplog.at_level(logging.INFO):
        await host.stop()
    assert "4 notices wait, and perhaps more in the store; " in caplog.text


async def test_who_owes_no_notice_says_nothing_of_them(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    host = await start(hub, Receiver(hub))
    await host.run(ends)
    await host.rest()
    assert host.engine.counters()["noticesWaiting"] == 0
    with caplog.at_level(logging.INFO):
        await host.stop()
    assert "wait" not in caplog.text


class LatePages:
    """A store whose pages of records arrive late: what is in them may have changed since."""

    def __init__(self, store: HubStore) -> None:
        self._store = store
        self.gate = asyncio.Event()
        self.waiting = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def records(self, kind: str, **named: Any) -> RecordPage:
        page = await self._store.records(kind, **named)
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        return page


async def test_what_was_sent_while_a_page_was_read_is_not_sent_again(hub: Hub) -> None:
    receiver = Receiver(hub)
    receiver.gate.clear()
    host = await start(hub, receiver)
    await host.run(ends, instance_id="it")
    await until(lambda: receiver.at_once > 0)
    pages = LatePages(hub.store)
    host.store.inner = cast("HubStore", pages)
    hub.clock.jump(timedelta(seconds=LOOK_S))
    await hub.clock.advance(SECOND)
    await until(lambda: pages.waiting > 0)
    receiver.gate.set()
    await host.rest()
    pages.gate.set()
    await host.rest()
    await hub.clock.advance(SECOND, steps=5)
    assert max(receiver.ids().values()) == 1
    assert len(receiver.ids()) == 2


async def test_new_notices_go_out_while_the_store_reads_what_waits(hub: Hub) -> None:
    receiver = Receiver(hub)
    host = await start(hub, receiver)
    await host.rest()
    pages = LatePages(hub.store)
    host.store.inner = cast("HubStore", pages)
    await hub.clock.advance(timedelta(seconds=LOOK_S))
    await until(lambda: pages.waiting > 0)
    await host.run(ends, instance_id="it")
    await host.rest()
    assert receiver.of("it") == ["started", "completed"]
    pages.gate.set()
