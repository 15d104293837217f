"""Arbitrary history events, batches, messages and rows, for property tests."""

from __future__ import annotations

from datetime import UTC
from typing import Any, get_args

from hypothesis import strategies as st

from bindings.client import RuntimeStatus
from bindings.errors import FailureDetails
from host.core import history
from host.core.history import Batch, HistoryEvent, ParentInstance
from host.core.records import Instance, Message
from host.core.trace import TraceContext

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
payloads = st.none() | texts
times = st.datetimes(timezones=st.just(UTC))
task_ids = st.integers(min_value=0, max_value=2**63)
tags = st.dictionaries(texts, texts, max_size=3)
statuses = st.sampled_from(RuntimeStatus)
failures: st.SearchStrategy[FailureDetails] = st.recursive(
    st.builds(FailureDetails, error_type=texts, message=texts, cause=st.none()),
    lambda cause: st.builds(
        FailureDetails,
        error_type=texts,
        message=texts,
        stack_trace=texts,
        cause=cause,
        is_non_retriable=st.booleans(),
        notes=st.lists(texts, max_size=2).map(tuple),
        sub_failures=st.lists(cause, max_size=2).map(tuple),
    ),
    max_leaves=4,
)
parents = st.builds(
    ParentInstance, instance_id=texts, execution_id=texts, task_id=task_ids, name=texts
)
raised = st.builds(history.EventRaised, timestamp=times, name=texts, input=payloads)
tasks = st.builds(
    history.TaskScheduled, timestamp=times, task_id=task_ids, name=texts, input=payloads
)
delayed = st.builds(history.DelayedSignal, due=times, operation=texts, input=payloads)

_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "timestamp": times,
    "fire_at": times,
    "scheduled_start_at": st.none() | times,
    "task_id": task_ids,
    "attempt": st.integers(min_value=1, max_value=2**31),
    "first_id": st.none() | st.integers(min_value=0, max_value=2**31),
    "max_attempts": st.integers(min_value=1, max_value=2**31),
    "cut": st.integers(min_value=0, max_value=2**31),
    "last_task_id": task_ids,
    "again": st.dictionaries(task_ids, task_ids, max_size=3),
    "cause": texts,
    "on_grant": st.lists(tasks, max_size=2).map(tuple),
    "generation": st.integers(min_value=0, max_value=2**31),
    "name": texts,
    "execution_id": texts,
    "instance_id": texts,
    "version": payloads,
    "input": payloads,
    "result": payloads,
    "tags": tags,
    "status": statuses,
    "failure": failures,
    "parent": st.none() | parents,
    "recursive": st.booleans(),
    "carryover": st.lists(raised, max_size=3).map(tuple),
    "operation": texts,
    "scheduled_at": st.none() | times,
    "caller": st.none() | parents,
    "number": st.integers(min_value=0, max_value=2**31),
    "state": payloads,
    "delayed": st.lists(delayed, max_size=3).map(tuple),
    "recent": st.lists(texts, max_size=3).map(tuple),
    "lock": st.none() | st.builds(history.EntityLock, holder=parents, since=times),
    "section": task_ids,
    "trace": st.none()
    | st.builds(
        TraceContext,
        trace_id=texts,
        parent_id=texts,
        linked_trace_id=texts,
        linked_span_id=texts,
        is_sampled=st.booleans(),
    ),
    "entities": st.lists(texts, max_size=3).map(tuple),
    "position": st.integers(min_value=0, max_value=100),
    "rest": st.lists(texts, max_size=3).map(tuple),
}
_SPECIAL: dict[tuple[type[Any], str], st.SearchStrategy[Any]] = {
    (history.ExecutionCompleted, "failure"): st.none() | failures,
    (history.ExecutionTerminated, "reason"): payloads,
    (history.ExecutionSuspended, "reason"): texts,
    (history.ExecutionResumed, "reason"): texts,
    (history.ExecutionRewound, "reason"): texts,
    (history.CustomStatusSet, "status"): payloads,
}


def event_of(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Any event of one kind, all its fields arbitrary."""
    fields = {
        name: _SPECIAL[kind, name] if (kind, name) in _SPECIAL else _FIELDS[name]
        for name in kind.__struct_fields__
    }
    return st.builds(kind, **fields)


events: st.SearchStrategy[HistoryEvent] = st.one_of(
    [event_of(kind) for kind in history.EVENT_TYPES]
)
batches = st.builds(
    Batch,
    events=st.lists(events, max_size=5).map(tuple),
    consumed=st.lists(texts, max_size=3).map(tuple),
    awaited=st.lists(texts, max_size=3).map(tuple),
    let_go=st.lists(task_ids, max_size=3).map(tuple),
)
messages = st.builds(
    Message,
    message_id=texts,
    event=st.one_of([event_of(kind) for kind in get_args(history.InboxEvent)]),
    execution_id=payloads,
)
instances = st.builds(
    Instance,
    instance_id=texts,
    execution_id=texts,
    name=texts,
    status=statuses,
    created_at=times,
    updated_at=times,
    generation=st.integers(min_value=0, max_value=2**31),
    input=payloads,
    output=payloads,
    custom_status=payloads,
    failure=st.none() | failures,
    version=payloads,
    tags=tags,
    parent=st.none() | parents,
    scheduled_start_at=st.none() | times,
    blocked_reason=payloads,
)
