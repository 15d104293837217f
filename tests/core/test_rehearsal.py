"""Rehearsals: what is said of an instance, and of code that did not begin it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bindings import OrchestrationContext, RuntimeStatus, when_all
from host.core import history
from host.core.converter import Converter
from host.core.replay.rehearsal import Fate, Rehearsals, Rehearsed
from host.core.versions import TAKES_ALL, Versioning
from host.settings.versions import VersionFailure, VersionMatch
from tests.kit.bench import Bench
from tests.kit.history_builder import HistoryBuilder, a_failure, pending
from tests.kit.plain_catalog import PlainCatalog

Ctx = OrchestrationContext
HOUR = timedelta(hours=1)


def reserve(item: Any) -> None: ...


def ship(item: Any) -> None: ...


def rehearsed(
    recorded: HistoryBuilder,
    *orchestrators: Callable[..., Any],
    versioning: Versioning = TAKES_ALL,
) -> Rehearsed:
    for each in orchestrators:
        each.__name__ = "order"
    catalog = PlainCatalog(orchestrators, [reserve, ship])
    rehearsals = Rehearsals(catalog, Converter(), versioning, 1000)
    return rehearsals.rehearse(recorded.snapshot())


def order(**fields: Any) -> HistoryBuilder:
    return HistoryBuilder(pending("order", **fields))


def reserved() -> HistoryBuilder:
    """It has called `reserve` and `ship`, and waits for the second."""
    recorded = order().scheduled("reserve")
    return recorded.turn().completed(1).scheduled("ship")


async def as_it_was(context: Ctx) -> None:
    await context.call_activity(reserve)
    await context.call_activity(ship)


async def with_more(context: Ctx) -> None:
    await as_it_was(context)
    await context.create_timer(HOUR)
    await context.call_activity("not yet there")


@pytest.mark.parametrize("code", [as_it_was, with_more])
def test_the_same_code_and_more_at_its_end_fit(code: Callable[..., Any]) -> None:
    found = rehearsed(reserved(), code)
    assert (found.fate, found.reason, found.place) == (Fate.FITS, "", None)


def test_a_renamed_activity_is_found_with_its_step_and_line() -> None:
    async def renamed(context: Ctx) -> None:
        await context.call_activity(reserve)
        await context.call_activity("send")

    found = rehearsed(reserved(), renamed)
    assert found.fate is Fate.BREAKS
    assert (found.place, found.event) == (6, "TaskScheduled")
    assert found.recorded == "#2 a call of activity 'ship'"
    assert found.done == "#2 a call of activity 'send'"
    assert found.path == __file__
    assert found.line == renamed.__code__.co_firstlineno + 2
    assert found.reason == (
        "Its history records #2 a call of activity 'ship' here, and the code does now "
        "#2 a call of activity 'send'."
    )


def test_a_swapped_order_is_found_at_the_first_step() -> None:
    async def swapped(context: Ctx) -> None:
        await context.call_activity(ship)
        await context.call_activity(reserve)

    found = rehearsed(reserved(), swapped)
    assert (found.fate, found.place) == (Fate.BREAKS, 3)
    assert found.line == swapped.__code__.co_firstlineno + 1


def test_one_call_more_is_found_where_the_history_goes_on_without_it() -> None:
    async def both(context: Ctx) -> None:
        await when_all([context.call_activity(reserve), context.call_activity(ship)])

    found = rehearsed(reserved(), both)
    assert (found.place, found.event) == (4, "OrchestratorStarted")
    assert (found.recorded, found.done) == (None, "#2 a call of activity 'ship'")


def test_code_that_ends_early_breaks_after_the_last_event() -> None:
    async def short(context: Ctx) -> None:
        await context.call_activity(reserve)

    waits = order().scheduled("reserve").turn().completed(1)
    found = rehearsed(waits, short)
    assert (found.fate, found.place, found.event) == (Fate.BREAKS, 6, "")
    assert (found.recorded, found.done, found.path) == (None, "to return", "")


def test_code_that_fails_is_found_where_it_raises() -> None:
    async def fails(context: Ctx) -> None:
        await context.call_activity(reserve)
        raise ValueError("new check")

    found = rehearsed(reserved(), fails)
    assert found.done == "to fail with ValueError: new check"
    assert (found.path, found.line) == (__file__, fails.__code__.co_firstlineno + 2)


def test_a_missing_orchestrator_breaks() -> None:
    found = rehearsed(reserved())
    assert found.fate is Fate.BREAKS
    assert "The orchestrator function 'order' is missing" in found.reason


def test_an_activity_that_it_waits_for_and_that_is_missing_breaks() -> None:
    async def asks(context: Ctx) -> None:
        await context.call_activity("ask")

    found = rehearsed(order().scheduled("ask"), asks)
    assert found.fate is Fate.BREAKS
    assert "It waits for #1 a call of activity 'ask', which the app does not have" in found.reason
    answered = order().scheduled("ask").turn().completed(1).timer(HOUR)

    async def asked(context: Ctx) -> None:
        await context.call_activity("ask")
        await context.create_timer(HOUR)

    assert rehearsed(answered, asked).fate is Fate.FITS


def test_what_begins_anew_or_is_over_fits_any_code() -> None:
    async def other(context: Ctx) -> None:
        await context.call_activity(ship)

    continued = reserved()
    continued.add(history.ContinueAsNew(timestamp=continued.now, input="1"))
    failed = reserved()
    failed.add(
        history.ExecutionCompleted(
            timestamp=failed.now, status=RuntimeStatus.FAILED, failure=a_failure()
        )
    )
    assert rehearsed(continued, other).fate is Fate.FITS
    assert rehearsed(failed, other).fate is Fate.FITS
    assert rehearsed(continued).fate is Fate.BREAKS


def test_what_was_not_begun_wants_its_function_alone() -> None:
    async def any_code(context: Ctx) -> None: ...

    recorded = HistoryBuilder(pending("order"))
    snapshot = replace(recorded.snapshot(), batches=())
    any_code.__name__ = "order"
    rehearsals = Rehearsals(PlainCatalog([any_code]), Converter(), TAKES_ALL, 1000)
    assert rehearsals.rehearse(snapshot).fate is Fate.FITS
    rehearsals = Rehearsals(PlainCatalog([]), Converter(), TAKES_ALL, 1000)
    assert rehearsals.rehearse(snapshot).fate is Fate.BREAKS


def test_a_quarantined_instance_is_rehearsed_too() -> None:
    async def other(context: Ctx) -> None:
        await context.call_activity(ship)

    recorded = reserved()
    recorded.row = replace(recorded.row, is_quarantined=True, blocked_reason="Quarantined: x")
    assert rehearsed(recorded, other).fate is Fate.BREAKS


@pytest.mark.parametrize(
    ("failure", "fate"),
    [(VersionFailure.REJECT, Fate.LEFT), (VersionFailure.FAIL, Fate.BREAKS)],
)
def test_what_the_host_would_not_take_is_left_or_breaks(
    failure: VersionFailure, fate: Fate
) -> None:
    versioning = Versioning(default="2", match=VersionMatch.STRICT, failure=failure)
    found = rehearsed(order(version="1").scheduled("reserve"), as_it_was, versioning=versioning)
    assert (found.fate, found.version) == (fate, "1")
    assert "is of version '1', and this host takes those of version '2'" in found.reason


def test_after_a_rewind_the_place_is_still_that_in_what_is_stored() -> None:
    async def steps(context: Ctx) -> None:
        for activity in (reserve, ship, reserve):
            await context.call_activity(activity)

    async def changed(context: Ctx) -> None:
        for activity in (reserve, ship, ship):
            await context.call_activity(activity)

    steps.__name__ = changed.__name__ = "order"
    bench = Bench(steps, activities=[reserve, ship])
    bench.turn()
    bench.turn(bench.done(1))
    bench.turn(bench.failed(2, a_failure()))
    bench.rewind("again")
    (again,) = bench.state.ledger.open_activities
    bench.turn(bench.done(again))
    stored = [event for each in bench.batches for event in each.batch.events]
    assert isinstance(stored[-1], history.TaskScheduled)
    for code, fate in ((steps, Fate.FITS), (changed, Fate.BREAKS)):
        catalog = PlainCatalog([code], [reserve, ship])
        found = Rehearsals(catalog, Converter(), TAKES_ALL, 1000).rehearse(bench.snapshot())
        assert found.fate is fate
    assert found.place == len(stored)
