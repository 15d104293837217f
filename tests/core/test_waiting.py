"""Why an instance does not go on is said from what is stored, without its code."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from bindings import OrchestrationContext, RetryPolicy, when_all, when_any
from bindings.waiting import WaitingFor, WaitKind, waiting_from_json, waiting_to_json
from host.core import codec, history
from host.core.projection import reason_without_activity, reason_without_function
from host.core.records import ANYBODY, LET_GO, Lease
from host.core.replay.mailbox import MAX_SHOWN, MAX_SHOWN_CHARACTERS
from host.core.waiting import why
from tests.kit.bench import Bench
from tests.kit.history_builder import START

Ctx = OrchestrationContext
MINUTE = timedelta(minutes=1)


def waits_of(bench: Bench) -> list[WaitingFor]:
    """As any host would say it."""
    return [*why(bench.snapshot(), bench.now).waiting_for]


def short(bench: Bench) -> list[tuple[WaitKind, str | int | None]]:
    return [(each.kind, each.name or each.task_id) for each in waits_of(bench)]


async def all_kinds(context: Ctx) -> Any:
    return await when_all(
        [
            context.call_activity("charge"),
            context.call_sub_orchestrator("ships", instance_id="ship-1"),
            context.create_timer(MINUTE),
            context.wait_for_external_event("Approve"),
            context.wait_for_external_event("approve"),
            context.wait_for_external_event("Cancel"),
        ]
    )


async def approval(context: Ctx) -> str:
    event = context.wait_for_external_event("approve")
    timer = context.create_timer(MINUTE)
    if await when_any([event, timer]) is event:
        timer.cancel()
    second = context.wait_for_external_event("countersign", timeout=2 * MINUTE)
    return str(await second)


async def charges(context: Ctx) -> Any:
    policy = RetryPolicy(first_retry_interval=MINUTE, max_number_of_attempts=3)
    return await context.call_activity("charge", retry_policy=policy)


async def asks_again(context: Ctx) -> None:
    while True:
        await context.wait_for_external_event("ping")
        await context.call_activity("answer")


# ---- what is open --------------------------------------------------------------------------


def test_each_kind_of_open_work_is_named_with_its_facts() -> None:
    bench = Bench(all_kinds)
    bench.turn()
    assert waits_of(bench) == [
        WaitingFor(kind=WaitKind.ACTIVITY, name="charge", task_id=1, since=bench.now, attempt=1),
        WaitingFor(
            kind=WaitKind.SUB_ORCHESTRATION,
            name="ships",
            task_id=2,
            since=bench.now,
            instance_id="ship-1",
        ),
        WaitingFor(kind=WaitKind.TIMER, task_id=3, since=bench.now, until=bench.now + MINUTE),
        WaitingFor(kind=WaitKind.EVENT, name="Approve", since=bench.now),
        WaitingFor(kind=WaitKind.EVENT, name="Cancel", since=bench.now),
    ]


def test_an_event_is_awaited_since_the_turn_that_asked_for_it() -> None:
    bench = Bench(all_kinds)
    bench.turn()
    begun = bench.now
    bench.raise_event("CANCEL").turn(bench.done(1), seconds=2)
    (approve,) = [each for each in waits_of(bench) if each.kind is WaitKind.EVENT]
    assert (approve.name, approve.since) == ("Approve", begun)
    assert bench.now > begun


def test_what_was_answered_is_waited_for_no_more() -> None:
    bench = Bench(all_kinds)
    bench.turn()
    bench.raise_event("CANCEL").turn(bench.done(1), seconds=2)
    kinds = [WaitKind.SUB_ORCHESTRATION, WaitKind.TIMER, WaitKind.EVENT]
    assert [each.kind for each in waits_of(bench)] == kinds


@pytest.mark.parametrize(
    ("owner", "host"), [("host-1.3", "host-1"), (ANYBODY, None), (LET_GO, None)]
)
def test_an_activity_is_with_the_host_that_has_its_lease(owner: str, host: str | None) -> None:
    bench = Bench(all_kinds)
    bench.turn()
    bench.leases[1] = Lease(
        instance_id=bench.row.instance_id,
        execution_id=bench.row.execution_id,
        task_id=1,
        owner=owner,
        expires_at=bench.now + MINUTE,
    )
    assert waits_of(bench)[0].host == host
    bench.now += MINUTE
    assert waits_of(bench)[0].host is None


def test_an_activity_that_is_tried_again_says_for_which_time() -> None:
    bench = Bench(charges)
    bench.turn()
    bench.turn(bench.failed(1))
    assert short(bench) == [(WaitKind.TIMER, 2)]
    bench.turn(seconds=60)
    assert [(each.kind, each.attempt) for each in waits_of(bench)] == [(WaitKind.ACTIVITY, 2)]


def test_a_timer_that_the_code_let_go_of_is_not_waited_for() -> None:
    bench = Bench(approval)
    bench.turn()
    assert short(bench) == [(WaitKind.TIMER, 1), (WaitKind.EVENT, "approve")]
    bench.raise_event("approve").turn(seconds=2)
    assert short(bench) == [(WaitKind.TIMER, 2), (WaitKind.EVENT, "countersign")]
    bench.reload().close()
    assert short(bench) == [(WaitKind.TIMER, 2), (WaitKind.EVENT, "countersign")]


def older(bench: Bench) -> None:
    """What is stored is as versions stored it that say nothing of waits."""
    bench.batches = [
        replace(each, batch=replace(each.batch, awaited=(), let_go=())) for each in bench.batches
    ]


def test_in_an_older_history_timers_before_the_alarm_count_as_let_go_of() -> None:
    bench = Bench(approval)
    bench.turn()
    bench.raise_event("approve").turn(seconds=2)
    older(bench)
    assert short(bench) == [(WaitKind.TIMER, 2)]
    bench.row = replace(bench.row, blocked_reason=reason_without_function("approval"))
    bench.alarm = bench.now + 60 * MINUTE  # put off, since nobody can say what it is to be
    assert short(bench)[1:] == [(WaitKind.TIMER, 1), (WaitKind.TIMER, 2)]


# ---- the names of events -------------------------------------------------------------------


def test_what_waits_for_no_event_and_lets_go_of_nothing_is_stored_as_ever() -> None:
    bench = Bench(charges)
    bench.turn()
    bench.turn(bench.failed(1))
    stored = [msgspec.msgpack.decode(codec.encode(each.batch)[5:]) for each in bench.batches]
    assert [sorted(each) for each in stored] == [["events"], ["events"]]


def test_few_names_are_stored_with_a_turn() -> None:
    async def many(context: Ctx) -> None:
        await when_all([context.wait_for_external_event(f"e{number}") for number in range(99)])

    bench = Bench(many)
    bench.turn()
    assert short(bench) == [(WaitKind.EVENT, f"e{number}") for number in range(MAX_SHOWN)]
    for number in range(98):
        bench.raise_event(f"e{number}")
    bench.turn()
    assert short(bench) == [(WaitKind.EVENT, "e98")]


def test_names_that_are_long_do_not_make_a_batch_large() -> None:
    async def long_names(context: Ctx) -> None:
        first = context.wait_for_external_event("a" * MAX_SHOWN_CHARACTERS)
        await when_all([first, context.wait_for_external_event("b")])

    bench = Bench(long_names)
    bench.turn()
    assert short(bench) == [(WaitKind.EVENT, "a" * MAX_SHOWN_CHARACTERS)]


def test_they_are_those_after_the_last_turn() -> None:
    bench = Bench(asks_again)
    bench.turn()
    assert short(bench) == [(WaitKind.EVENT, "ping")]
    bench.raise_event("ping").turn()
    assert short(bench) == [(WaitKind.ACTIVITY, "answer")]
    bench.turn(bench.done(1))
    assert short(bench) == [(WaitKind.EVENT, "ping")]


def test_in_an_older_history_an_event_has_no_name() -> None:
    bench = Bench(asks_again)
    bench.turn()
    older(bench)
    assert waits_of(bench) == [WaitingFor(kind=WaitKind.EVENT)]
    bench.raise_event("ping")
    assert [each.kind for each in waits_of(bench)] == [WaitKind.NOTHING]


def test_the_next_execution_does_not_inherit_what_the_one_before_waited_for() -> None:
    async def again(context: Ctx) -> None:
        if context.get_input() is None:
            await context.wait_for_external_event("go")
            context.continue_as_new(1)
        else:
            await context.call_activity("work")

    bench = Bench(again)
    bench.turn()
    bench.raise_event("go").turn()
    assert [each.kind for each in waits_of(bench)] == [WaitKind.NOTHING]
    bench.turn(seconds=2)
    assert short(bench) == [(WaitKind.ACTIVITY, "work")]


# ---- what holds it -------------------------------------------------------------------------


def test_one_that_is_to_start_later_says_when() -> None:
    bench = Bench(approval, scheduled_start_at=START + MINUTE)
    assert waits_of(bench) == [
        WaitingFor(
            kind=WaitKind.SCHEDULED_START, name="approval", since=START, until=START + MINUTE
        )
    ]
    bench.now += MINUTE
    assert [each.kind for each in waits_of(bench)] == [WaitKind.NOTHING]


def test_one_that_is_held_says_since_when_and_why_besides_what_it_waits_for() -> None:
    bench = Bench(approval)
    bench.turn()
    bench.suspend("audit")
    assert waits_of(bench)[0].kind is WaitKind.SUSPENDED  # not taken in yet
    bench.turn()
    first, *rest = waits_of(bench)
    assert (first.kind, first.since, first.reason) == (WaitKind.SUSPENDED, bench.now, "audit")
    assert [each.kind for each in rest] == [WaitKind.TIMER, WaitKind.EVENT]
    bench.resume().turn()
    assert WaitKind.SUSPENDED not in {each.kind for each in waits_of(bench)}


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        (reason_without_activity("charge"), "charge"),
        (reason_without_function("charges"), "charges"),
        ("It is of another version.", "charges"),
    ],
)
def test_one_whose_function_is_missing_names_it(reason: str, name: str) -> None:
    bench = Bench(charges)
    bench.turn()
    bench.row = replace(bench.row, blocked_reason=reason)
    expected = WaitingFor(kind=WaitKind.MISSING_FUNCTION, name=name, reason=reason)
    assert waits_of(bench)[0] == expected
    assert short(bench)[1:] == [(WaitKind.ACTIVITY, "charge")]


def test_one_in_quarantine_says_why_and_when_it_is_tried_again() -> None:
    bench = Bench(charges)
    bench.turn()
    bench.row = replace(
        bench.row,
        is_quarantined=True,
        blocked_reason="Quarantined: boom",
        retry_at=bench.now + MINUTE,
    )
    first = waits_of(bench)[0]
    assert (first.kind, first.until) == (WaitKind.QUARANTINED, bench.now + MINUTE)
    assert "Quarantined: boom" in first.in_words()
    assert "2026-01-31T12:01:00Z" in first.in_words()


def test_a_finished_one_waits_for_nothing_although_its_activities_may_run_on() -> None:
    bench = Bench(all_kinds)
    bench.turn()
    bench.terminate().turn()
    assert [each.kind for each in waits_of(bench)] == [WaitKind.NOTHING]
    assert "Terminated" in waits_of(bench)[0].in_words()


# ---- as it is shown ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WaitKind)
def test_each_kind_has_a_sentence_and_is_read_back_from_json(kind: WaitKind) -> None:
    bare = WaitingFor(kind=kind)
    full = WaitingFor(
        kind=kind,
        name="charge",
        task_id=3,
        since=START,
        until=START + MINUTE,
        attempt=2,
        host="host-1",
        instance_id="child-1",
        reason="audit",
    )
    for each in (bare, full):
        assert each.in_words().endswith((".", "audit"))
        assert waiting_from_json(waiting_to_json(each)) == each


def test_the_event_that_brings_a_suspension_is_of_the_history_or_the_mail() -> None:
    bench = Bench(approval)
    bench.suspend("first")
    bench.turn()
    assert bench.recorded(history.ExecutionSuspended)
    assert waits_of(bench)[0].reason == "first"
