"""What row and inbox say about the effects of the last batch: which were done, which were not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from host.core import history
from host.core.effects import NOTHING, Outbound, outbound_of
from host.core.history import Batch
from host.core.ledger import Ledger
from host.core.projection import is_row_behind
from host.core.records import Instance, Message, Start

_ANSWERS = (history.SubOrchestrationInstanceCompleted, history.SubOrchestrationInstanceFailed)


def undeleted(ledger: Ledger, inbox: Iterable[Message]) -> tuple[str, ...]:
    """The messages that turns have consumed and nobody has deleted."""
    return tuple(each.message_id for each in inbox if ledger.has_consumed(each))


def unsent(row: Instance, ledger: Ledger, batch: Batch) -> Outbound:
    """What the last batch sends, unless the stored row says that it was sent."""
    return outbound_of(row, ledger, batch.events) if is_row_behind(row, ledger) else NOTHING


def has_answered(task_id: int, execution_id: str, inbox: Iterable[Message]) -> bool:
    """Whether the end of this child is in the inbox."""
    return any(
        each.execution_id == execution_id
        and isinstance(each.event, _ANSWERS)
        and each.event.task_id == task_id
        for each in inbox
    )


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
