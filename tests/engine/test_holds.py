"""The hold of a hint is the right to lead its instance: whoever has lost it does nothing more."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from math import inf
from typing import Any

import pytest

from bindings import FunctionApp, OrchestrationContext, RuntimeStatus
from host.core.records import Effects
from host.errors import StorageError
from host.storage.local_queues import LocalQueues
from host.storage.protocol import Hint
from tests.kit.hub import Host, Hub, until
from tests.kit.manual_clock import PATIENCE_S

TICK = timedelta(seconds=0.25)
AWAY = StorageError("throttled")


class _Lapsing(LocalQueues):
    """Queues whose holds can be over, and can fail to be made longer."""

    def __init__(self) -> None:
        super().__init__()
        self.is_over = False
        self.refuses = False
        """Whether who asks to hold longer is told that others have it."""
        self.failures: Counter[str] = Counter()
        """How often more to fail for an instance."""
        self.extended: list[str] = []
        self.left_s = inf

    def is_held(self, hint: Hint) -> bool:
        return not self.is_over and super().is_held(hint)

    def hold_left_s(self, hint: Hint) -> float:
        return self.left_s if self.is_held(hint) else 0.0

    async def extend(self, hints: Sequence[Hint]) -> None:
        for hint in hints:
            if self.failures[hint.instance_id] > 0:
                self.failures[hint.instance_id] -= 1
                raise AWAY
        self.is_over = self.is_over or self.refuses
        self.extended += [hint.instance_id for hint in hints]


class _Work:
    """A chain of activities that wait for a gate, on a host of this name."""

    def __init__(self, name: str, runs: list[str], *, steps: int = 2) -> None:
        self.app = FunctionApp()
        self.gate = asyncio.Event()
        gate = self.gate

        @self.app.activity_trigger()
        async def act(label: str) -> str:
            runs.append(f"{name}: {label}")
            try:
                await gate.wait()
            except asyncio.CancelledError:
                runs.append(f"{name}: {label} cancelled")
                raise
            return label

        @self.app.orchestration_trigger()
        async def chain(context: OrchestrationContext) -> list[str]:
            return [await context.call_activity(act, str(step)) for step in range(steps)]

        self.chain: Callable[..., Any] = chain


async def _takes_over(hub: Hub, work: _Work, instance_id: str) -> Host:
    """Another host gets the hint as a delivery that comes again."""
    host = await hub.start(work.app)
    await host.queues.send_wakeups([instance_id], is_recovery=True)
    return host


async def test_found_a19_a_session_whose_hold_is_over_ends(each_hub: Hub) -> None:
    runs: list[str] = []
    queues, work, other = _Lapsing(), _Work("a", runs), _Work("b", runs)
    first = await each_hub.start(work.app, queues=queues)
    instance_id = await first.begin(work.chain)
    await until(lambda: runs == ["a: 0"])

    queues.is_over = True
    await each_hub.clock.advance(TICK)
    await until(lambda: not first.engine.open_sessions)
    assert runs == ["a: 0", "a: 0 cancelled"]

    work.gate.set()
    other.gate.set()
    second = await _takes_over(each_hub, other, instance_id)
    await second.finished(instance_id)
    assert runs[2:] == ["b: 0", "b: 1"]
    assert first.engine.counters()["conflicts"] == 0


async def test_found_a19_a_host_that_was_stopped_begins_nothing_that_another_has(
    each_hub: Hub,
) -> None:
    runs: list[str] = []
    queues, work, other = _Lapsing(), _Work("a", runs), _Work("b", runs)
    other.gate.set()
    first = await each_hub.start(work.app, queues=queues)
    thaws, inner = asyncio.Event(), first.store.inner

    class Frozen:
        """The way of a host that stands still after its turn was stored."""

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

        async def commit(self, commit: Any) -> Any:
            applied = await inner.commit(commit)
            await thaws.wait()
            return applied

    first.store.inner = Frozen()
    instance_id = await first.begin(work.chain)
    await each_hub.clock.until_quiet()
    second = await _takes_over(each_hub, other, instance_id)
    await second.finished(instance_id)

    queues.is_over = True
    thaws.set()
    await until(lambda: not first.engine.open_sessions)
    assert runs == ["b: 0", "b: 1"]


async def test_found_a19_what_waits_for_room_does_not_begin_when_the_hold_is_over(
    hub: Hub,
) -> None:
    runs: list[str] = []
    queues, work = _Lapsing(), _Work("a", runs)
    host = await hub.start(work.app, queues=queues, max_concurrent_activities=1)
    await host.begin(work.chain, instance_id="first")
    await until(lambda: len(runs) == 1)
    await host.begin(work.chain, instance_id="second")
    await until(lambda: len(host.engine.parts.pool) == 2)

    queues.is_over = True
    work.gate.set()  # makes room, before any session has noticed
    await hub.clock.advance(TICK)

    assert runs == ["a: 0"]
    assert not len(host.engine.parts.pool)


@pytest.mark.parametrize("method", ["read_inbox", "load", "commit", "apply"])
async def test_found_a19_a_request_that_fails_costs_no_running_activity(
    each_hub: Hub, method: str
) -> None:
    runs: list[str] = []
    work = _Work("a", runs)
    host = await each_hub.start(work.app, lease_s=6.0)
    instance_id = await host.begin(work.chain)
    await until(lambda: len(runs) == 1)

    host.store.fail(method, AWAY)
    if method == "load":
        host.store.fail("read_inbox", AWAY)
    if method == "commit":
        await host.client.raise_event(instance_id, "anything")
    async with asyncio.timeout(PATIENCE_S):
        while host.store.pending_faults(method):
            await each_hub.clock.advance(TICK)
        work.gate.set()
        while await host.status(instance_id) is not RuntimeStatus.COMPLETED:
            await each_hub.clock.advance(TICK)
    assert runs == ["a: 0", "a: 1"]


@pytest.mark.parametrize("method", ["commit", "load"])
async def test_found_a19_a_request_that_fails_costs_no_result(each_hub: Hub, method: str) -> None:
    runs: list[str] = []
    work = _Work("a", runs)
    host = await each_hub.start(work.app)
    instance_id = await host.begin(work.chain)
    await until(lambda: len(runs) == 1)

    host.store.fail("commit", AWAY, times=3)
    if method == "load":
        host.store.fail("load", AWAY, times=3)
    work.gate.set()
    async with asyncio.timeout(PATIENCE_S):
        while await host.status(instance_id) is not RuntimeStatus.COMPLETED:
            await each_hub.clock.advance(TICK)
    assert runs == ["a: 0", "a: 1"]


async def test_found_a19_who_lost_a_turn_goes_on_only_if_the_hint_is_his(hub: Hub) -> None:
    runs: list[str] = []
    queues, work = _Lapsing(), _Work("a", runs, steps=5)
    host = await hub.start(work.app, queues=queues)
    instance_id = await host.begin(work.chain)
    await until(lambda: len(runs) == 1)

    async def lose(name: str, args: tuple[Any, ...]) -> None:
        """Another host stores this very turn first."""
        if name == "commit":
            host.store.before = None
            await hub.store.commit(args[0])

    host.store.before = lose
    queues.refuses = True
    work.gate.set()
    await until(lambda: not host.engine.open_sessions)

    assert queues.extended == [instance_id]
    assert runs == ["a: 0"]


async def test_found_a19_who_lost_a_turn_and_holds_the_hint_keeps_what_runs(hub: Hub) -> None:
    runs: list[str] = []
    queues, work = _Lapsing(), _Work("a", runs)
    host = await hub.start(work.app, queues=queues)
    instance_id = await host.begin(work.chain)
    await until(lambda: len(runs) == 1)

    async def lose(name: str, args: tuple[Any, ...]) -> None:
        if name == "commit":
            host.store.before = None
            await hub.store.commit(args[0])

    host.store.before = lose
    work.gate.set()

    await host.finished(instance_id)
    assert queues.extended == [instance_id]
    assert runs == ["a: 0", "a: 1"]


async def test_found_a19_a_hold_that_could_not_be_made_longer_is_tried_again_at_once(
    hub: Hub,
) -> None:
    runs: list[str] = []
    queues, work = _Lapsing(), _Work("a", runs)
    host = await hub.start(work.app, queues=queues, hold_s=10.0, park_after_s=60.0)
    for instance_id in ("one", "other"):
        await host.begin(work.chain, instance_id=instance_id)
    await until(lambda: len(runs) == 2)

    queues.failures["one"] = 2
    queues.left_s = 9.9
    await hub.clock.advance(timedelta(seconds=1))
    queues.left_s = inf
    assert queues.extended == ["other"]
    assert "wake-up keeper" in host.engine.store_problems()[0]
    await hub.clock.advance(TICK, steps=4)

    assert queues.extended == ["other", "one"]
    assert host.engine.store_problems() == []


async def test_found_a19_an_old_activity_is_leased_though_turns_keep_coming(
    each_hub: Hub,
) -> None:
    app, gate, hums = FunctionApp(), asyncio.Event(), asyncio.Event()
    runs: list[str] = []

    @app.activity_trigger()
    async def slow() -> str:
        runs.append("slow")
        await gate.wait()
        return "slow"

    @app.activity_trigger()
    async def quick(number: int) -> None:
        await hums.wait()
        hums.clear()

    @app.orchestration_trigger()
    async def busy(context: OrchestrationContext) -> str:
        long = context.call_activity(slow)
        for number in range(20):
            await context.call_activity(quick, number)
        return await long

    host = await each_hub.start(app)
    instance_id = await host.begin(busy)
    await until(lambda: runs == ["slow"])
    turns: set[int] = set()
    while not len(host.engine.parts.parked):
        assert len(turns) < 15
        await each_hub.clock.advance(TICK)
        hums.set()
        await until(lambda: len(host.store.commits) not in turns)
        turns.add(len(host.store.commits))

    assert each_hub.clock.monotonic() < 3.0
    assert host.engine.open_sessions == 1
    snapshot = await each_hub.store.load(instance_id)
    assert snapshot is not None
    assert len(snapshot.leases) == 1
    gate.set()
    while await host.status(instance_id) is not RuntimeStatus.COMPLETED:
        hums.set()
        await each_hub.clock.advance(TICK)
    assert runs == ["slow"]


async def test_found_a19_a_lease_that_was_written_late_is_renewed_at_once(hub: Hub) -> None:
    runs: list[str] = []
    work = _Work("a", runs)
    host = await hub.start(work.app, lease_s=30.0)
    await host.begin(work.chain)
    await until(lambda: len(runs) == 1)

    async def takes_long(name: str, args: tuple[Any, ...]) -> None:
        if name == "apply" and isinstance(args[0], Effects) and args[0].leases:
            host.store.before = None
            hub.clock.jump(timedelta(seconds=25))

    host.store.before = takes_long
    await hub.clock.advance(timedelta(seconds=2.5))
    assert host.store.calls["renew_lease"] == 0
    await hub.clock.advance(timedelta(seconds=1))
    assert host.store.calls["renew_lease"] == 1


async def test_found_a19_a_renewal_that_takes_long_delays_no_other(hub: Hub) -> None:
    runs: list[str] = []
    work = _Work("a", runs)
    host = await hub.start(work.app, lease_s=30.0)
    for instance_id in ("one", "other"):
        await host.begin(work.chain, instance_id=instance_id)
    await until(lambda: len(runs) == 2)
    await hub.clock.advance(timedelta(seconds=2.5))
    assert len(host.engine.parts.parked) == 2

    async def hangs(name: str, args: tuple[Any, ...]) -> None:
        if name == "renew_lease" and args[0].instance_id == "one":
            await asyncio.Event().wait()

    host.store.before = hangs
    await hub.clock.advance(timedelta(seconds=1), steps=40)

    snapshot = await hub.store.load("other")
    assert snapshot is not None
    assert snapshot.leases[0].expires_at > hub.clock.now()
