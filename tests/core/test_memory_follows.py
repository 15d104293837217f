"""Memory follows what is open, not what was. Counts of entries, not of bytes."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from bindings import DurableTask, OrchestrationContext, when_any
from bindings.tasks import WhenAnyTask, resolve
from host.core.converter import Converter
from host.core.history import ExecutionStarted
from host.core.records import Message
from host.core.replay.in_process import InProcessExecutor, ReplayedCode
from tests.kit.bench import Bench
from tests.kit.plain_catalog import PlainCatalog
from tests.kit.reach import entries, reachable

Ctx = OrchestrationContext
HOURS = timedelta(hours=48)
ROUNDS = 300


class Watched(InProcessExecutor):
    """Shows the code that it began last."""

    code: ReplayedCode

    def begin(self, instance_id: str, started: ExecutionStarted) -> ReplayedCode | None:
        code = super().begin(instance_id, started)
        if code is not None:
            self.code = code
        return code


class Watch:
    """A bench, and how many entries its code keeps more than after its first turn."""

    def __init__(self, code: Any) -> None:
        self._shared = (PlainCatalog([code]), Converter())
        self._executor = Watched(*self._shared)
        self.bench = Bench(code, executor=self._executor)
        self.bench.turn()
        self._at_first = self._entries()

    def grown(self) -> int:
        return self._entries() - self._at_first

    def _entries(self) -> int:
        return entries(self._executor.code, without=self._shared)


async def timed_waits(context: Ctx) -> None:
    for _ in range(ROUNDS):
        await context.wait_for_external_event("e", timeout=HOURS)
    await context.wait_for_external_event("end")


async def waits_of_other_names(context: Ctx) -> None:
    for number in range(ROUNDS):
        await context.wait_for_external_event(f"e{number}", timeout=HOURS)
    await context.wait_for_external_event("end")


async def losers(context: Ctx) -> None:
    for _ in range(ROUNDS):
        event = context.wait_for_external_event("e")
        others = [context.create_timer(HOURS), context.wait_for_external_event("never")]
        await when_any([*others, event])
        for each in others:
            each.cancel()
    await context.wait_for_external_event("end")


@pytest.mark.parametrize("code", [timed_waits, losers])
@pytest.mark.parametrize("is_loaded", [False, True], ids=["in memory", "loaded"])
def test_found_a4_served_waits_and_losers_leave_nothing(code: Any, is_loaded: bool) -> None:
    watch = Watch(code)
    bench = watch.bench
    for _ in range(ROUNDS):
        bench.raise_event("e").turn()
    if is_loaded:
        bench.reload()
    assert watch.grown() <= 0
    assert bench.alarm is None


def test_found_a4_names_that_were_waited_for_leave_nothing() -> None:
    watch = Watch(waits_of_other_names)
    bench = watch.bench
    for number in range(ROUNDS):
        bench.raise_event(f"e{number}").turn()
    assert watch.grown() <= 0


def test_found_a4_waits_that_timed_out_leave_nothing() -> None:
    async def silent(context: Ctx) -> None:
        for number in range(ROUNDS):
            try:
                wait = context.wait_for_external_event(f"e{number}", timeout=timedelta(seconds=1))
                await wait
            except TimeoutError:
                continue
        await context.wait_for_external_event("end")

    watch = Watch(silent)
    bench = watch.bench
    for _ in range(ROUNDS):
        bench.turn(seconds=1)
    assert watch.grown() <= 0


def test_found_a4_timers_that_a_suspension_held_leave_nothing() -> None:
    async def ticks(context: Ctx) -> None:
        for _ in range(ROUNDS):
            await context.create_timer(timedelta(seconds=1))
        await context.wait_for_external_event("end")

    watch = Watch(ticks)
    bench = watch.bench
    for _ in range(ROUNDS):
        bench.suspend().turn(seconds=2)
        bench.resume().turn()
        bench.turn()
    assert watch.grown() <= 0


def test_found_a4_a_loser_that_is_not_cancelled_is_open_and_stays() -> None:
    async def waits(context: Ctx) -> Any:
        late = context.wait_for_external_event("late")
        await when_any([late, context.wait_for_external_event("e")])
        return await late

    bench = Bench(waits)
    bench.turn()
    bench.raise_event("e").turn()
    bench.raise_event("late", 7).turn()
    assert bench.output == 7


def test_found_a4_mail_is_not_kept_once_a_turn_took_it() -> None:
    async def waits(context: Ctx) -> None:
        await context.wait_for_external_event("e")
        await context.wait_for_external_event("end")

    bench = Bench(waits)
    bench.turn()
    bench.raise_event("e", "x" * 1000)
    bench.reload()
    bench.turn()
    assert not [each for each in reachable(bench.state) if isinstance(each, Message)]


def races_held_by(tasks: Iterable[DurableTask[Any]]) -> list[object]:
    return [each for each in reachable(*tasks) if isinstance(each, WhenAnyTask)]


def test_found_a4_a_when_any_that_is_over_is_held_by_none_of_its_children() -> None:
    pending: list[DurableTask[int]] = [DurableTask() for _ in range(50)]
    first, second = when_any(pending), when_any(reversed(pending))
    resolve(pending[7], 1)
    assert first.result is second.result is pending[7]
    assert races_held_by(pending) == []
    for _ in range(20):
        ever_new = [when_any(pending[8:]), when_any(pending[9:]), when_any(pending[:3:-1])]
        assert all(isinstance(each, WhenAnyTask) for each in ever_new)
        assert not any(each.is_completed for each in ever_new[:2])
        assert ever_new[2].result is pending[7]
    resolve(pending[10], 2)
    assert races_held_by(pending) == []
