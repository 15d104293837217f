"""The laws of the core, on random programs in random worlds."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, pairwise, repeat
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bindings import OrchestrationContext, RuntimeStatus
from bindings.waiting import WaitKind
from host.core import codec, history
from host.core.functions import OrchestratorFunction
from host.core.live_instance import LiveInstance
from host.core.records import Commit
from host.core.replay.execution import Execution
from host.core.waiting import why
from tests.core.programs import (
    HARSH_WORLDS,
    MILD_WORLDS,
    PROGRAMS,
    WORLDS,
    Moment,
    Program,
    Turn,
    deeds_of,
    interpret,
    live_through,
    observed,
    plain_turn,
    rest,
)
from tests.kit import event_strategies
from tests.kit.bench import Bench
from tests.kit.plain_catalog import PlainCatalog

laws = settings(max_examples=60, deadline=None)


# ---- 1. prefix consistency -----------------------------------------------------------------


def new_execution(bench: Bench) -> Execution:
    function = bench.catalog.orchestrator("interpret")
    assert isinstance(function, OrchestratorFunction)
    return Execution("inst", function, PlainCatalog([interpret]), bench.converter)


def taken_from(execution: Execution) -> list[history.HistoryEvent]:
    output = execution.take_output()
    return [*output.actions, *([output.outcome] if output.outcome else [])]


@laws
@given(PROGRAMS, WORLDS)
def test_law_1_what_the_code_does_after_a_prefix_is_a_prefix_of_what_it_does_later(
    program: Program, world: list[Moment]
) -> None:
    bench = live_through(program, world)
    execution_id = bench.state.execution_id
    batches = [x.batch.events for x in bench.batches if x.execution_id == execution_id]
    for length in range(len(batches)):
        execution = new_execution(bench)
        execution.replay(chain.from_iterable(batches[:length]))
        assert taken_from(execution) == []
        recorded = batches[length]
        deeds = deeds_of(recorded)
        ends = [x for x in recorded if isinstance(x, history.ExecutionCompleted)]
        for event in recorded:
            if event not in deeds and event not in ends:
                execution.feed(event)
        assert taken_from(execution) == [*deeds, *ends]


# ---- 2. split independence -----------------------------------------------------------------


@laws
@given(PROGRAMS, MILD_WORLDS)
def test_law_2_it_does_not_matter_how_events_are_batched_into_turns(
    program: Program, world: list[Moment]
) -> None:
    together = live_through(program, world)
    one_by_one = live_through(program, world, one_by_one=True)
    assert observed(together) == observed(one_by_one)


@laws
@given(PROGRAMS, WORLDS)
def test_law_2_nor_does_it_matter_for_suspensions_within_one_execution(
    program: Program, world: list[Moment]
) -> None:
    """One execution, because a suspension goes before a start that is recorded in its turn."""
    program = program | {"rounds": 0}
    together = live_through(program, world)
    one_by_one = live_through(program, world, one_by_one=True)
    assert observed(together) == observed(one_by_one)


# ---- 3. and 4. commits and crashes ---------------------------------------------------------


def twice_turn(bench: Bench) -> Commit | None:
    """Every effect is applied twice, and once more as derived again."""
    outcome = bench.turn()
    if not isinstance(outcome, Commit):
        return None
    bench.apply(outcome.effects)
    bench.apply(bench.state.redo())
    return outcome


@laws
@given(PROGRAMS, HARSH_WORLDS)
def test_law_3_effects_applied_again_change_nothing(program: Program, world: list[Moment]) -> None:
    once = live_through(program, world)
    again = live_through(program, world, turn=twice_turn)
    assert observed(once) == observed(again)


def faulty_turn(faults: Iterator[str]) -> Turn:
    """Turns after which the host vanishes, with or without the effects of its last batch."""

    def turn(bench: Bench) -> Commit | None:
        fault = next(faults)
        if fault in {"none", "reload"}:
            outcome = plain_turn(bench)
        else:
            outcome = _without_effects(bench, redone_twice=fault == "lost twice")
        if fault != "none":
            bench.reload()
        return outcome

    return turn


def _without_effects(bench: Bench, *, redone_twice: bool) -> Commit | None:
    outcome = bench.turn_without_effects()
    if not isinstance(outcome, Commit):
        if outcome is not None:
            bench.apply(outcome)
        return None
    for _ in range(2 if redone_twice else 1):
        bench.reload()
        bench.apply(bench.state.redo())
    return outcome


FAULTS = st.lists(st.sampled_from(["none", "reload", "lost", "lost twice"]), max_size=12)


@example(
    {
        "steps": [["any", [["activity", 0], ["timer", 1]]]],
        "rounds": 1,
        "saves_events": False,
        "log": [],
    },
    [Moment(seconds=1), Moment(seconds=1, stimuli=[("terminate",)])],
    [],
)
@settings(laws, max_examples=120)
@given(PROGRAMS, HARSH_WORLDS, FAULTS)
def test_law_4_a_crash_at_any_commit_boundary_loses_and_doubles_nothing(
    program: Program, world: list[Moment], faults: list[str]
) -> None:
    smooth = live_through(program, world)
    turn = faulty_turn(chain(faults, repeat("lost")))
    assert observed(live_through(program, world, turn=turn)) == observed(smooth)


async def collect(context: OrchestrationContext, state: dict[str, Any]) -> list[int]:
    """Takes events in portions, an execution each."""
    seen, portions = state["seen"], state["portions"]
    for _ in range(portions[0]):
        seen.append(await context.wait_for_external_event("e"))
    if len(portions) > 1:
        context.continue_as_new({"seen": seen, "portions": portions[1:]})
    return list(seen)


@laws
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=5),
    st.lists(st.sampled_from(["raise", "raise", "turn", "suspend", "resume"]), max_size=30),
    FAULTS,
)
def test_law_4_every_external_event_is_seen_once_and_in_order(
    portions: list[int], acts: list[str], faults: list[str]
) -> None:
    bench = Bench(collect, input_={"seen": [], "portions": portions})
    turn = faulty_turn(chain(faults, repeat("lost")))
    total, raised = sum(portions), 0
    for act in [*acts, *["raise"] * total, "resume"]:
        if act == "raise":
            bench.raise_event("e", raised)
            raised += 1
        elif act == "turn":
            turn(bench)
        elif act == "suspend":
            bench.suspend()
        else:
            bench.resume()
    rest(bench, turn)
    assert bench.state.view().status is RuntimeStatus.COMPLETED
    assert bench.output == list(range(total))


# ---- 6. codec ------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(event_strategies.batches, event_strategies.messages, event_strategies.instances)
def test_law_6_what_is_decoded_is_what_was_encoded(batch: Any, message: Any, row: Any) -> None:
    assert codec.decode_batch(codec.encode(batch)) == batch
    assert codec.decode_message(codec.encode(message)) == message
    assert codec.decode_instance(codec.encode(row)) == row


@laws
@given(PROGRAMS, HARSH_WORLDS)
def test_law_6_a_stored_history_replays_to_the_same_place(
    program: Program, world: list[Moment]
) -> None:
    bench = live_through(program, world)
    before = observed(bench)
    snapshot = bench.snapshot()
    bench.batches = [
        type(stored)(
            execution_id=stored.execution_id,
            number=stored.number,
            batch=codec.decode_batch(codec.encode(stored.batch)),
        )
        for stored in snapshot.batches
    ]
    bench.row = codec.decode_instance(codec.encode(snapshot.instance))
    bench.reload()
    assert observed(bench) == before


# ---- 7. time -------------------------------------------------------------------------------

ANY_TIME = st.datetimes(
    min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1), timezones=st.just(UTC)
)


@laws
@given(PROGRAMS, HARSH_WORLDS, ANY_TIME)
def test_law_7_nothing_changes_when_only_the_wall_clock_does(
    program: Program, world: list[Moment], now: datetime
) -> None:
    bench = live_through(program, world)
    before, snapshot = observed(bench), bench.snapshot()
    if bench.alarm is not None and now >= bench.alarm:
        now = bench.alarm - timedelta(microseconds=1)
    bench.now = now
    assert bench.turn() is None
    bench.reload()
    assert bench.turn() is None
    assert observed(bench) == before
    assert bench.snapshot() == snapshot


@laws
@given(PROGRAMS, HARSH_WORLDS, st.lists(st.integers(-30, 30), min_size=8, max_size=8))
def test_law_7_an_orchestrations_time_never_goes_back_and_timers_never_fire_early(
    program: Program, world: list[Moment], skews: list[int]
) -> None:
    skewed = [
        Moment(seconds=moment.seconds + skew, stimuli=moment.stimuli)
        for moment, skew in zip(world, skews, strict=False)
    ]
    events = live_through(program, skewed).events
    turns = [x.timestamp for x in events if isinstance(x, history.OrchestratorStarted)]
    assert all(early <= late for early, late in pairwise(turns))
    fired = [x for x in events if isinstance(x, history.TimerFired)]
    assert all(x.timestamp >= x.fire_at for x in fired)
    assert len({x.task_id for x in fired}) == len(fired)


@pytest.mark.parametrize("length", [10, 400])
def test_law_7_constant_cost_a_step_feeds_its_own_events_only(length: int) -> None:
    """Law 7 of the design: a turn hands on what is new, however long the history is."""

    async def many(context: OrchestrationContext) -> None:
        for _ in range(length):
            await context.call_activity("work")

    bench = Bench(many)
    bench.turn()
    for task_id in range(1, length):
        commit = bench.turn(bench.done(task_id))
        assert isinstance(commit, Commit)
        assert len(commit.batch.events) == 3


@laws
@given(PROGRAMS, HARSH_WORLDS)
def test_an_instance_that_is_loaded_knows_what_the_one_in_memory_knew(
    program: Program, world: list[Moment]
) -> None:
    bench = live_through(program, world)
    memory, loaded = bench.live, LiveInstance(bench.snapshot(), bench.executor)
    assert loaded.state.ledger.open_activities == memory.state.ledger.open_activities
    assert loaded.state.ledger.open_children == memory.state.ledger.open_children
    assert loaded.state.ledger.next_number == memory.state.ledger.next_number
    assert loaded.state.execution_id == memory.state.execution_id
    assert loaded.state.is_finished == memory.state.is_finished
    assert loaded.state.settle(bench.now) is None
    loaded.close()


@laws
@given(PROGRAMS, HARSH_WORLDS)
def test_why_an_instance_waits_is_said_without_its_code_as_the_code_would(
    program: Program, world: list[Moment]
) -> None:
    bench = live_through(program, world)
    state = bench.state
    said = why(bench.snapshot(), bench.now).waiting_for
    assert said
    if state.is_finished or state.is_continued or not state.ledger.next_number:
        return
    by_kind = {kind: {x.task_id for x in said if x.kind is kind} for kind in WaitKind}
    assert by_kind[WaitKind.TIMER] == set(state.ledger.timers)
    assert by_kind[WaitKind.ACTIVITY] == set(state.ledger.open_activities)
    assert by_kind[WaitKind.SUB_ORCHESTRATION] == set(state.ledger.open_children)
