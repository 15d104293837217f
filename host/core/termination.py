"""The batch of the turn that terminates an instance.

It takes in the termination and what children have answered, nothing else: a child that has answered
is not to be terminated, and the id of one whose start was refused is somebody else's.
"""

from __future__ import annotations

from collections.abc import Sequence

from bindings.client import RuntimeStatus
from host.core import history
from host.core.history import Batch, HistoryEvent
from host.core.records import Message

_CHILD_ANSWERS = (
    history.SubOrchestrationInstanceCompleted,
    history.SubOrchestrationInstanceFailed,
)


def termination_batch(
    turn: history.OrchestratorStarted,
    start: history.ExecutionStarted | None,
    news: Sequence[Message],
) -> Batch | None:
    """The batch, if one of the messages is a termination; `start` if it is not recorded yet."""
    for message in news:
        if isinstance(message.event, history.ExecutionTerminated):
            answers = [each for each in news if isinstance(each.event, _CHILD_ANSWERS)]
            return Batch(
                events=_events(turn, start, message.event, _first_of_each_task(answers)),
                consumed=(message.message_id, *(answer.message_id for answer in answers)),
            )
    return None


def _first_of_each_task(answers: Sequence[Message]) -> list[Message]:
    """A start that was done again may be refused although the child has answered."""
    by_task: dict[int, Message] = {}
    for answer in answers:
        by_task.setdefault(getattr(answer.event, "task_id", -1), answer)
    return list(by_task.values())


def _events(
    turn: history.OrchestratorStarted,
    start: history.ExecutionStarted | None,
    termination: history.ExecutionTerminated,
    answers: Sequence[Message],
) -> tuple[HistoryEvent, ...]:
    end = history.ExecutionCompleted(
        timestamp=turn.timestamp, status=RuntimeStatus.TERMINATED, result=termination.reason
    )
    beginning: tuple[HistoryEvent, ...] = (turn,) if start is None else (turn, start)
    return (*beginning, termination, *(answer.event for answer in answers), end)
