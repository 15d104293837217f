"""Random orchestrations: a small program as data, one orchestrator that runs any, and its world.

A program is a list of steps. What happens to it from outside is a list of moments; all stimuli of a
moment come at the same time, so they may be taken in one turn or in many (law 2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from hypothesis import strategies as st

from bindings import DurableTask, OrchestrationContext, RetryPolicy, when_all, when_any
from host.core import history, ids
from host.core.alarm import wanted_of_execution
from host.core.executors import OrchestratorExecutor
from host.core.http_calls import HTTP_ACTIVITY
from host.core.records import Commit
from tests.kit.bench import Bench
from tests.kit.history_builder import a_failure

Part: TypeAlias = list[Any]
"""The recipe of one task: its kind, then its arguments. JSON, as it is part of the input."""

Program: TypeAlias = dict[str, Any]

HTTP_ANSWERS: Sequence[Any] = (
    {"statusCode": 200},
    {"statusCode": 503, "retryAfterSeconds": 4.0},
    {"statusCode": 202, "poll": {"uri": "https://example.com/1", "afterSeconds": 3.0}},
    {"statusCode": 202, "poll": {"error": "a URL leads nowhere", "afterSeconds": 1.0}},
)

NAMES = st.sampled_from(["a", "b", "A"])
SECONDS = st.integers(min_value=1, max_value=20)

PARTS: st.SearchStrategy[Part] = st.one_of(
    st.tuples(st.just("activity"), st.integers(0, 3)).map(list),
    st.tuples(st.just("timer"), SECONDS).map(list),
    st.tuples(st.just("wait"), NAMES, st.none() | SECONDS).map(list),
    st.tuples(st.just("child"), st.integers(0, 3)).map(list),
    st.tuples(st.just("retry"), st.integers(1, 3), SECONDS).map(list),
    st.tuples(st.just("http"), st.integers(1, 3), st.none() | SECONDS).map(list),
)
STEPS = st.one_of(
    st.tuples(st.just("await"), PARTS).map(list),
    st.tuples(st.just("all"), st.lists(PARTS, max_size=4)).map(list),
    st.tuples(st.just("any"), st.lists(PARTS, min_size=1, max_size=4)).map(list),
    st.tuples(st.just("send"), NAMES).map(list),
    st.tuples(st.just("status"), st.integers(0, 9)).map(list),
    st.just(["uuid"]),
)
PROGRAMS: st.SearchStrategy[Program] = st.fixed_dictionaries(
    {
        "steps": st.lists(STEPS, max_size=6),
        "rounds": st.integers(0, 2),
        "saves_events": st.booleans(),
        "log": st.just([]),
    }
)


async def interpret(context: OrchestrationContext, program: Program) -> list[Any]:
    log = [*program["log"], *[await _do(context, step) for step in program["steps"]]]
    log.append(context.current_utc_datetime.isoformat())
    if program["rounds"]:
        again = program | {"rounds": program["rounds"] - 1, "log": log}
        context.continue_as_new(again, save_events=program["saves_events"])
    return log


async def _do(context: OrchestrationContext, step: Part) -> Any:
    match step:
        case ["await", part]:
            return await _outcome(_task(context, part))
        case ["all", parts]:
            return await _outcome(when_all([_task(context, part) for part in parts]))
        case ["any", parts]:
            tasks = [_task(context, part) for part in parts]
            winner = await when_any(tasks)
            return [tasks.index(winner), await _outcome(winner)]
        case ["send", name]:
            return context.send_event("other", name, len(name))
        case ["status", number]:
            return context.set_custom_status(number)
        case _:
            return str(context.new_uuid())


def _task(context: OrchestrationContext, part: Part) -> DurableTask[Any]:
    match part:
        case ["activity", number]:
            return context.call_activity(f"activity{number}", number)
        case ["timer", seconds]:
            return context.create_timer(timedelta(seconds=seconds))
        case ["wait", name, seconds]:
            timeout = None if seconds is None else timedelta(seconds=seconds)
            return context.wait_for_external_event(name, timeout=timeout)
        case ["child", number]:
            return context.call_sub_orchestrator(f"child{number}", number)
        case ["http", attempts, seconds]:
            policy = RetryPolicy(timedelta(seconds=2), attempts)
            timeout = None if seconds is None else timedelta(seconds=seconds)
            return context.call_http("GET", "https://example.com/", retry=policy, timeout=timeout)
        case [_, attempts, seconds]:
            policy = RetryPolicy(timedelta(seconds=seconds), attempts, backoff_coefficient=2)
            return context.call_activity("flaky", retry_policy=policy)
        case _:
            raise AssertionError(part)


async def _outcome(task: DurableTask[Any]) -> Any:
    try:
        return await task
    except Exception as error:  # noqa: BLE001 - its kind is the outcome
        return f"{type(error).__name__}: {error}"


# ---- the world -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What comes from outside after so many seconds, all at once, in this order."""

    seconds: int
    stimuli: Sequence[tuple[Any, ...]] = field(default_factory=tuple)


_ANSWERS = st.tuples(st.sampled_from(["result", "child"]), st.integers(0, 9), st.booleans())
_EVENTS = st.tuples(st.just("event"), NAMES, st.integers(0, 99))
_CONTROL = st.tuples(st.sampled_from(["suspend", "resume"]))
_TERMINATION = st.tuples(st.just("terminate"))
_MILD = st.one_of(_ANSWERS, _ANSWERS, _EVENTS, _EVENTS)


def _worlds(stimuli: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Moment]]:
    return st.lists(
        st.builds(
            Moment,
            seconds=st.integers(min_value=1, max_value=15),
            stimuli=st.lists(stimuli, max_size=5),
        ),
        max_size=8,
    )


MILD_WORLDS = _worlds(_MILD)
"""Answers and events."""
WORLDS = _worlds(st.one_of(_MILD, _CONTROL))
"""Also suspensions."""
HARSH_WORLDS = _worlds(st.one_of(_MILD, _CONTROL, _TERMINATION))
"""Also terminations."""


Turn: TypeAlias = Callable[[Bench], Commit | None]


def plain_turn(bench: Bench) -> Commit | None:
    """A turn in which nothing goes wrong."""
    outcome = bench.turn()
    return outcome if isinstance(outcome, Commit) else None


def rest(bench: Bench, turn: Turn) -> None:
    """Turns until nothing is left to do at this moment."""
    for _ in range(200):
        if turn(bench) is None:
            return
    raise AssertionError("no rest")


def live_through(
    program: Program,
    world: Sequence[Moment],
    *,
    turn: Turn = plain_turn,
    one_by_one: bool = False,
    executor: OrchestratorExecutor | None = None,
) -> Bench:
    """Run a program in a world. `one_by_one` takes every stimulus in turns of its own."""
    bench = Bench(interpret, input_=program, executor=executor)
    rest(bench, turn)
    for number, moment in enumerate(world):
        bench.now += timedelta(seconds=moment.seconds)
        messages = _messages(bench, number, moment)
        if one_by_one:
            rest(bench, turn)
        for send in messages:
            send()
            if one_by_one:
                rest(bench, turn)
        rest(bench, turn)
    return bench


def _messages(bench: Bench, number: int, moment: Moment) -> list[Callable[[], Bench]]:
    """The stimuli, aimed at what is open when the moment begins."""
    ledger = bench.state.ledger
    targets = {"result": sorted(ledger.open_activities), "child": sorted(ledger.open_children)}
    sends = []
    for position, stimulus in enumerate(moment.stimuli):
        event, execution_id = _event(bench, stimulus, targets), None
        if stimulus[0] in targets:
            execution_id = ledger.execution_id
        if event is not None:
            sends.append(_sender(bench, event, f"{number}-{position}", execution_id))
    return sends


def _sender(
    bench: Bench, event: history.InboxEvent, message_id: str, execution_id: str | None
) -> Callable[[], Bench]:
    return lambda: bench.send(event, message_id, execution_id)


def _event(
    bench: Bench, stimulus: tuple[Any, ...], targets: dict[str, list[int]]
) -> history.InboxEvent | None:
    now = bench.now
    match stimulus:
        case ("event", name, data):
            return history.EventRaised(timestamp=now, name=name, input=str(data))
        case ("suspend",):
            return history.ExecutionSuspended(timestamp=now)
        case ("resume",):
            return history.ExecutionResumed(timestamp=now)
        case ("terminate",):
            return history.ExecutionTerminated(timestamp=now, reason='"enough"')
        case (kind, pick, succeeds):
            open_ = targets[kind]
            return _answer(bench, kind, open_[pick % len(open_)], succeeds) if open_ else None
        case _:
            raise AssertionError(stimulus)


def _answer(bench: Bench, kind: str, task_id: int, succeeds: bool) -> history.InboxEvent:
    if kind == "result":
        is_http = bench.state.ledger.open_activities[task_id].name == HTTP_ACTIVITY
        result = HTTP_ANSWERS[task_id % len(HTTP_ANSWERS)] if is_http else task_id
        return bench.done(task_id, result) if succeeds else bench.failed(task_id)
    if succeeds:
        return history.SubOrchestrationInstanceCompleted(
            timestamp=bench.now, task_id=task_id, result=str(task_id)
        )
    return history.SubOrchestrationInstanceFailed(
        timestamp=bench.now, task_id=task_id, failure=a_failure()
    )


# ---- what is to be equal -------------------------------------------------------------------

_DEEDS = (
    history.TaskScheduled,
    history.SubOrchestrationInstanceCreated,
    history.TimerCreated,
    history.EventSent,
)


def deeds_of(events: Sequence[history.HistoryEvent]) -> list[history.HistoryEvent]:
    """What the code did."""
    return [event for event in events if isinstance(event, _DEEDS)]


def _alarm_of_execution(bench: Bench) -> datetime | None:
    """The alarm but for what nobody waits for: whether that has ended, turns do not say."""
    state, expiry = bench.state, bench.state.unawaited.next_expiry()
    own = wanted_of_execution(state.ledger, state.started, state.leases)
    assert bench.alarm == min((each for each in (own, expiry) if each), default=None)
    return own


def observed(bench: Bench) -> dict[str, Any]:
    """All that anyone can see of how it went, however it came about."""
    row = bench.state.view()
    return {
        "status": row.status,
        "output": row.output,
        "failure": row.failure and (row.failure.error_type, row.failure.message),
        "custom_status": row.custom_status,
        "generation": row.generation,
        "alarm": _alarm_of_execution(bench),
        "inbox": list(bench.inbox),
        "messages": bench.messages,
        "starts": {key: (each.instance, each.refusal) for key, each in bench.starts.items()},
        "deeds": deeds_of(bench.events),
        "taken in": [x for x in bench.events if not isinstance(x, (*_DEEDS, *_TURN_MARKS))],
        "execution": ids.next_execution_id(bench.state.execution_id),
    }


_TURN_MARKS = (history.OrchestratorStarted,)
