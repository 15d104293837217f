"""Turns: which messages are taken in, what is stored, when the instance is looked at again."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from bindings import OrchestrationContext, RuntimeStatus, when_any
from host.core import history
from host.core.ledger import Ledger
from host.core.live_instance import LiveInstance
from host.core.records import UNCHANGED, Commit, Effects, Lease, Message
from tests.kit.bench import Bench
from tests.kit.history_builder import EXECUTION_ID, START, HistoryBuilder, dumps, pending

Ctx = OrchestrationContext


def say(city: str) -> str:
    return f"Hello {city}!"


async def hello5(context: Ctx) -> list[str]:
    return [await context.call_activity(say, f"city {number}") for number in range(5)]


async def works(context: Ctx) -> Any:
    return await context.call_activity("work")


async def waits(context: Ctx) -> Any:
    return await context.wait_for_external_event("e")


# ---- messages ------------------------------------------------------------------------------


def message(event: history.InboxEvent, execution_id: str | None = None) -> Message:
    return Message(message_id="m", event=event, execution_id=execution_id)


def done(task_id: int) -> history.TaskCompleted:
    return history.TaskCompleted(timestamp=START, task_id=task_id)


def test_the_ledger_wants_answers_to_open_questions_only() -> None:
    ledger = Ledger(EXECUTION_ID)
    builder = HistoryBuilder(pending("x")).scheduled("a").child("c", "kid")
    for batch in builder.batches():
        ledger.add_batch(batch)
    child_done = history.SubOrchestrationInstanceCompleted(timestamp=START, task_id=2)
    assert ledger.wants(message(done(1)))
    assert ledger.wants(message(child_done))
    assert not ledger.wants(message(done(2)))
    assert not ledger.wants(message(done(3)))
    assert ledger.wants(message(done(1), EXECUTION_ID))
    assert not ledger.wants(message(done(1), "another"))
    ledger.add_batch(history.Batch(events=(done(1), child_done), consumed=("m",)))
    assert not ledger.wants(message(done(1)))
    assert not ledger.wants_event(child_done)
    event = history.EventRaised(timestamp=START, name="e")
    assert not ledger.wants(message(event))
    assert ledger.wants(Message(message_id="m2", event=event))


def test_stale_messages_are_deleted_and_not_recorded() -> None:
    bench = Bench(works)
    bench.turn()
    bench.send(bench.done(7), "unknown task")
    bench.send(bench.done(1), "other execution", "another")
    outcome = bench.turn()
    assert isinstance(outcome, Effects)
    assert outcome.consumed == ("unknown task", "other execution")
    assert outcome.row is None
    assert outcome.wake_at is UNCHANGED
    assert not bench.inbox


def test_stale_messages_go_with_the_next_commit() -> None:
    bench = Bench(works)
    bench.turn()
    bench.send(bench.done(7), "stale").raise_event("e", message_id="fresh")
    outcome = bench.turn()
    assert isinstance(outcome, Commit)
    assert outcome.batch.consumed == ("fresh",)
    assert outcome.effects.consumed == ("fresh", "stale")


def test_a_message_that_was_not_deleted_is_not_taken_in_again() -> None:
    bench = Bench(waits)
    bench.turn()
    bench.raise_event("x", 1, "once").turn_without_effects()
    bench.reload()
    assert isinstance(bench.turn(), Effects)
    assert len(bench.recorded(history.EventRaised)) == 1
    assert not bench.inbox


def test_a_result_that_comes_by_hand_and_by_message_is_recorded_once() -> None:
    async def twice(context: Ctx) -> Any:
        first = await context.call_activity("work")
        await context.wait_for_external_event("end")
        return first

    bench = Bench(twice)
    bench.turn()
    bench.send(bench.done(1, "by message"), "result", EXECUTION_ID)
    bench.turn(bench.done(1, "by hand"), bench.done(1, "again"))
    assert len(bench.recorded(history.TaskCompleted)) == 1
    assert not bench.inbox
    bench.send(bench.done(1, "late"), "late").raise_event("end").turn()
    assert bench.output == "by hand"


def test_nothing_new_is_no_turn() -> None:
    bench = Bench(works)
    assert isinstance(bench.turn(), Commit)
    assert bench.turn() is None
    assert bench.turn(bench.done(9)) is None


# ---- what is stored ------------------------------------------------------------------------


def test_hello5_is_six_commits_one_row_and_no_alarms() -> None:
    bench = Bench(hello5, activities=[say]).run()
    assert bench.output == [f"Hello city {number}!" for number in range(5)]
    assert len(bench.commits) == 6
    assert [commit.number for commit in bench.commits] == list(range(6))
    assert [commit.open_activities for commit in bench.commits] == [1] * 5 + [0]
    assert all(commit.effects.wake_at is UNCHANGED for commit in bench.commits)
    assert not any(commit.effects.consumed for commit in bench.commits)


def test_hello5_within_a_second_stores_its_row_once() -> None:
    bench = Bench(hello5, activities=[say])
    while not bench.state.is_finished:
        bench.step(seconds=0.1)
    assert [commit.effects.row is not None for commit in bench.commits] == [False] * 5 + [True]


def test_the_row_of_a_long_runner_is_stored_about_once_a_second() -> None:
    bench = Bench(hello5, activities=[say])
    while not bench.state.is_finished:
        bench.step(seconds=0.6)
    stored = [commit.effects.row is not None for commit in bench.commits]
    assert stored == [False, True, False, True, False, True]


def test_an_instance_that_waits_for_others_is_shown_as_running_at_once() -> None:
    bench = Bench(waits)
    bench.turn()
    assert bench.status is RuntimeStatus.RUNNING


def test_effects_derived_again_are_the_same() -> None:
    async def busy(context: Ctx) -> None:
        context.send_event("other", "ping")
        context.call_sub_orchestrator("child", instance_id="kid")
        context.create_timer(timedelta(hours=1))
        context.set_custom_status("busy")
        await context.wait_for_external_event("never")

    bench = Bench(busy)
    bench.raise_event("early")
    commit = bench.turn_without_effects(seconds=5)
    assert isinstance(commit, Commit)
    bench.reload()
    assert bench.state.redo() == commit.effects
    bench.reload()
    assert bench.state.redo() == commit.effects


def test_what_the_row_says_was_sent_is_not_sent_again() -> None:
    async def sends(context: Ctx) -> None:
        context.send_event("friend", "go")
        await context.wait_for_external_event("never")

    bench = Bench(sends)
    commit = bench.turn_without_effects()
    assert isinstance(commit, Commit)
    assert bench.reload().state.redo().messages == commit.effects.messages
    bench.apply(commit.effects)
    assert bench.reload().state.may_lack_effects is False
    assert bench.state.redo().messages == ()


def test_the_end_is_redone_with_the_time_of_the_end() -> None:
    bench = Bench(waits)
    bench.turn()
    bench.raise_event("e", 1)
    commit = bench.turn_without_effects(seconds=60)
    bench.reload()
    effects = bench.state.redo()
    assert isinstance(commit, Commit)
    assert effects.row == commit.effects.row
    assert effects.row is not None
    assert effects.row.updated_at == START + timedelta(seconds=60)


def test_the_alarm_is_right_after_a_crash_between_batch_and_effects() -> None:
    async def two_timers(context: Ctx) -> None:
        far = context.create_timer(timedelta(hours=10))
        await context.wait_for_external_event("e")
        await context.create_timer(timedelta(hours=5))
        await far

    bench = Bench(two_timers)
    bench.turn()
    bench.raise_event("e").turn_without_effects()
    bench.reload()
    bench.apply(bench.state.redo())
    assert bench.alarm == START + timedelta(hours=5)
    bench.turn(seconds=5 * 3600)
    assert bench.snapshot().wake_at == START + timedelta(hours=10)


def test_redoing_what_was_never_done_says_the_row_as_it_is() -> None:
    bench = Bench(waits)
    effects = bench.state.redo()
    assert effects.row is not None
    assert replace(effects.row, updated_at=bench.row.updated_at) == bench.row
    assert not (effects.starts or effects.messages or effects.consumed)


# ---- when to look again --------------------------------------------------------------------


def test_a_scheduled_start_waits_for_its_time_with_its_messages() -> None:
    start_at = START + timedelta(hours=1)
    bench = Bench(waits, scheduled_start_at=start_at)
    bench.raise_event("e", 1)
    assert bench.turn() is None
    assert bench.state.settle(bench.now) is None
    assert bench.alarm == start_at
    assert bench.status is RuntimeStatus.PENDING
    bench.turn(seconds=3600)
    assert bench.output == 1
    assert bench.alarm is None


def a_lease(bench: Bench, task_id: int, seconds: float, owner: str = "host-a") -> Lease:
    return Lease(
        instance_id="inst",
        execution_id=EXECUTION_ID,
        task_id=task_id,
        owner=owner,
        expires_at=bench.now + timedelta(seconds=seconds),
    )


def test_a_parked_activity_is_leased_and_not_handed_out_again() -> None:
    bench = Bench(works)
    bench.turn()
    assert len(bench.state.take_undispatched(bench.now)) == 1
    bench.apply(bench.state.lease(bench.now, [a_lease(bench, 1, 30)]))
    assert bench.alarm == START + timedelta(seconds=30)
    assert bench.status is RuntimeStatus.RUNNING
    bench.reload()
    assert bench.state.take_undispatched(bench.now) == []
    bench.send(bench.done(1, "x"), execution_id=EXECUTION_ID).turn()
    assert bench.output == "x"
    assert bench.snapshot().wake_at is None


def test_an_activity_whose_lease_expired_is_handed_out_again() -> None:
    bench = Bench(works)
    bench.turn()
    bench.apply(bench.state.lease(bench.now, [a_lease(bench, 1, 30)]))
    bench.now += timedelta(seconds=30)
    bench.reload()
    (again,) = bench.state.take_undispatched(bench.now)
    assert (again.scheduled.task_id, again.was_begun) == (1, True)
    assert bench.state.take_undispatched(bench.now) == []
    effects = bench.state.settle(bench.now)
    assert effects is not None
    assert effects.wake_at is None


def test_a_lease_that_expires_elsewhere_still_has_its_alarm() -> None:
    async def two(context: Ctx) -> None:
        await when_any([context.call_activity("a"), context.call_activity("b")])
        await context.wait_for_external_event("end")

    bench = Bench(two)
    bench.turn()
    bench.state.take_undispatched(bench.now)
    leases = [a_lease(bench, 1, 30), a_lease(bench, 2, 60)]
    bench.apply(bench.state.lease(bench.now, leases))
    bench.turn(bench.done(1))
    assert bench.alarm == leases[1].expires_at
    bench.now += timedelta(seconds=90)
    assert bench.state.take_undispatched(bench.now) == []
    assert bench.state.settle(bench.now) is None
    assert bench.alarm == leases[1].expires_at


def test_leases_of_another_execution_or_of_answered_tasks_count_for_nothing() -> None:
    bench = Bench(works)
    bench.turn()
    bench.leases = {7: a_lease(bench, 7, 30)}
    bench.reload()
    assert len(bench.state.leases) == 0
    assert len(bench.state.take_undispatched(bench.now)) == 1


def test_settle_corrects_an_alarm_that_is_out_of_date() -> None:
    bench = Bench(waits)
    bench.turn()
    bench.alarm = START + timedelta(hours=1)
    bench.reload()
    effects = bench.state.settle(bench.now)
    assert effects is not None
    assert effects.wake_at is None
    assert effects.row is None
    assert bench.state.settle(bench.now) is None


# ---- order ----------------------------------------------------------------------


def test_of_one_moment_timers_come_before_results_and_those_before_messages() -> None:
    async def all_of_them(context: Ctx) -> None:
        await context.task_all(
            [
                context.create_timer(timedelta(seconds=1)),
                context.call_activity("work"),
                context.wait_for_external_event("e"),
            ]
        )

    bench = Bench(all_of_them)
    bench.turn()
    bench.now += timedelta(seconds=1)
    bench.raise_event("e").turn(bench.done(2))
    assert bench.kinds()[-5:] == [
        "OrchestratorStarted",
        "TimerFired",
        "TaskCompleted",
        "EventRaised",
        "ExecutionCompleted",
    ]


def test_an_instance_built_from_recorded_batches_goes_on_where_they_end() -> None:
    row = pending("hello5", status=RuntimeStatus.RUNNING)
    builder = HistoryBuilder(row).scheduled("say", "city 0")
    builder.turn().completed(1, "Hello city 0!").scheduled("say", "city 1")
    bench = Bench(hello5, activities=[say])
    live = LiveInstance(builder.snapshot(), bench.executor)
    (open_task,) = live.state.take_undispatched(START)
    assert (open_task.scheduled.task_id, open_task.scheduled.input) == (2, dumps("city 1"))
    assert not open_task.was_begun
    commit = live.turn(START, (), [done(2)])
    assert isinstance(commit, Commit)
    assert (commit.number, commit.open_activities) == (2, 0)
