"""What an inbox says about the effects of the last batch: which were done, and which were not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from host.core import history
from host.core.ledger import Ledger
from host.core.records import Message, Start

_ANSWERS = (history.SubOrchestrationInstanceCompleted, history.SubOrchestrationInstanceFailed)


def undeleted(ledger: Ledger, inbox: Iterable[Message]) -> tuple[str, ...]:
    """The messages that turns have consumed and nobody has deleted."""
    return tuple(each.message_id for each in inbox if ledger.has_consumed(each))


def to_start(
    starts: Sequence[Start], execution_id: str, inbox: Iterable[Message]
) -> tuple[Start, ...]:
    """The children that have not answered: one that has is over, and its id may be another's."""
    answered = {
        each.event.task_id
        for each in inbox
        if each.execution_id == execution_id and isinstance(each.event, _ANSWERS)
    }
    return tuple(
        start
        for start in starts
        if start.instance.parent is None or start.instance.parent.task_id not in answered
    )
