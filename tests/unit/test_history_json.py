"""The raw history as JSON, and the folded form that the status API shows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bindings.client import RuntimeStatus
from bindings.errors import FailureDetails
from host.core import history
from host.core.history import EVENT_TYPES, HistoryEvent, ParentInstance
from host.core.history_json import (
    MAX_CAUSES_SHOWN,
    event_to_json,
    failure_to_json,
    history_to_json,
)
from host.http import raw_json
from host.http.management.history_view import Shown, view_history

START = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
FAILURE = FailureDetails(
    error_type="ValueError",
    message="bad",
    stack_trace="trace",
    cause=FailureDetails(error_type="KeyError", message="'x'"),
)

SECTION_OF = ParentInstance(instance_id="p", execution_id="pe", task_id=14, name="Parent")


def at(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def one_of_each() -> list[HistoryEvent]:
    parent = ParentInstance(instance_id="p", execution_id="pe", task_id=4, name="Parent")
    return [
        history.ExecutionStarted(
            timestamp=at(0), name="Main", execution_id="e", input='"in"', parent=parent
        ),
        history.OrchestratorStarted(timestamp=at(0)),
        history.TaskScheduled(timestamp=at(1), task_id=0, name="Act", input="1"),
        history.TaskCompleted(timestamp=at(2), task_id=0, result='{"a":1}'),
        history.TaskScheduled(timestamp=at(2), task_id=1, name="Bad", input="2"),
        history.TaskFailed(timestamp=at(3), task_id=1, failure=FAILURE),
        history.TaskScheduled(timestamp=at(3), task_id=2, name="Open", input="3"),
        history.SubOrchestrationInstanceCreated(
            timestamp=at(3), task_id=3, name="Sub", instance_id="s", input="4"
        ),
        history.SubOrchestrationInstanceCompleted(timestamp=at(4), task_id=3, result="5"),
        history.SubOrchestrationInstanceCreated(
            timestamp=at(4), task_id=5, name="Sub", instance_id="t"
        ),
        history.SubOrchestrationInstanceFailed(timestamp=at(5), task_id=5, failure=FAILURE),
        history.TimerCreated(timestamp=at(5), task_id=6, fire_at=at(6)),
        history.TimerFired(timestamp=at(6), task_id=6, fire_at=at(6)),
        history.EventSent(timestamp=at(6), task_id=7, instance_id="o", name="E", input="6"),
        history.EventRaised(timestamp=at(6), name="E", input="7"),
        history.ExecutionSuspended(timestamp=at(7), reason="wait"),
        history.ExecutionResumed(timestamp=at(8), reason="go"),
        history.CustomStatusSet(timestamp=at(8), status='"half"'),
        history.ExecutionTerminated(timestamp=at(8), reason='"stop"'),
        history.ExecutionRewound(
            timestamp=at(8), cut=1, last_task_id=9, reason="mended", again={2: 8, 6: 9}
        ),
        history.EntityOperationCalled(
            timestamp=at(8), task_id=10, instance_id="@e@k", operation="add", input="10"
        ),
        history.EntityOperationCompleted(timestamp=at(8), task_id=10, result="11"),
        history.EntityOperationCalled(
            timestamp=at(8), task_id=11, instance_id="@e@k", operation="bad"
        ),
        history.EntityOperationFailed(timestamp=at(8), task_id=11, failure=FAILURE),
        history.EntityOperationSignaled(
            timestamp=at(8),
            task_id=12,
            instance_id="@e@k",
            operation="add",
            input="12",
            scheduled_at=at(9),
        ),
        history.OrchestrationStartSent(
            timestamp=at(8), task_id=13, name="Other", instance_id="o2", input="13"
        ),
        history.EntityCheckpoint(
            timestamp=at(8),
            number=3,
            state="14",
            last_task_id=13,
            delayed=(history.DelayedSignal(due=at(9), operation="add", input="15"),),
            recent=("m1",),
            lock=history.EntityLock(holder=SECTION_OF, since=at(8)),
            tags={"town": "Rome"},
        ),
        history.EntityLockRequested(
            timestamp=at(8), task_id=14, entities=("@e@k", "@e@l"), position=1, parent=SECTION_OF
        ),
        history.EntityLockGranted(timestamp=at(8), task_id=14, caller=SECTION_OF),
        history.EntityUnlockSent(
            timestamp=at(8), task_id=15, section=14, instance_id="@e@k", rest=("@e@l",)
        ),
        history.ContinueAsNew(timestamp=at(9), input="8"),
        history.ExecutionCompleted(timestamp=at(9), status=RuntimeStatus.COMPLETED, result="9"),
    ]


def view(
    *, show_input: bool = True, show_output: bool = True, show_stacks: bool = True
) -> list[dict[str, Any]]:
    raw = history_to_json(one_of_each())
    show = Shown(input=show_input, output=show_output, stacks=show_stacks)
    events: list[dict[str, Any]] = json.loads(
        raw_json.to_json([event for _, event in view_history(raw, show)])
    )
    return events


def of_type(events: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (event,) = [event for event in events if event["EventType"] == name]
    return event


def test_every_event_type_has_a_json_form() -> None:
    events = one_of_each()
    assert {type(event) for event in events} == set(EVENT_TYPES)
    names = [event["EventType"] for event in history_to_json(events)]
    assert names == [type(event).__name__ for event in events]


def test_an_event_has_durable_tasks_members() -> None:
    assert event_to_json(one_of_each()[2]) == {
        "EventType": "TaskScheduled",
        "EventId": 0,
        "IsPlayed": False,
        "Timestamp": "2026-01-31T12:00:01.123456Z",
        "Name": "Act",
        "Version": None,
        "Input": "1",
    }


def test_an_operation_of_an_entity_is_folded_into_what_came_of_it() -> None:
    events = view()
    assert not [x for x in events if x["EventType"] == "EntityOperationCalled"]
    assert of_type(events, "EntityOperationCompleted") == {
        "EventType": "EntityOperationCompleted",
        "Timestamp": "2026-01-31T12:00:08.123456Z",
        "Result": 11,
        "ScheduledTime": "2026-01-31T12:00:08.123456Z",
        "Input": "10",
        "Operation": "add",
        "TargetInstanceId": "@e@k",
        "sequence": 22,
    }
    hidden = of_type(view(show_input=False, show_output=False), "EntityOperationCompleted")
    assert {"Input", "Result"}.isdisjoint(hidden)


def test_a_failure_carries_its_causes() -> None:
    failure = failure_to_json(FAILURE)
    assert failure is not None
    assert failure["ErrorType"] == "ValueError"
    assert failure["InnerFailure"]["ErrorType"] == "KeyError"
    assert failure["InnerFailure"]["InnerFailure"] is None


def test_of_very_many_causes_the_outermost_are_shown() -> None:
    failure = FailureDetails(error_type="E", message="0")
    for number in range(5000):
        failure = FailureDetails(error_type="E", message=str(number), cause=failure)
    written = failure_to_json(failure)
    assert written is not None
    assert written["ErrorMessage"] == "4999"
    assert json.dumps(written).count("ErrorMessage") == MAX_CAUSES_SHOWN + 1


def test_completed_tasks_are_folded_and_open_ones_stay() -> None:
    events = view()
    assert of_type(events, "TaskScheduled")["Name"] == "Open"
    assert of_type(events, "TaskCompleted") == {
        "EventType": "TaskCompleted",
        "Timestamp": "2026-01-31T12:00:02.123456Z",
        "Result": {"a": 1},
        "ScheduledTime": "2026-01-31T12:00:01.123456Z",
        "FunctionName": "Act",
        "Input": "1",
        "sequence": 4,
    }
    assert of_type(events, "TaskFailed")["FunctionName"] == "Bad"
    assert of_type(events, "SubOrchestrationInstanceCompleted")["FunctionName"] == "Sub"
    assert "SubOrchestrationInstanceCreated" not in [event["EventType"] for event in events]


def test_timers_show_both_events() -> None:
    events = view()
    assert of_type(events, "TimerCreated")["FireAt"] == "2026-01-31T12:00:06.123456Z"
    assert of_type(events, "TimerFired")["FireAt"] == "2026-01-31T12:00:06.123456Z"


def test_bookkeeping_is_left_out() -> None:
    events = view()
    assert "OrchestratorStarted" not in [event["EventType"] for event in events]
    members = {member for event in events for member in event}
    assert members.isdisjoint({"EventId", "IsPlayed", "TaskScheduledId", "TimerId", "Version"})
    assert of_type(events, "ExecutionRewound").keys() == {
        "EventType",
        "Timestamp",
        "Reason",
        "sequence",
    }


def test_the_start_names_its_function_only() -> None:
    started = of_type(view(), "ExecutionStarted")
    assert started["FunctionName"] == "Main"
    assert started["Input"] == '"in"'
    assert started.keys().isdisjoint({"OrchestrationInstance", "ParentInstance", "Tags", "Name"})


def test_results_are_shown_on_demand() -> None:
    hidden = view(show_output=False)
    for name in ("TaskCompleted", "SubOrchestrationInstanceCompleted", "ExecutionCompleted"):
        assert "Result" not in of_type(hidden, name)
    assert of_type(view(), "ExecutionCompleted")["Result"] == 9


def test_inputs_are_hidden_on_demand() -> None:
    assert all("Input" not in event for event in view(show_input=False))


@pytest.mark.parametrize("show_input", [True, False])
def test_the_raw_events_are_left_as_they_are(show_input: bool) -> None:
    raw = history_to_json(one_of_each())
    list(view_history(raw, Shown(input=show_input, output=True, stacks=False)))
    assert raw == history_to_json(one_of_each())
