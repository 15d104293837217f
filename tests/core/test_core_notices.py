"""What is told of an instance outside of the hub, as it follows from its batches."""

from __future__ import annotations

from typing import Any

import pytest

from bindings import OrchestrationContext, RuntimeStatus
from host.core.notices import MAX_REASON
from host.core.records import Commit, Notice, NoticeKind
from tests.kit.bench import Bench
from tests.kit.history_builder import a_failure

Ctx = OrchestrationContext
ALL = frozenset(NoticeKind)


async def hears(context: Ctx, _: Any) -> Any:
    return await context.wait_for_external_event("go")


async def calls(context: Ctx, _: Any) -> Any:
    return await context.call_activity("work")


async def counts(context: Ctx, number: int) -> int:
    await context.wait_for_external_event("go")
    if number:
        context.continue_as_new(number - 1)
    return number


async def fails(_: Ctx) -> None:
    raise ValueError("x" * 2000)


def told(bench: Bench) -> list[tuple[str, str | None]]:
    found = sorted(bench.notices.values(), key=lambda each: each.at)
    return [(each.kind.value, each.reason) for each in found]


def of(outcome: object) -> tuple[Notice, ...]:
    assert isinstance(outcome, Commit)
    return outcome.effects.notices


def test_a_start_and_an_end_are_told_with_what_is_known_of_the_instance() -> None:
    bench = Bench(hears, wanted=ALL)
    (start,) = of(bench.turn())
    assert (start.kind, start.status) == (NoticeKind.STARTED, RuntimeStatus.RUNNING)
    assert (start.instance_id, start.name, start.at) == (bench.row.instance_id, "hears", bench.now)
    (end,) = of(bench.raise_event("go", 1).turn(seconds=3))
    assert (end.kind, end.status) == (NoticeKind.COMPLETED, RuntimeStatus.COMPLETED)
    assert (end.at, end.reason) == (bench.now, None)
    assert end.notice_id != start.notice_id


def test_without_a_wish_nothing_is_told() -> None:
    bench = Bench(hears)
    assert of(bench.turn()) == ()
    assert of(bench.raise_event("go").turn()) == ()


@pytest.mark.parametrize("kind", [NoticeKind.STARTED, NoticeKind.COMPLETED])
def test_only_what_is_wanted_is_told(kind: NoticeKind) -> None:
    bench = Bench(hears, wanted=frozenset({kind}))
    bench.turn()
    bench.raise_event("go").turn()
    assert told(bench) == [(kind.value, None)]


def test_a_failure_is_told_with_its_message_cut_short() -> None:
    bench = Bench(fails, wanted=ALL)
    start, end = of(bench.turn())
    assert (start.kind, end.kind) == (NoticeKind.STARTED, NoticeKind.FAILED)
    assert end.reason == "x" * (MAX_REASON - 1) + "…"


@pytest.mark.parametrize(
    ("reason", "expected"), [("enough", "enough"), ({"by": "me"}, '{"by":"me"}'), (None, None)]
)
def test_a_termination_is_told_with_its_reason(reason: object, expected: str | None) -> None:
    bench = Bench(hears, wanted=ALL)
    bench.turn()
    (end,) = of(bench.terminate(reason).turn())
    assert (end.kind, end.status) == (NoticeKind.TERMINATED, RuntimeStatus.TERMINATED)
    assert end.reason is None if expected is None else end.reason is not None
    assert (end.reason or "").replace(" ", "") == (expected or "")


def test_to_continue_as_new_is_neither_an_end_nor_a_start() -> None:
    bench = Bench(counts, input_=2, wanted=ALL)
    for _ in range(3):
        bench.turn()
        bench.raise_event("go").turn(seconds=1)
    bench.turn()
    assert bench.status is RuntimeStatus.COMPLETED
    assert told(bench) == [("started", None), ("completed", None)]


def test_a_rewound_instance_does_not_start_again_and_its_new_end_is_another() -> None:
    bench = Bench(calls, wanted=ALL)
    bench.turn()
    bench.turn(bench.failed(1, a_failure()), seconds=1)
    assert bench.status is RuntimeStatus.FAILED
    assert bench.rewind().effects.notices == ()
    (task,) = bench.state.ledger.open_activities
    bench.turn(bench.failed(task, a_failure()), seconds=1)
    kinds = [kind for kind, _ in told(bench)]
    assert kinds == ["started", "failed", "failed"]


def test_whoever_does_the_effects_again_tells_the_same() -> None:
    bench = Bench(hears, wanted=ALL)
    outcome = bench.turn_without_effects()
    bench.lose_memory()
    assert bench.state.may_lack_effects
    effects = bench.state.redo()
    assert effects.notices == of(outcome) != ()
    bench.apply(effects)
    outcome = bench.raise_event("go").turn_without_effects(seconds=1)
    bench.lose_memory()
    assert bench.state.redo().notices == of(outcome) != ()


def test_what_the_row_says_to_be_done_is_not_told_again() -> None:
    bench = Bench(hears, wanted=ALL)
    bench.turn()
    assert bench.row.last_number == 0
    bench.lose_memory()
    assert bench.state.redo().notices == ()


def test_a_later_run_with_the_same_execution_tells_others() -> None:
    """A start with a key has the same execution each time, though the first was purged."""
    first, second = Bench(hears, wanted=ALL), Bench(hears, wanted=ALL)
    (one,) = of(first.turn())
    (other,) = of(second.turn(seconds=60))
    assert one.notice_id != other.notice_id


def test_who_is_terminated_before_the_first_turn_has_not_started() -> None:
    bench = Bench(hears, wanted=ALL)
    bench.terminate("never").turn()
    assert bench.status is RuntimeStatus.TERMINATED
    assert told(bench) == [("terminated", "never")]
