"""Memory follows what is open, not what was. Counts of entries, not of bytes."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from bindings import DurableTask, OrchestrationContext, when_any
from bindings.tasks import WhenAnyTask, resolve
from host.core.replay.execution import Execution
from host.core.replay.in_process import ReplayedCode
from tests.kit.bench import Bench

Ctx = OrchestrationContext
HOURS = timedelta(hours=48)
ROUNDS = 300


def entries(execution: Execution) -> int:
    """In all tables of an execution."""
    mailbox = execution._mailbox
    waits = sum(map(len, mailbox._waits.values())) + len(mailbox._waits)
    events = sum(map(len, mailbox._events.values())) + len(mailbox._events)
    tables: Iterable[Any] = (execution._open, execution._deeds, execution._held, execution._moved)
    return waits + events + sum(map(len, tables))


def execution_of(bench: Bench) -> Execution:
    code = bench.live._code
    assert isinstance(code, ReplayedCode)
    return code._execution


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
    bench = Bench(code)
    bench.turn()
    for _ in range(ROUNDS):
        bench.raise_event("e").turn()
    if is_loaded:
        bench.reload()
    assert entries(execution_of(bench)) <= 3
    assert bench.alarm is None


def test_found_a4_names_that_were_waited_for_leave_nothing() -> None:
    bench = Bench(waits_of_other_names)
    bench.turn()
    for number in range(ROUNDS):
        bench.raise_event(f"e{number}").turn()
    assert entries(execution_of(bench)) <= 3


def test_found_a4_waits_that_timed_out_leave_nothing() -> None:
    async def silent(context: Ctx) -> None:
        for number in range(ROUNDS):
            try:
                wait = context.wait_for_external_event(f"e{number}", timeout=timedelta(seconds=1))
                await wait
            except TimeoutError:
                continue
        await context.wait_for_external_event("end")

    bench = Bench(silent)
    bench.turn()
    for _ in range(ROUNDS):
        bench.turn(seconds=1)
    assert entries(execution_of(bench)) <= 3


def test_found_a4_timers_that_a_suspension_held_leave_nothing() -> None:
    async def ticks(context: Ctx) -> None:
        for _ in range(ROUNDS):
            await context.create_timer(timedelta(seconds=1))
        await context.wait_for_external_event("end")

    bench = Bench(ticks)
    bench.turn()
    for _ in range(ROUNDS):
        bench.suspend().turn(seconds=2)
        bench.resume().turn()
        bench.turn()
    assert entries(execution_of(bench)) <= 3


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
    assert not bench.state._loaded_inbox


def parents_of(tasks: Iterable[DurableTask[Any]]) -> int:
    return sum(len(task._parents or ()) for task in tasks)


def test_found_a4_a_when_any_that_is_over_is_held_by_none_of_its_children() -> None:
    pending: list[DurableTask[int]] = [DurableTask() for _ in range(50)]
    first, second = when_any(pending), when_any(reversed(pending))
    resolve(pending[7], 1)
    assert first.result is second.result is pending[7]
    assert parents_of(pending) == 0
    for _ in range(20):
        ever_new = [when_any(pending[8:]), when_any(pending[9:]), when_any(pending[:3:-1])]
        assert all(isinstance(each, WhenAnyTask) for each in ever_new)
        assert not any(each.is_completed for each in ever_new[:2])
        assert ever_new[2].result is pending[7]
    resolve(pending[10], 2)
    assert parents_of(pending) == 0
