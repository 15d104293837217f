"""Instances whose function is missing on this host: they say so, wait, and lose nothing."""

from typing import Any

from bindings import OrchestrationContext, RuntimeStatus
from tests.kit.bench import Bench
from tests.kit.history_builder import EXECUTION_ID, pending

Ctx = OrchestrationContext


async def works(context: Ctx) -> Any:
    return await context.call_activity("work")


async def waits(context: Ctx) -> Any:
    return await context.wait_for_external_event("e")


def blocked() -> Bench:
    bench = Bench(name="gone")
    effects = bench.state.settle(bench.now)
    assert effects is not None
    bench.apply(effects)
    return bench


def test_an_instance_whose_function_is_missing_says_so_and_keeps_its_messages() -> None:
    bench = blocked()
    assert bench.row.blocked_reason is not None
    assert "'gone' is missing" in bench.row.blocked_reason
    assert bench.raise_event("e", 1).turn() is None
    assert len(bench.inbox) == 1
    assert bench.state.settle(bench.now) is None
    assert bench.status is RuntimeStatus.PENDING


def test_a_blocked_instance_goes_on_when_its_function_is_back() -> None:
    bench = blocked()
    bench.raise_event("e", 1)
    back = Bench(waits, name="waits")
    back.inbox, back.row = bench.inbox, bench.row
    back.row = pending("waits", blocked_reason=bench.row.blocked_reason)
    back.turn()
    assert back.output == 1
    assert back.row.blocked_reason is None


def test_a_blocked_instance_can_be_terminated() -> None:
    bench = blocked()
    bench.terminate("gone for good").turn()
    assert bench.status is RuntimeStatus.TERMINATED
    assert bench.row.output == '"gone for good"'
    assert bench.row.blocked_reason is None


def test_a_function_that_goes_missing_on_the_way_blocks_and_loses_nothing() -> None:
    bench = Bench(works)
    bench.turn()
    bench.send(bench.done(1, "x"), execution_id=EXECUTION_ID)
    other = Bench(name="works")
    other.row, other.batches, other.inbox = bench.row, bench.batches, bench.inbox
    assert other.turn() is None
    assert other.state.blocked_reason is not None
    bench.reload()
    bench.turn()
    assert bench.output == "x"


def test_a_suspended_instance_is_shown_as_suspended_also_while_it_is_blocked() -> None:
    bench = Bench(works)
    bench.turn()
    bench.suspend().turn()
    other = Bench(name="works")
    other.row, other.batches = bench.row, bench.batches
    assert other.state.view().status is RuntimeStatus.SUSPENDED
    other.apply(other.state.redo())
    assert other.status is RuntimeStatus.SUSPENDED


def test_a_quarantined_instance_that_goes_on_drops_its_reason() -> None:
    bench = Bench(waits, blocked_reason="Quarantined after 5 failed turns")
    bench.turn()
    assert bench.row.blocked_reason is None
