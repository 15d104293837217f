"""What an executor elsewhere answers is stored only if it can be an answer at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from bindings import OrchestrationContext
from host.core import history
from host.core.answers import check_standing, check_turn
from host.core.converter import Converter
from host.core.executors import TurnInput, TurnOutput
from host.core.instance_state import InstanceState
from host.core.live_instance import LiveInstance
from host.core.records import UNCHANGED, Message
from host.core.replay.in_process import InProcessExecutor
from host.core.turns import PlannedTurn, plan_turn
from host.errors import ExecutorError
from tests.kit.history_builder import HistoryBuilder, pending
from tests.kit.plain_catalog import PlainCatalog

SECOND = timedelta(seconds=1)
CHANGED = msgspec.structs.replace
EXECUTOR: InProcessExecutor


async def waits(context: OrchestrationContext) -> None:
    """It has an activity, a timer that is due and an event to take in at once, then does more."""
    works = context.call_activity("works")
    naps = context.create_timer(SECOND)
    await works
    await naps
    await context.wait_for_external_event("e")
    await context.call_activity("more")


EXECUTOR = InProcessExecutor(PlainCatalog([waits]), Converter())


def asked_and_answered() -> tuple[InstanceState, TurnInput, TurnOutput]:
    """A turn as it is planned, and the answer of the executor of this process."""
    builder = HistoryBuilder(pending("waits")).scheduled("works").timer(SECOND)
    live = LiveInstance(builder.snapshot(), EXECUTOR)
    now = builder.now + 2 * SECOND
    event = history.EventRaised(timestamp=now, name="e", input="1")
    done = history.TaskCompleted(timestamp=now, task_id=1, result="1")
    inbox = [Message(message_id="m", event=event)]
    planned = plan_turn(live.state, inbox, [done], now)
    assert isinstance(planned, PlannedTurn)
    code = EXECUTOR.begin(live.state.instance_id, live.state.started)
    assert code is not None
    for _ in code.replay([each.batch for each in builder.snapshot().batches]):
        pass
    return live.state, planned.new, code.turn(planned.new)


def test_an_answer_as_it_should_be_is_taken() -> None:
    state, new, output = asked_and_answered()
    assert check_turn(state, new, output) is output
    assert [type(each).__name__ for each in output.taken] == [
        "TimerFired",
        "TaskCompleted",
        "EventRaised",
    ]
    assert output.actions


def _again(output: TurnOutput) -> TurnOutput:
    return CHANGED(output, actions=(*output.actions, *output.actions))


def _open(output: TurnOutput) -> TurnOutput:
    return CHANGED(output, actions=[CHANGED(each, task_id=2) for each in output.actions])


def _of_other_types(output: TurnOutput) -> TurnOutput:
    broken: Any = {"a": 1}
    return CHANGED(output, actions=[CHANGED(each, input=broken) for each in output.actions])


def _not_to_be_written(output: TurnOutput) -> TurnOutput:
    return CHANGED(output, actions=[CHANGED(each, input="\ud800") for each in output.actions])


NONSENSE: dict[str, Callable[[TurnOutput], Any]] = {
    "no answer": lambda _: None,
    "a text": lambda _: "an answer",
    "a status of another type": lambda x: CHANGED(x, custom_status=7),
    "an outcome of another type": lambda x: CHANGED(x, outcome="the end"),
    "a timer moved to no time": lambda x: CHANGED(x, moved={2: "soon"}),
    "a timer moved to a time of no zone": lambda x: CHANGED(
        x, moved={2: x.taken[0].timestamp.replace(tzinfo=None)}
    ),
    "what it was not offered": lambda x: CHANGED(
        x, taken=(*x.taken, CHANGED(x.taken[-1], input="2"))
    ),
    "an event twice": lambda x: CHANGED(x, taken=(*x.taken, x.taken[-1])),
    "an event that is not consumed": lambda x: CHANGED(x, consumed=()),
    "a message that is consumed and not taken in": lambda x: CHANGED(x, taken=x.taken[:-1]),
    "a message consumed twice": lambda x: CHANGED(x, consumed=("m", "m")),
    "a message of others": lambda x: CHANGED(x, consumed=("m", "n")),
    "a result left out": lambda x: CHANGED(x, taken=(x.taken[0], *x.taken[2:])),
    "a timer that is not due": lambda x: CHANGED(
        x, taken=(CHANGED(x.taken[0], task_id=7), *x.taken[1:])
    ),
    "a timer twice": lambda x: CHANGED(x, taken=(x.taken[0], *x.taken)),
    "a task twice": _again,
    "a task that is open": _open,
    "a deed of another kind": lambda x: CHANGED(x, actions=x.taken),
    "values of other types": _of_other_types,
    "what cannot be written": _not_to_be_written,
    "names of events that are no texts": lambda x: CHANGED(x, awaited=(1,)),
    "names of events that cannot be written": lambda x: CHANGED(x, awaited=("\ud800",)),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_is_refused(what: str) -> None:
    state, new, output = asked_and_answered()
    with pytest.raises(ExecutorError, match=r"^The executor gave "):
        check_turn(state, new, NONSENSE[what](output))


def test_a_message_may_be_left_and_a_timer_let_go_of() -> None:
    state, new, output = asked_and_answered()
    left = CHANGED(output, taken=output.taken[1:-1], consumed=(), has_left_mail=True)
    assert check_turn(state, new, left) is left


def test_after_the_end_a_result_may_be_left() -> None:
    state, new, output = asked_and_answered()
    end = history.ContinueAsNew(timestamp=new.now, input=None)
    over = CHANGED(output, taken=(), consumed=(), actions=(), outcome=end)
    assert check_turn(state, new, over) is over


def test_how_the_code_stands_is_looked_at_too() -> None:
    assert check_standing(TurnOutput(UNCHANGED)).outcome is None
    with pytest.raises(ExecutorError):
        check_standing(TurnOutput)
