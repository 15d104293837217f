"""An instance as a line of JSON says all that it needs elsewhere, and takes nothing on trust."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindings.errors import InvalidArgumentError
from host.core import exported, foreign, history
from host.core.converter import Converter
from host.core.history import EVENT_TYPES, Batch
from host.core.ids import next_execution_id
from host.core.records import ANYBODY, LET_GO, Snapshot, StoredBatch
from tests.contract import builders as b
from tests.kit import event_strategies as strategies


def snapshot(**fields: Any) -> Snapshot:
    scheduled = history.TaskScheduled(timestamp=b.at(0), task_id=1, name="act", input='"x"')
    batch = Batch(events=b.events(scheduled), consumed=("m9",))
    values: dict[str, Any] = {
        "instance": b.instance(status=b.RUNNING, last_number=0, tags={"a": "b"}),
        "batches": (StoredBatch(execution_id="e1", number=0, batch=batch),),
        "inbox": (b.message(),),
    }
    return Snapshot(**(values | fields))


@settings(max_examples=25)
@given(
    st.builds(
        Snapshot,
        instance=strategies.instances,
        inbox=st.lists(strategies.messages, max_size=2).map(tuple),
    ),
    st.lists(strategies.batches, max_size=3),
)
def test_what_is_written_is_read(bare: Snapshot, batches: list[Batch]) -> None:
    execution_id = bare.instance.execution_id
    stored = tuple(
        StoredBatch(execution_id=execution_id, number=number, batch=batch)
        for number, batch in enumerate(batches)
    )
    whole = msgspec.structs.replace(bare, batches=stored)
    line = exported.to_line(whole)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert exported.from_line(line) == whole


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_kind_of_event_is_written_and_read(kind: type[Any]) -> None:
    @settings(max_examples=10)
    @given(strategies.event_of(kind))
    def check(event: Any) -> None:
        batch = StoredBatch(execution_id="e1", number=0, batch=Batch(events=(event,)))
        whole = snapshot(batches=(batch,))
        assert exported.from_line(exported.to_line(whole)) == whole

    check()


def test_who_runs_what_and_when_it_is_woken_is_left_out() -> None:
    leases = (b.lease(1, "host-a"), b.lease(2, ANYBODY), b.lease(3, LET_GO))
    read = exported.from_line(exported.to_line(snapshot(leases=leases, wake_at=b.at(5))))
    assert read.wake_at is None
    assert [(each.task_id, each.owner) for each in read.leases] == [(1, LET_GO), (3, LET_GO)]


def test_when_it_was_imported_is_left_out() -> None:
    row = b.instance(imported_at=b.at(5))
    assert exported.from_line(exported.to_line(Snapshot(instance=row))).instance == b.instance()


def test_what_nobody_waits_for_is_there() -> None:
    left = b.unawaited(3, owner="host-a").lease
    read = exported.from_line(exported.to_line(snapshot(leases=(left,))))
    assert [each.scheduled for each in read.leases] == [left.scheduled]


def test_executions_that_the_row_has_left_behind_stay_where_they_are() -> None:
    later = next_execution_id("e1")
    batches = [
        StoredBatch(execution_id=each, number=0, batch=Batch(events=b.events()))
        for each in ("e0", "e1", later)
    ]
    read = exported.from_line(exported.to_line(snapshot(batches=tuple(batches))))
    assert [each.execution_id for each in read.batches] == ["e1", later]


def changed(path: list[Any], value: Any) -> bytes:
    said = json.loads(exported.to_line(snapshot()))
    place = said
    for each in path[:-1]:
        place = place[each]
    place[path[-1]] = value
    return json.dumps(said).encode()


EVENT = ["history", 0, "batch", "events", 0]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(b"", "not JSON", id="nothing"),
        pytest.param(b"{", "not JSON", id="cut off"),
        pytest.param(b"\xff", "not JSON", id="no UTF-8"),
        pytest.param(b"[" * 100_000, "not JSON", id="deep"),
        pytest.param(b'{"a":' * 100_000, "not JSON", id="deep objects"),
        pytest.param(b"[" + b"{}," * 1_000_001, "more than 1,000,000 values", id="many values"),
        pytest.param(b"[]", "no exported instance", id="a list"),
        pytest.param(b'{"instanceId": "i"}', "names no format", id="no format"),
        pytest.param(b'{"format": true}', "names no format", id="a flag"),
        pytest.param(b'{"format": 2}', "a newer version", id="a newer format"),
        pytest.param(b'{"format": 1}', "missing required field", id="no row"),
        pytest.param(b'{"format": 1, "instance": NaN}', "not JSON", id="NaN"),
        pytest.param(changed(["instance", "status"], "Odd"), "Invalid enum value", id="status"),
        pytest.param(changed(["instance", "status"], 1), "Expected `str`", id="type"),
        pytest.param(changed(["new"], 1), "'new' at its top.*newer version", id="member"),
        pytest.param(
            changed(["instance", "new"], 1), "'new' at .instance, .*newer", id="member of a row"
        ),
        pytest.param(changed([*EVENT, "new"], 1), "'new' at .history", id="member of an event"),
        pytest.param(changed([*EVENT, "type"], 99), "Invalid value 99", id="event"),
        pytest.param(changed([*EVENT, "type"], [1]), "Expected `int`", id="list for an event"),
        pytest.param(changed([*EVENT, "timestamp"], "now"), "Invalid RFC3339", id="time"),
        pytest.param(
            exported.unreadable_line("i", "its row is damaged"), "its row is damaged", id="error"
        ),
    ],
)
def test_what_is_no_exported_instance_is_refused(line: bytes, reason: str) -> None:
    with pytest.raises(InvalidArgumentError, match=reason):
        exported.from_line(line)


ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**70,
    0.5,
    "",
    "x",
    [],
    [1],
    [[]],
    {},
    {"a": 1},
    {"type": {}},
)


def places(said: Any, path: tuple[Any, ...] = ()) -> Iterator[list[Any]]:
    """The place of each value in JSON."""
    if path:
        yield list(path)
    inside: Any = enumerate(said) if isinstance(said, list) else ()
    if isinstance(said, dict):
        inside = said.items()
    for name, each in inside:
        yield from places(each, (*path, name))


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_whatever_stands_anywhere_the_line_is_read_or_refused(odd: Any) -> None:
    for place in places(json.loads(exported.to_line(snapshot()))):
        try:
            found = exported.from_line(changed(place, odd))
            foreign.check(found, Converter())
        except InvalidArgumentError:
            continue
        assert found.instance.instance_id


def test_the_id_is_told_as_far_as_it_can_be_read() -> None:
    assert exported.instance_id_of(exported.to_line(snapshot())) == "i"
    assert exported.instance_id_of(exported.unreadable_line("j", "x")) == "j"
    assert exported.instance_id_of(changed(["instance", "status"], 1)) == "i"
    assert exported.instance_id_of(b"{") is None
    assert exported.instance_id_of(b'{"format": 1, "instance": {"instance_id": 3}}') is None
