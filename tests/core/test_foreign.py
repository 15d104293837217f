"""Nothing of an instance that comes from outside is taken on trust."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bindings.client import RuntimeStatus
from bindings.errors import FunchostError, InvalidArgumentError
from host.core import exported, foreign, history
from host.core.converter import Converter
from host.core.history import Batch
from host.core.ids import next_execution_id
from host.core.records import LET_GO, Snapshot, StoredBatch
from tests.contract import builders as b

CONVERTER = Converter(1000)
LATER = b.at(100)


def turn(*events: Any, number: int = 0, execution_id: str = "e1") -> StoredBatch:
    begun = history.OrchestratorStarted(timestamp=b.at(number))
    batch = Batch(events=(begun, *events))
    return StoredBatch(execution_id=execution_id, number=number, batch=batch)


def began(execution_id: str = "e1", **fields: Any) -> history.ExecutionStarted:
    values: dict[str, Any] = {"timestamp": b.NOW, "name": "hello", "input": '["Tokyo"]'} | fields
    return history.ExecutionStarted(execution_id=execution_id, **values)


SCHEDULED = history.TaskScheduled(timestamp=b.at(0), task_id=1, name="act", input='"x"')
DONE = history.TaskCompleted(timestamp=b.at(1), task_id=1, result='"y"')
CHILD = history.SubOrchestrationInstanceCreated(
    timestamp=b.at(1), task_id=2, name="hello", instance_id="i:e1:0002"
)
SENT = history.EventSent(timestamp=b.at(1), task_id=3, instance_id="j", name="go")
END = history.ExecutionCompleted(timestamp=b.at(2), status=RuntimeStatus.COMPLETED, result='"done"')


def running() -> Snapshot:
    """One that has taken two turns, and waits for a child."""
    return Snapshot(
        instance=b.instance(status=b.RUNNING, last_number=1, updated_at=b.at(1)),
        batches=(turn(began(), SCHEDULED), turn(DONE, CHILD, SENT, number=1)),
        inbox=(b.message("m1"), b.message("m2")),
    )


def ended() -> Snapshot:
    row = b.finished(last_number=1, updated_at=b.at(2))
    return Snapshot(instance=row, batches=(turn(began(), SCHEDULED), turn(DONE, END, number=1)))


def continued() -> Snapshot:
    """One whose row has not moved on yet."""
    later = next_execution_id("e1")
    again = history.ContinueAsNew(timestamp=b.at(1), input="2")
    started = began(later, generation=1, input="2")
    return Snapshot(
        instance=b.instance(status=b.RUNNING, last_number=0),
        batches=(turn(began(), again), turn(started, execution_id=later)),
    )


def moved_on() -> Snapshot:
    """One that continues in another version."""
    later = next_execution_id("e1")
    again = history.ContinueAsNew(timestamp=b.at(1), input="2", version="2")
    started = began(later, generation=1, input="2", version="2")
    return Snapshot(
        instance=b.instance(status=b.RUNNING, last_number=0),
        batches=(turn(began(), again), turn(started, execution_id=later)),
    )


def pending() -> Snapshot:
    return Snapshot(instance=b.instance())


@pytest.mark.parametrize("make", [running, ended, continued, moved_on, pending])
def test_what_a_hub_exports_passes(make: Callable[[], Snapshot]) -> None:
    read = exported.from_line(exported.to_line(make()))
    foreign.check(read, CONVERTER)
    planted = foreign.planted(read, LATER)
    assert planted.instance.status is make().instance.status
    assert planted.batches == make().batches
    assert planted.wake_at == (None if make is ended else LATER)


def test_what_was_held_against_it_is_forgotten_and_who_had_its_activities() -> None:
    held = b.instance(
        status=b.RUNNING, last_number=0, tries=3, is_quarantined=True, blocked_reason="Q"
    )
    leases = (b.lease(1, "host-a"), b.lease(7, "host-a"))
    snapshot = Snapshot(instance=held, batches=(turn(began(), SCHEDULED),), leases=leases)
    read = exported.from_line(exported.to_line(snapshot))
    foreign.check(read, CONVERTER)
    planted = foreign.planted(read, LATER)
    row = planted.instance
    assert (row.tries, row.is_quarantined, row.blocked_reason) == (0, False, None)
    assert [(x.task_id, x.owner, x.expires_at) for x in planted.leases] == [(1, LET_GO, LATER)]


def test_a_row_says_what_its_history_says() -> None:
    said = json.loads(exported.to_line(ended()))
    said["instance"]["output"] = '"lie"'
    read = exported.from_line(json.dumps(said))
    foreign.check(read, CONVERTER)
    assert foreign.planted(read, LATER).instance.output == '"done"'


def test_a_suspension_comes_before_all_that_waits() -> None:
    planted = foreign.planted(running(), LATER, is_held=True)
    first, *rest = planted.inbox
    assert isinstance(first.event, history.ExecutionSuspended)
    assert tuple(rest) == running().inbox
    assert foreign.planted(ended(), LATER, is_held=True).inbox == ()


ROW, EVENTS = ["instance"], ["history", 0, "batch", "events"]
FIRST, STARTED, TASK = [*EVENTS, 0], [*EVENTS, 1], [*EVENTS, 2]
SECOND = ["history", 1, "batch", "events"]
DEEP = "[" * 300 + "]" * 300
GONE = object()

HOSTILE: list[tuple[str, list[Any], Any]] = [
    ("an id with a slash", [*ROW, "instance_id"], "a/b"),
    ("an empty id", [*ROW, "instance_id"], ""),
    ("a long id", [*ROW, "instance_id"], "x" * 257),
    ("an entity's id", [*ROW, "instance_id"], "@a@b"),
    ("a control character", [*ROW, "instance_id"], "a\nb"),
    ("no name", [*ROW, "name"], ""),
    ("a long name", [*ROW, "name"], "x" * 2000),
    ("another name", [*ROW, "name"], "other"),
    ("another name of the start", [*STARTED, "name"], "other"),
    ("tags of another type", [*ROW, "tags"], {"": "x"}),
    ("tags that the start has not", [*ROW, "tags"], {"a": "x"}),
    ("many tags", [*ROW, "tags"], {str(n): "x" for n in range(200)}),
    ("a long version", [*ROW, "version"], "x" * 2000),
    ("a parent that the start has not", [*ROW, "parent"], {
        "instance_id": "p", "execution_id": "e", "task_id": 1}),
    ("an execution's id for other keys", [*ROW, "execution_id"], "e1#0"),
    ("no execution's id", [*ROW, "execution_id"], ""),
    ("another execution", [*ROW, "execution_id"], "e2"),
    ("a strange execution of the start", [*STARTED, "execution_id"], "e.1"),
    ("a run's id for other keys", [*ROW, "first_execution_id"], "a#b"),
    ("another generation", [*ROW, "generation"], 3),
    ("no generation", [*ROW, "generation"], -5),
    ("a turn that is not there", [*ROW, "turn"], 2),
    ("a turn far away", [*ROW, "turn"], 2**70),
    ("a rewind that is not there", [*ROW, "rewinds"], 1),
    ("an end that is not there", [*ROW, "status"], "Completed"),
    ("a time without a zone", [*ROW, "created_at"], "2026-01-01T00:00:00"),
    ("a time of another zone", [*ROW, "created_at"], "2026-01-01T00:00:00+02:00"),
    ("a time long ago", [*ROW, "created_at"], "0001-01-01T00:00:00Z"),
    ("a time far away", [*FIRST, "timestamp"], "9999-12-31T23:59:59Z"),
    ("an input that is no JSON", [*ROW, "input"], "{"),
    ("an empty input", [*ROW, "input"], ""),
    ("NaN", [*TASK, "input"], "NaN"),
    ("a deep payload", [*TASK, "input"], DEEP),
    ("a long payload", [*TASK, "input"], '"' + "x" * 2000 + '"'),
    ("a result that is no JSON", [*SECOND, 1, "result"], "nothing"),
    ("a custom status that is no JSON", [*ROW, "custom_status"], "on"),
    ("a task far away", [*TASK, "task_id"], 2**63),
    ("a task below nothing", [*TASK, "task_id"], -7),
    ("a child with a slash", [*SECOND, 2, "instance_id"], "a/b"),
    ("nobody to send to", [*SECOND, 3, "instance_id"], ""),
    ("no history", ["history"], []),
    ("a gap", ["history", 1, "number"], 2),
    ("a batch twice", ["history", 1, "number"], 0),
    ("a batch of another execution", ["history", 1, "execution_id"], "e9"),
    ("a turn without events", SECOND, []),
    ("a turn that does not begin", [*SECOND, 0], GONE),
    ("an execution that does not begin", STARTED, GONE),
    ("an execution that begins twice", [*SECOND, 1], {
        "type": 0, "timestamp": "2026-01-01T00:00:00Z", "name": "hello", "execution_id": "e1"}),
    ("an end before the end", [*SECOND, 1], {
        "type": 1, "timestamp": "2026-01-01T00:00:00Z", "status": "Completed"}),
    ("a message twice", ["inbox", 1, "message_id"], "m1"),
    ("a message without an id", ["inbox", 1, "message_id"], ""),
    ("a message's id for other keys", ["inbox", 1, "message_id"], "a b"),
    ("a message that is none", ["inbox", 1, "event", "type"], 0),
    ("an activity twice", ["begun"], [{"execution_id": "e1", "task_id": 1}] * 2),
    ("an activity of a strange execution", ["begun"], [{"execution_id": "a#b", "task_id": 1}]),
    ("what another left", ["unawaited"], [{
        "instance_id": "other", "execution_id": "e1", "task_id": 1, "owner": "x",
        "expires_at": "2026-01-01T00:00:00Z"}]),
    ("consumed ids for other keys", ["history", 0, "batch", "consumed"], ["a b"]),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value"), [pytest.param(p, v, id=n) for n, p, v in HOSTILE])
def test_what_is_hostile_is_refused(path: list[Any], value: Any) -> None:
    said = json.loads(exported.to_line(running()))
    place = said
    for each in path[:-1]:
        place = place[each]
    if value is GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = copy.deepcopy(value)
    with pytest.raises(InvalidArgumentError):
        foreign.check(exported.from_line(json.dumps(said)), CONVERTER)


BEGUN_LATER = ["history", 1, "batch", "events", 1]

CONTRADICTIONS: list[tuple[str, Callable[[], Snapshot], list[Any], Any]] = [
    ("no execution's id before the first turn", pending, [*ROW, "execution_id"], ""),
    ("a generation before the first turn", pending, [*ROW, "generation"], 1),
    ("a generation below nothing", pending, [*ROW, "generation"], -1),
    ("a rewind before the first turn", pending, [*ROW, "rewinds"], 1),
    ("a rewind below nothing", pending, [*ROW, "rewinds"], -1),
    ("tries below nothing", pending, [*ROW, "tries"], -1),
    ("a turn before the first turn", pending, [*ROW, "turn"], 0),
    ("an end before the first turn", pending, [*ROW, "status"], "Completed"),
    ("a run that it never continued", pending, [*ROW, "first_execution_id"], "e0"),
    ("another run than its first execution", running, [*ROW, "first_execution_id"], "e0"),
    ("a status that no instance has", pending, [*ROW, "status"], "ContinuedAsNew"),
    ("a status that no started one has", running, [*ROW, "status"], "ContinuedAsNew"),
    ("a status of the execution before", continued, [*ROW, "status"], "ContinuedAsNew"),
    ("a status of an ended one", ended, [*ROW, "status"], "ContinuedAsNew"),
    ("itself as its parent", pending, [*ROW, "parent"], {
        "instance_id": "i", "execution_id": "e", "task_id": 1}),
    ("a parent without an execution", pending, [*ROW, "parent"], {
        "instance_id": "p", "execution_id": "", "task_id": 1}),
    ("a rewind of an ended one", ended, [*ROW, "rewinds"], 1),
    ("an execution that continues with tags", continued, [*BEGUN_LATER, "tags"], {"a": "x"}),
    ("an execution that continues with a version", continued, [*BEGUN_LATER, "version"], "2"),
    ("an execution that continues in no other version", moved_on, [*BEGUN_LATER, "version"], "1"),
    ("a next version that is none", moved_on, [*EVENTS, 2, "version"], "x" * 2000),
    ("an execution that continues as a child", continued, [*BEGUN_LATER, "parent"], {
        "instance_id": "p", "execution_id": "e", "task_id": 1}),
    ("an execution that continues far away", continued, [*BEGUN_LATER, "generation"], 7),
    ("an execution that continues another function", continued, [*BEGUN_LATER, "name"], "other"),
    ("work for nobody of another task", running, ["unawaited"], [{
        "instance_id": "i", "execution_id": "e1", "task_id": 1, "owner": "x",
        "expires_at": "2026-01-01T00:00:00Z", "scheduled": {
            "type": 4, "timestamp": "2026-01-01T00:00:00Z", "task_id": 2, "name": "act"}}]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "path", "value"), [pytest.param(m, p, v, id=n) for n, m, p, v in CONTRADICTIONS]
)
def test_what_contradicts_itself_is_refused(
    make: Callable[[], Snapshot], path: list[Any], value: Any
) -> None:
    said = json.loads(exported.to_line(make()))
    place = said
    for each in path[:-1]:
        place = place[each]
    place[path[-1]] = value
    with pytest.raises(InvalidArgumentError):
        foreign.check(exported.from_line(json.dumps(said)), CONVERTER)


FAR = "8000-01-01T00:00:00Z"
EARLY = "1999-01-01T00:00:00Z"

MENDED: list[tuple[str, Callable[[], Snapshot], str, Any, str, Any]] = [
    ("an input", running, "input", '"lie"', "input", '["Tokyo"]'),
    ("the input of an ended one", ended, "input", '"lie"', "input", '["Tokyo"]'),
    ("the way that a name is written", running, "name", "HELLO", "name", "hello"),
    ("a turn that an ended one has left", ended, "turn", 0, "last_number", 1),
    ("an output without an end", running, "output", '"lie"', "output", None),
    ("that a begun one has not begun", running, "status", "Pending", "status", b.RUNNING),
    ("that one has begun", pending, "status", "Running", "status", b.PENDING),
    ("that one is held", running, "status", "Suspended", "status", b.RUNNING),
    ("a creation that is to come", pending, "created_at", FAR, "created_at", LATER),
    ("a change that is to come", ended, "updated_at", FAR, "updated_at", LATER),
    ("a change before it was created", ended, "updated_at", EARLY, "updated_at", b.NOW),
    ("a start to come of a begun one", running, "scheduled_start_at", FAR,
     "scheduled_start_at", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "name", "value", "field", "true"),
    [pytest.param(m, n, v, f, t, id=i) for i, m, n, v, f, t in MENDED],
)
def test_what_the_history_knows_better_is_mended(
    make: Callable[[], Snapshot], name: str, value: Any, field: str, true: Any
) -> None:
    said = json.loads(exported.to_line(make()))
    said["instance"][name] = value
    read = exported.from_line(json.dumps(said))
    foreign.check(read, CONVERTER)
    planted = foreign.planted(read, LATER)
    assert getattr(planted.instance, field) == true
    assert planted.wake_at == (None if make is ended else LATER)


@pytest.mark.parametrize("status", ["Running", "Pending", "Failed"])
def test_a_row_that_its_end_does_not_lead_to(status: str) -> None:
    said = json.loads(exported.to_line(ended()))
    said["instance"]["status"] = status
    read = exported.from_line(json.dumps(said))
    if status == "Failed":
        with pytest.raises(InvalidArgumentError):
            foreign.check(read, CONVERTER)
        return
    foreign.check(read, CONVERTER)  # its host may have died before the row said so
    assert foreign.planted(read, LATER).instance.status is RuntimeStatus.RUNNING


def test_one_execution_follows_another_only_as_it_said() -> None:
    said = json.loads(exported.to_line(continued()))
    del said["history"][0]["batch"]["events"][-1]
    with pytest.raises(InvalidArgumentError, match="did not continue as new"):
        foreign.check(exported.from_line(json.dumps(said)), CONVERTER)


def test_a_deep_failure_is_refused_or_taken_and_nothing_else() -> None:
    line = exported.to_line(ended()).replace(b'"output"', b'"failure":F,"output"')
    text = line.replace(b"F", _nested(5000))
    with suppress(FunchostError):
        foreign.check(exported.from_line(text), CONVERTER)


def _nested(depth: int) -> bytes:
    head = b'{"error_type":"E","message":"m","cause":'
    return head * depth + b"null" + b"}" * depth


def test_what_an_earlier_version_has_exported_is_read() -> None:
    """The file is kept for ever: whatever is stored differently by now is still taken in."""
    file = Path(__file__).parents[1] / "golden" / "exported.ndjson"
    for line, make in zip(
        file.read_bytes().splitlines(), (running, ended, continued, pending), strict=True
    ):
        read = exported.from_line(line)
        foreign.check(read, CONVERTER)
        assert read == make()


def test_times_are_kept() -> None:
    row = b.instance(scheduled_start_at=LATER + timedelta(hours=1))
    planted = foreign.planted(Snapshot(instance=row), LATER)
    assert planted.wake_at == row.scheduled_start_at
