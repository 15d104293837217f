"""Duties that one host of a hub does for all: each is somebody's, whatever fails meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext
from host.engine.duties import Duty
from host.engine.hints import MAX_OWED
from host.engine.shared_alarms import MAX_OWN, SharedAlarms
from host.engine.sweeps import FULL_SWEEP, HOST, SWEEP, Sweeps
from host.errors import StorageUnavailableError
from host.storage.local_queues import LocalQueues
from host.storage.protocol import Alarm, NamedLock, RecoverablePage, Sought
from tests.kit.hub import Hub, until
from tests.kit.seams import RefusingQueues, StoreSeam

SECOND = timedelta(seconds=1)
AWAY = StorageUnavailableError("the table is away")
SWEEP_S, FULL_SWEEP_S, HOST_LOCK_S = 300.0, 3600.0, 300.0


class SoughtStore(StoreSeam):
    """Notes who was looked for."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub.store)
        self.sought: list[Sought] = []

    async def recoverable(self, *, sought: Sought, **named: Any) -> RecoverablePage:
        await self._arrive("recoverable", ())
        self.sought.append(sought)
        return await self.inner.recoverable(sought=sought, **named)


class DutyHost:
    """One host's part in the duties, and its way to the store."""

    def __init__(self, hub: Hub, host_id: str) -> None:
        self.seam = SoughtStore(hub)
        store = self.seam.as_store
        self.ringing = Duty(store, hub.clock, name="alarms", owner=host_id, hold_s=60.0)
        self.sweeps = Sweeps(
            store,
            LocalQueues(),
            hub.clock,
            host_id=host_id,
            sweep_s=SWEEP_S,
            full_sweep_s=FULL_SWEEP_S,
            host_lock_s=HOST_LOCK_S,
        )

    def lose_answer(self, lock: str) -> None:
        """Let it not hear that it got the next lock of this name."""

        async def lose(method: str, args: tuple[Any, ...]) -> None:
            if method == "hold_lock" and args[0].name == lock:
                self.seam.before = None
                await self.seam.inner.hold_lock(*args)
                raise AWAY

        self.seam.before = lose


async def test_who_did_not_hear_that_he_has_a_duty_lets_it_go_all_the_same(hub: Hub) -> None:
    one, other = DutyHost(hub, "one"), DutyHost(hub, "other")
    one.lose_answer("alarms")
    with pytest.raises(StorageUnavailableError):
        await one.ringing.take()
    await one.ringing.let_go()
    assert await other.ringing.take()


async def test_a_full_sweep_is_made_by_who_did_not_hear_that_it_is_his(hub: Hub) -> None:
    host = DutyHost(hub, "one")
    host.lose_answer(FULL_SWEEP)
    with pytest.raises(StorageUnavailableError):
        await host.sweeps.sweep()
    await host.sweeps.sweep()
    await host.sweeps.sweep()
    assert host.seam.sought == [Sought.ALL, Sought.UNLED]


async def test_a_full_sweep_of_a_host_whose_clock_was_off_keeps_nobody_from_the_next(
    hub: Hub,
) -> None:
    """The lock of the full sweep is read before anybody asks for it."""
    then = hub.clock.now() + timedelta(days=365)
    wrong = NamedLock(name=FULL_SWEEP, owner="one", expires_at=then)
    await hub.store.hold_lock(wrong, then - FULL_SWEEP_S * SECOND)
    host = DutyHost(hub, "other")
    await host.sweeps.sweep()
    await host.sweeps.sweep()
    assert host.seam.sought == [Sought.ALL, Sought.UNLED]


async def test_a_host_that_starts_looks_for_the_blocked_although_the_store_failed_it(
    hub: Hub,
) -> None:
    one, other = DutyHost(hub, "one"), DutyHost(hub, "other")
    await one.sweeps.sweep()
    other.seam.fail("recoverable", AWAY)
    with pytest.raises(StorageUnavailableError):
        await other.sweeps.sweep()
    await other.sweeps.sweep()
    await other.sweeps.sweep()
    assert other.seam.sought == [Sought.BLOCKED]


async def test_who_comes_back_during_the_sweep_for_him_is_there_after_it(hub: Hub) -> None:
    one, other = DutyHost(hub, "one"), DutyHost(hub, "other")
    await one.sweeps.appear()
    hub.clock.jump(2 * HOST_LOCK_S * SECOND)

    async def come_back(method: str, _: tuple[Any, ...]) -> None:
        if method == "recoverable":
            other.seam.before = None
            await one.sweeps.appear()

    other.seam.before = come_back
    await other.sweeps.sweep()
    assert other.seam.sought == [Sought.ALL]
    assert [each.owner for each in await hub.store.locks(HOST)] == ["one"]


async def test_who_did_not_come_back_is_looked_for_once(hub: Hub) -> None:
    one, other = DutyHost(hub, "one"), DutyHost(hub, "other")
    await one.sweeps.appear()
    hub.clock.jump(2 * HOST_LOCK_S * SECOND)
    await other.sweeps.sweep()
    assert await hub.store.locks(HOST) == []


@pytest.mark.parametrize("owes_hints", [False, True])
async def test_a_stop_leaves_the_locks_that_others_need(hub: Hub, owes_hints: bool) -> None:
    host = DutyHost(hub, "one")
    await host.sweeps.appear()
    await host.sweeps.sweep()
    await host.sweeps.leave(owes_hints=owes_hints)
    left = {each.name for each in await hub.store.locks("")}
    assert SWEEP not in left
    assert (f"{HOST}one" in left) is owes_hints


async def test_whoever_lost_a_hint_has_all_looked_at_once(hub: Hub) -> None:
    one, other = DutyHost(hub, "one"), DutyHost(hub, "other")
    await other.sweeps.sweep()
    await one.sweeps.ask_for_all()
    for _ in range(2):
        await other.sweeps.sweep()
    assert other.seam.sought == [Sought.ALL, Sought.ALL, Sought.UNLED]


async def test_a_host_that_has_no_room_for_a_hint_has_all_looked_at(hub: Hub) -> None:
    ids = [f"x{number}" for number in range(MAX_OWED + 1)]
    queues = RefusingQueues(set(ids))
    queues.is_away = True
    host = await hub.start(FunctionApp(), queues=queues, sweep_s=SWEEP_S)
    await hub.clock.advance(SECOND)
    host.engine.parts.hints.owe(ids)
    await hub.clock.advance(10 * SECOND, steps=15)
    assert len(await hub.store.locks(HOST)) == 2
    await hub.clock.advance(10 * SECOND, steps=30)
    assert len(await hub.store.locks(HOST)) == 1  # it was done


async def test_an_alarm_of_a_host_that_has_very_many_may_come_sooner(hub: Hub) -> None:
    woken: list[str] = []

    async def wake(instance_ids: Sequence[str]) -> None:
        woken.extend(instance_ids)

    alarms = SharedAlarms(hub.store, hub.clock, wake, DutyHost(hub, "one").ringing)
    for number in range(MAX_OWN):
        alarms.notice(Alarm(instance_id=f"i{number}", due=hub.clock.now() + 60 * SECOND))
    alarms.notice(Alarm(instance_id="i7", due=hub.clock.now() + 30 * SECOND))
    hub.clock.jump(30 * SECOND)
    await alarms.wake_due()
    assert woken == ["i7"]


async def test_a_host_whose_stop_takes_long_has_not_vanished(hub: Hub) -> None:
    app, gate, runs = FunctionApp(), asyncio.Event(), list[int]()

    @app.activity_trigger(at_most_once=True)
    async def pays() -> None:
        runs.append(1)
        await gate.wait()

    @app.orchestration_trigger()
    async def buys(context: OrchestrationContext) -> None:
        await context.call_activity(pays)

    host = await hub.start(app, sweep_s=SWEEP_S)
    await host.begin(buys)
    await until(lambda: bool(runs))
    stop = asyncio.create_task(host.stop(3 * HOST_LOCK_S))
    await hub.clock.advance(10 * SECOND, steps=40)
    (lock,) = await hub.store.locks(HOST)
    now = hub.clock.now()
    gate.set()
    await stop
    assert lock.expires_at > now
    assert await hub.store.locks(HOST) == []
