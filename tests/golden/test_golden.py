"""Golden histories: what was once stored is understood for ever, and leads to the same place."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from host.core import codec
from host.core.codec import CodecError
from host.core.history import Batch
from host.core.history_json import history_to_json
from host.core.live_instance import LiveInstance
from host.core.records import Commit, Effects, Message, Snapshot, StoredBatch
from host.core.rewinding import rewind
from host.storage.sqlite import sealed
from tests.golden.recording import (
    FOLDER,
    JsonObject,
    history_of,
    load,
    meaning,
    moment_of,
    no_stacks,
    read_result,
    record,
    write,
)
from tests.golden.scenes import SCENES

FILES = sorted(FOLDER.glob("*.json"))

pytestmark = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def read(file: Path) -> JsonObject:
    found: JsonObject = json.loads(file.read_text(encoding="utf-8"))
    return found


def snapshot_of(golden: JsonObject, stored: JsonObject) -> Snapshot:
    """What a store would give for this."""
    instance_id: str = stored["instance_id"]
    items = {key: base64.b64decode(text) for key, text in golden["items"].items()}
    return Snapshot(
        instance=sealed.open_instance(items[stored["row"]], instance_id),
        batches=sealed.open_batches(
            ((id_, number, items[key]) for id_, number, key in stored["batches"]), instance_id
        ),
        inbox=messages_of(golden, instance_id, stored["inbox"]),
        wake_at=moment_of(stored["alarm"]),
    )


def messages_of(golden: JsonObject, instance_id: str, ids: list[str]) -> tuple[Message, ...]:
    return tuple(
        sealed.open_message(base64.b64decode(golden["items"][id_]), instance_id, id_) for id_ in ids
    )


def batch_of(golden: JsonObject, instance_id: str, execution_id: str, number: int) -> Batch:
    text = golden["items"][f"{execution_id}/{number}"]
    return sealed.open_batch(base64.b64decode(text), instance_id, execution_id, number)


def test_what_was_stored_after_every_turn_is_replayed_to_what_it_meant(file: Path) -> None:
    golden = read(file)
    assert golden["turns"]
    for turn in golden["turns"]:
        snapshot = snapshot_of(golden, turn["stored"])
        assert history_of(snapshot) == turn["history"]
        assert meaning(load(snapshot)) == turn["means"]


def test_the_code_goes_on_from_every_turn_as_it_did(file: Path) -> None:
    golden = read(file)
    for before, after in zip(golden["turns"], golden["turns"][1:], strict=False):
        snapshot = snapshot_of(golden, before["stored"])
        instance_id = before["stored"]["instance_id"]
        if "rewind" in after:
            assert rewound_as(snapshot, after) == snapshot_of(golden, after["stored"]).batches[-1]
            continue
        live = load(snapshot)
        with no_stacks():
            outcome = take_turn(live, golden, instance_id, after)
        assert meaning(live) == after["means"]
        if isinstance(outcome, Commit):
            recorded = batch_of(golden, instance_id, outcome.execution_id, outcome.number)
            assert deeds_of(outcome.batch) == deeds_of(recorded)


def rewound_as(snapshot: Snapshot, turn: JsonObject) -> StoredBatch:
    at = moment_of(turn["at"])
    assert at is not None
    commit = rewind(snapshot, at, turn["rewind"])
    return StoredBatch(execution_id=commit.execution_id, number=commit.number, batch=commit.batch)


def take_turn(
    live: LiveInstance, golden: JsonObject, instance_id: str, turn: JsonObject
) -> Commit | Effects | None:
    at = moment_of(turn["at"])
    assert at is not None
    inbox = messages_of(golden, instance_id, turn["inbox"])
    return live.turn(at, inbox, [read_result(text) for text in turn["results"]])


_DEEDS = (
    "TaskScheduled",
    "SubOrchestrationInstanceCreated",
    "TimerCreated",
    "EventSent",
    "ContinueAsNew",
    "ExecutionCompleted",
)


def deeds_of(batch: Batch) -> list[JsonObject]:
    """What the code did in a turn."""
    return [event for event in history_to_json(batch.events) if event["EventType"] in _DEEDS]


def without_format(golden: JsonObject) -> JsonObject:
    """The recording, its items in the first format: without checksums."""
    return golden | {
        "items": {
            key: base64.b64encode(b"\x01" + base64.b64decode(text)[5:]).decode()
            for key, text in golden["items"].items()
        }
    }


def test_items_of_the_first_format_mean_the_same(file: Path) -> None:
    golden = read(file)
    assert golden["codec_format"] == 2
    for turn in without_format(golden)["turns"]:
        snapshot = snapshot_of(without_format(golden), turn["stored"])
        assert meaning(load(snapshot)) == turn["means"]


def test_items_of_a_later_format_are_refused_by_its_number(file: Path) -> None:
    for text in read(file)["items"].values():
        later = b"\x63" + base64.b64decode(text)[1:]
        with pytest.raises(CodecError, match=r"Unknown format 99, this version knows 1 to \d+"):
            codec.decode_batch(later)


def test_what_is_golden_is_never_recorded_again(file: Path) -> None:
    (scene,) = (scene for scene in SCENES if scene.name == file.stem)
    before = file.read_bytes()
    with pytest.raises(FileExistsError):
        write(file, record(scene))
    assert file.read_bytes() == before
