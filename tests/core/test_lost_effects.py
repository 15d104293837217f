"""Effects that a dead host left undone, as whoever loads the instance later finds them.

Each of these was found by the simulator, as an orchestration that waited for ever, or heard an
event twice.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bindings import OrchestrationContext, RuntimeStatus
from host.core import history
from host.core.alarm import LOOK_AGAIN
from host.core.chain import left_over_executions
from host.core.records import UNCHANGED, Commit, Message
from tests.kit.bench import Bench
from tests.kit.history_builder import a_failure

Ctx = OrchestrationContext
MINUTE = timedelta(minutes=1)


async def sends(context: Ctx) -> None:
    context.send_event("other", "said", "hello")
    await context.wait_for_external_event("never")


async def starts(context: Ctx) -> Any:
    return await context.call_sub_orchestrator("child", instance_id="c")


async def sleeps(context: Ctx) -> None:
    await context.create_timer(MINUTE)


async def hears(context: Ctx, heard: list[str]) -> list[str]:
    """Two events, then the next execution, which takes three more."""
    count = 2 if not heard else 3
    heard += [await context.wait_for_external_event("e") for _ in range(count)]
    if count == 2:
        context.continue_as_new(heard)
    return heard


async def counts(context: Ctx, number: int) -> int:
    if number:
        context.continue_as_new(number - 1)
    return number


def without(bench: Bench) -> Bench:
    """The same instance on a host that does not have its function."""
    bare = Bench(name=bench.row.name)
    bare.row, bare.batches, bare.inbox = bench.row, bench.batches, bench.inbox
    bare.alarm, bare.now = bench.alarm, bench.now
    return bare


def test_a_batch_that_sends_may_lack_effects_until_the_next_one() -> None:
    bench = Bench(sends)
    bench.turn_without_effects()
    live = bench.reload()
    assert live.state.may_lack_effects
    bench.apply(live.state.redo())
    (envelope,) = bench.messages.values()
    assert envelope.instance_id == "other"


def test_a_batch_that_starts_a_child_may_lack_effects_too() -> None:
    bench = Bench(starts)
    bench.turn_without_effects()
    live = bench.reload()
    assert live.state.may_lack_effects
    bench.apply(live.state.redo())
    assert set(bench.starts) == {"c"}


def test_a_batch_that_only_waits_lacks_nothing_once_its_row_is_there() -> None:
    bench = Bench(sleeps)
    bench.turn()
    assert not bench.reload().state.may_lack_effects


def test_consumed_messages_that_are_still_there_are_deleted_before_anything_else() -> None:
    bench = Bench(hears, input_=[])
    bench.turn()
    bench.raise_event("e", "first")
    bench.turn_without_effects()
    assert len(bench.inbox) == 1
    live = bench.reload()
    assert live.state.may_lack_effects
    bench.apply(live.state.redo())
    assert not bench.inbox


def test_no_event_is_heard_twice_though_every_deletion_failed_before_continue_as_new() -> None:
    bench = Bench(hears, input_=[])
    bench.turn()
    bench.raise_event("e", "first")
    bench.turn_without_effects()
    bench.reload()
    bench.raise_event("e", "second")
    if bench.state.may_lack_effects:
        bench.apply(bench.state.redo())
    bench.turn_without_effects()
    bench.apply(bench.reload().state.redo())
    for each in ("third", "fourth", "fifth"):
        bench.raise_event("e", each)
    bench.run()
    assert bench.output == ["first", "second", "third", "fourth", "fifth"]


def test_the_orchestrations_time_does_not_go_back_when_it_continues_as_new() -> None:
    bench = Bench(counts, input_=1)
    bench.turn(seconds=600)
    reached = bench.now
    bench.turn(seconds=-300)
    (turn,) = bench.recorded(history.OrchestratorStarted)
    assert turn.timestamp >= reached


def test_time_does_not_go_back_for_a_host_without_the_function_either() -> None:
    bench = Bench(sleeps)
    bench.turn(seconds=600)
    bare = without(bench)
    bare.terminate("enough")
    commit = bare.turn(seconds=-300)
    assert isinstance(commit, Commit)
    assert commit.batch.events[0].timestamp >= bench.now


def test_a_host_without_the_function_leaves_an_alarm_that_is_to_come() -> None:
    bench = Bench(sleeps)
    bench.turn()
    due = bench.alarm
    bare = without(bench)
    assert bare.state.redo().wake_at is UNCHANGED
    effects = bare.state.settle(bare.now)
    assert effects is not None
    bare.apply(effects)
    assert bare.alarm == due
    assert bare.row.blocked_reason is not None


def test_a_host_without_the_function_goes_on_saying_so_while_it_does_effects_again() -> None:
    bench = Bench(sleeps)
    bench.turn()
    first = without(bench)
    said = first.state.settle(first.now)
    assert said is not None
    first.apply(said)
    second = without(first)
    effects = second.state.redo()
    assert effects.row is not None
    assert effects.row.blocked_reason == first.row.blocked_reason is not None


def test_a_host_without_the_function_puts_off_an_alarm_that_is_due() -> None:
    bench = Bench(sleeps)
    bench.turn()
    bare = without(bench)
    bare.now += 2 * MINUTE
    effects = bare.state.settle(bare.now)
    assert effects is not None
    assert effects.wake_at == bare.now + LOOK_AGAIN


def test_the_reason_of_a_block_is_newer_than_the_row_whatever_the_clock_shows() -> None:
    bench = Bench(sleeps)
    bench.turn(seconds=600)
    bare = without(bench)
    effects = bare.state.settle(bare.now - timedelta(seconds=300))
    assert effects is not None
    assert effects.row is not None
    assert effects.row.updated_at > bench.row.updated_at


def test_executions_to_which_nothing_leads_are_left_over() -> None:
    bench = Bench(counts, input_=2)
    bench.turn()
    old = bench.row.execution_id
    commit = bench.turn_without_effects()
    assert isinstance(commit, Commit)
    assert left_over_executions(bench.snapshot()) == ()  # the row still speaks of the old one
    assert commit.effects.row is not None
    bench.row = commit.effects.row
    assert left_over_executions(bench.snapshot()) == (old,)


def test_a_recursive_termination_is_for_the_terminated_parents_child_only() -> None:
    parent = Bench(starts)
    parent.turn()
    parent.terminate("enough").turn()
    (envelope,) = parent.messages.values()
    assert envelope.instance_id == "c"
    (start,) = parent.starts.values()

    mine = Bench(sleeps, parent=start.instance.parent)
    mine.inbox[envelope.message.message_id] = envelope.message
    mine.turn()
    assert mine.status is RuntimeStatus.TERMINATED

    anothers = Bench(sleeps)
    anothers.inbox[envelope.message.message_id] = envelope.message
    anothers.turn()
    assert anothers.status is RuntimeStatus.RUNNING
    assert not anothers.inbox


def _answer(bench: Bench, *, is_refusal: bool = False) -> Message:
    execution_id = bench.row.execution_id
    if not is_refusal:
        done = history.SubOrchestrationInstanceCompleted(timestamp=bench.now, task_id=1, result="1")
        return Message(message_id="answer", execution_id=execution_id, event=done)
    failed = history.SubOrchestrationInstanceFailed(
        timestamp=bench.now, task_id=1, failure=a_failure("taken")
    )
    return Message(message_id="refusal", execution_id=execution_id, event=failed)


def test_a_child_that_has_answered_is_not_started_again() -> None:
    bench = Bench(starts)
    bench.turn_without_effects()
    answer = _answer(bench)
    bench.inbox[answer.message_id] = answer
    assert bench.reload().state.redo().starts == ()


def test_a_termination_records_one_answer_of_each_child() -> None:
    bench = Bench(starts)
    bench.turn()
    for message in (_answer(bench), _answer(bench, is_refusal=True)):
        bench.inbox[message.message_id] = message
    bench.terminate("enough").turn()
    assert len(bench.recorded(history.SubOrchestrationInstanceCompleted)) == 1
    assert not bench.recorded(history.SubOrchestrationInstanceFailed)
    assert not bench.inbox
