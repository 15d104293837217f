"""Sub-orchestrations: ids, starts, answers, refusals."""

from typing import Any

import pytest

from bindings import InvalidArgumentError, OrchestrationContext, RuntimeStatus, TaskFailedError
from host.core import history, ids
from host.core.records import Message
from tests.kit.bench import Bench
from tests.kit.history_builder import EXECUTION_ID, a_failure

Ctx = OrchestrationContext


async def child(context: Ctx, value: int) -> int:
    return value * 2


async def parent(context: Ctx) -> int:
    return await context.call_sub_orchestrator(child, 21)


async def careful(context: Ctx) -> str:
    try:
        await context.call_sub_orchestrator(child, 1, instance_id="kid")
    except TaskFailedError as error:
        return f"{error.details.error_type}: {error.details.message}"
    return "nothing raised"


def run_child(bench: Bench, *functions: Any) -> Bench:
    """Run the one child that the bench started, and bring its answer home."""
    (start,) = bench.starts.values()
    kid = Bench(*functions)
    kid.row = start.instance
    kid.run()
    for envelope in kid.messages.values():
        assert envelope.instance_id == bench.row.instance_id
        bench.inbox[envelope.message.message_id] = envelope.message
    return kid


def test_a_child_is_started_with_its_input_and_answers_its_parent() -> None:
    bench = Bench(parent, child)
    bench.turn()
    kid = run_child(bench, child)
    assert kid.output == 42
    assert kid.row.parent == history.ParentInstance(
        instance_id="inst", execution_id=EXECUTION_ID, task_id=1, name="parent"
    )
    bench.turn()
    assert bench.output == 42


def test_a_childs_id_is_readable_derived_and_the_same_on_replay() -> None:
    bench = Bench(parent, child)
    bench.turn_without_effects()
    (created,) = bench.recorded(history.SubOrchestrationInstanceCreated)
    assert created.instance_id == f"inst:{EXECUTION_ID[:8]}:0001"
    bench.reload()
    bench.apply(bench.state.redo())
    assert list(bench.starts) == [created.instance_id]


def test_a_childs_id_stays_short_enough_under_a_long_parents_id() -> None:
    bench = Bench(parent, child, instance_id="x" * ids.MAX_INSTANCE_ID)
    bench.turn()
    (child_id,) = bench.starts
    ids.checked_instance_id(child_id)


def test_children_of_two_executions_never_share_an_id() -> None:
    async def eternal(context: Ctx, round_: int) -> None:
        await context.call_sub_orchestrator(child, round_)
        if round_ < 3:
            context.continue_as_new(round_ + 1)

    bench = Bench(eternal, child, input_=1)
    for _ in range(3):
        bench.turn()
        bench.child_done(1, 2).turn()
    assert bench.status is RuntimeStatus.COMPLETED
    assert len(bench.starts) == 3
    assert len({start.instance.execution_id for start in bench.starts.values()}) == 3


def test_an_explicit_id_version_and_the_parents_tags_reach_the_child() -> None:
    async def chooses(context: Ctx) -> None:
        await context.call_sub_orchestrator("child", instance_id="kid", version="v3")

    bench = Bench(chooses, tags={"team": "a"})
    bench.turn()
    row = bench.starts["kid"].instance
    assert (row.version, row.tags, row.status) == ("v3", {"team": "a"}, RuntimeStatus.PENDING)


def test_a_child_sees_its_parents_id() -> None:
    async def looks(context: Ctx) -> str | None:
        return context.parent_instance_id

    async def calls(context: Ctx) -> str | None:
        return await context.call_sub_orchestrator(looks)

    bench = Bench(calls, looks)
    bench.turn()
    assert run_child(bench, looks).output == "inst"
    assert Bench(looks).run().output is None


@pytest.mark.parametrize("instance_id", ["inst", "", "a/b", "@kid", "x" * 257, "new\nline"])
def test_an_impossible_childs_id_is_refused_where_it_is_given(instance_id: str) -> None:
    async def calls(context: Ctx) -> str:
        with pytest.raises(InvalidArgumentError):
            context.call_sub_orchestrator("child", instance_id=instance_id)
        return "went on"

    assert Bench(calls).run().output == "went on"


def test_a_version_that_is_no_text_is_refused() -> None:
    async def calls(context: Ctx) -> None:
        await context.call_sub_orchestrator("child", version=2)  # type: ignore[call-overload] # the mistake under test

    failure = Bench(calls).run().failure
    assert failure.error_type == InvalidArgumentError.__name__
    assert "A version is a text" in failure.message


def test_a_childs_failure_is_raised_in_the_parent_with_all_its_causes() -> None:
    async def breaks(context: Ctx) -> None:
        raise ValueError("broken") from KeyError("deep")

    async def calls(context: Ctx) -> list[Any]:
        try:
            await context.call_sub_orchestrator(breaks)
        except TaskFailedError as error:
            details = error.details
            return [str(error), details.error_type, details.is_caused_by(KeyError)]
        return []

    bench = Bench(calls, breaks)
    bench.turn()
    run_child(bench, breaks)
    bench.turn()
    message, error_type, is_key_error = bench.output
    assert message.startswith("Sub-orchestrator function 'breaks' ('inst:")
    assert message.endswith("failed: broken")
    assert (error_type, is_key_error) == ("ValueError", True)


def test_a_failure_keeps_its_origin_through_a_thousand_levels() -> None:
    async def passes_on(context: Ctx) -> None:
        await context.call_sub_orchestrator("next")

    failure = a_failure("the origin", "OriginError")
    for _ in range(1_000):
        bench = Bench(passes_on)
        bench.turn()
        event = history.SubOrchestrationInstanceFailed(
            timestamp=bench.now, task_id=1, failure=failure
        )
        bench.send(event, execution_id=EXECUTION_ID).turn()
        failure = bench.failure
    assert failure.is_caused_by("OriginError")
    assert failure.is_caused_by(TaskFailedError)


def test_a_terminated_child_fails_its_parents_task() -> None:
    bench = Bench(careful, child)
    bench.turn()
    kid = Bench(child)
    kid.row = bench.starts["kid"].instance
    kid.terminate("why not").turn()
    (envelope,) = kid.messages.values()
    bench.inbox["answer"] = envelope.message
    bench.turn()
    assert bench.output.startswith("OrchestrationTerminated: ")
    assert "why not" in bench.output


def test_a_refused_start_fails_the_task() -> None:
    bench = Bench(careful, child)
    bench.turn()
    refusal = bench.starts["kid"].refusal
    assert refusal is not None
    bench.inbox[refusal.message_id] = refusal
    bench.turn()
    assert bench.output.startswith("InstanceAlreadyExistsError: ")


def test_an_answer_for_another_execution_of_the_parent_is_dropped() -> None:
    bench = Bench(parent, child)
    bench.turn()
    event = history.SubOrchestrationInstanceCompleted(timestamp=bench.now, task_id=1, result="1")
    bench.inbox["x"] = Message(message_id="x", event=event, execution_id="another")
    bench.turn()
    assert not bench.inbox
    assert not bench.row.is_finished


def test_results_are_rebuilt_as_the_orchestrators_return_annotation_says() -> None:
    async def tuples(context: Ctx) -> tuple[int, str]:
        return (1, "a")

    async def calls(context: Ctx) -> bool:
        return (await context.call_sub_orchestrator(tuples)) == (1, "a")

    bench = Bench(calls, tuples)
    bench.turn()
    run_child(bench, tuples)
    bench.turn()
    assert bench.output is True
