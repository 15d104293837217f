"""Every kind of event is in every table that names kinds of events, or is left out knowingly.

A new kind fails here until each table has it, or this file says why not: otherwise it would be
stored and then not shown, not fed, or not counted as open.
"""

from collections.abc import Collection
from typing import Any, get_args

import pytest

from host.core import effects, history_json, history_reading
from host.core.executors import Deed
from host.core.history import EVENT_TYPES, HistoryEvent, InboxEvent
from host.core.ledger import Ledger
from host.core.replay.execution import Execution
from host.core.rewound import RewoundLedger

ALL = {kind.__name__ for kind in EVENT_TYPES}
OPENS_AND_ENDS_NOTHING = {
    "EventRaised",
    "EventSent",
    "ExecutionTerminated",
    "CustomStatusSet",
    "EntityOperationSignaled",
    "OrchestrationStartSent",
}
OF_ENTITIES = {"OrchestrationStartSent", "EntityCheckpoint"}
"""In no history of an orchestration."""
REWINDS = {"ExecutionRewound"}  # `RewoundLedger` has it: no turn pays for it
STAYS_INSIDE = {
    "OrchestratorStarted",
    "ExecutionStarted",
    "EventRaised",
    "TaskScheduled",  # an activity is handed out by the session, not by the batch
    "TaskCompleted",
    "TaskFailed",
    "TimerCreated",  # the instance's alarm says it
    "TimerFired",
    "SubOrchestrationInstanceCompleted",
    "SubOrchestrationInstanceFailed",
    "CustomStatusSet",
    "EntityCheckpoint",
}
WHERE_IT_COMES_FROM = {
    "the turn": {"OrchestratorStarted", "ExecutionStarted", "TimerFired"},
    "the inbox": {kind.__name__ for kind in set(get_args(InboxEvent)) - set(get_args(Deed))},
    "the code, of an entity too": {kind.__name__ for kind in get_args(Deed)},
    "an entity": OF_ENTITIES,
    "the end": {"ExecutionCompleted", "ContinueAsNew"},
    "who rewinds": {"ExecutionRewound"},
}


@pytest.mark.parametrize(
    ("table", "left_out"),
    [
        pytest.param(history_json.BODIES, set(), id="the history as clients see it"),
        pytest.param(history_reading.READERS, set(), id="what is read back from that"),
        pytest.param(Execution.handlers, OF_ENTITIES, id="what is fed to the code"),
        pytest.param(Ledger.entries, OPENS_AND_ENDS_NOTHING | REWINDS, id="what is open"),
        pytest.param(RewoundLedger.entries, OPENS_AND_ENDS_NOTHING, id="what is open once rewound"),
        pytest.param(effects.SENDING, STAYS_INSIDE, id="what is sent to others"),
    ],
)
def test_a_table_names_every_kind_of_event_that_it_does_not_leave_out_knowingly(
    table: Collection[type[Any]], left_out: set[str]
) -> None:
    named = {kind.__name__ for kind in table}
    assert named | left_out == ALL
    assert not named & left_out


def test_every_kind_of_event_comes_from_one_place() -> None:
    assert {kind.__name__ for kind in get_args(HistoryEvent)} == ALL
    kinds = [kind for place in WHERE_IT_COMES_FROM.values() for kind in place]
    assert sorted(kinds) == sorted(ALL)
