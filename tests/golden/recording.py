"""Golden files: what was stored of an instance after each turn, byte for byte, and what it means.

A file holds every item once and, for each turn, what came in and what was stored after it.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from host.core import codec, history
from host.core.converter import Converter
from host.core.executors import OrchestratorExecutor
from host.core.functions import FunctionCatalog
from host.core.history_json import failure_to_json, history_to_json, time_to_json
from host.core.incoming import ActivityResult
from host.core.live_instance import LiveInstance
from host.core.records import Commit, Effects, Message, Snapshot
from host.core.replay.in_process import InProcessExecutor
from host.storage.sqlite import sealed
from tests.golden import entity_functions, functions, http_functions
from tests.golden.scenes import Scene
from tests.kit.bench import Bench
from tests.kit.plain_catalog import PlainCatalog

FOLDER = Path(__file__).parent / "histories"
ORCHESTRATORS = (
    *functions.ORCHESTRATORS,
    *http_functions.ORCHESTRATORS,
    *entity_functions.ORCHESTRATORS,
)

JsonObject: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Recording:
    """The turns of one instance."""

    items: dict[str, str] = field(default_factory=dict)
    turns: list[JsonObject] = field(default_factory=list)


class RecordingBench(Bench):
    """A bench that writes down what came in, and what was stored then."""

    def __init__(self, scene: Scene, executor: OrchestratorExecutor | None = None) -> None:
        super().__init__(
            scene.orchestrator,
            *(each for each in ORCHESTRATORS if each is not scene.orchestrator),
            activities=functions.ACTIVITIES,
            input_=scene.input,
            executor=executor,
            **scene.row,
        )
        self.recording = Recording()

    def turn(self, *results: ActivityResult, seconds: float = 0) -> Commit | Effects | None:
        before = self.snapshot()
        outcome = super().turn(*results, seconds=seconds)
        if outcome is not None:
            self.recording.turns.append(
                {
                    "at": time_to_json(self.now),
                    "results": [_result_to_text(result) for result in results],
                    "inbox": self._keep_inbox(before.inbox),
                    "stored": self._keep(self.snapshot()),
                    "means": meaning(self.reload()),
                    "history": history_of(self.snapshot()),
                }
            )
        return outcome

    def rewind(self, reason: str = "") -> Commit:
        commit = super().rewind(reason)
        self.recording.turns.append(
            {
                "at": time_to_json(self.now),
                "rewind": reason,
                "stored": self._keep(self.snapshot()),
                "means": meaning(self.reload()),
                "history": history_of(self.snapshot()),
            }
        )
        return commit

    def _keep(self, snapshot: Snapshot) -> JsonObject:
        row, turn = snapshot.instance, len(self.recording.turns)
        batches = []
        for stored in snapshot.batches:
            key = f"{stored.execution_id}/{stored.number}"
            data = sealed.seal_batch(
                row.instance_id, stored.execution_id, stored.number, stored.batch
            )
            self.recording.items.setdefault(key, _text(data))
            batches.append([stored.execution_id, stored.number, key])
        self.recording.items[f"row after turn {turn}"] = _text(sealed.seal_instance(row))
        return {
            "instance_id": row.instance_id,
            "row": f"row after turn {turn}",
            "batches": batches,
            "inbox": self._keep_inbox(snapshot.inbox),
            "alarm": snapshot.wake_at and time_to_json(snapshot.wake_at),
        }

    def _keep_inbox(self, inbox: Sequence[Message]) -> list[str]:
        for message in inbox:
            data = sealed.seal_message(self.row.instance_id, message)
            self.recording.items.setdefault(message.message_id, _text(data))
        return [message.message_id for message in inbox]


def record(scene: Scene, executor: OrchestratorExecutor | None = None) -> JsonObject:
    """Play the scene; all that is to be kept of it."""
    bench = RecordingBench(scene, executor)
    with no_stacks():
        scene.play(bench)
    return {
        "scene": scene.name,
        "codec_format": codec.FORMAT,
        "turns": bench.recording.turns,
        "items": bench.recording.items,
    }


@contextmanager
def no_stacks() -> Iterator[None]:
    """Failures without the paths and line numbers of the day."""
    sys.tracebacklimit = 0
    try:
        yield
    finally:
        del sys.tracebacklimit


def meaning(live: LiveInstance) -> JsonObject:
    """What the code and its history have come to, as far as anyone can see it."""
    view = live.state.view()
    return {
        "status": view.status.value,
        "execution_id": live.state.execution_id,
        "generation": live.state.row.generation,
        "input": view.input,
        "output": view.output,
        "custom_status": view.custom_status,
        "failure": failure_to_json(view.failure),
        "version": view.version,
        "tags": view.tags,
        "must_continue": live.state.must_continue(),
        "open_activities": sorted(live.state.ledger.open_activities),
        "open_children": sorted(live.state.ledger.open_children),
    }


def history_of(snapshot: Snapshot) -> list[JsonObject]:
    """The events of all batches as JSON, in their order."""
    return [event for stored in snapshot.batches for event in history_to_json(stored.batch.events)]


def catalog() -> FunctionCatalog:
    """The functions of the golden histories."""
    return PlainCatalog(ORCHESTRATORS, functions.ACTIVITIES)


def load(snapshot: Snapshot) -> LiveInstance:
    """Replay what is stored."""
    return LiveInstance(snapshot, InProcessExecutor(catalog(), Converter()))


def moment_of(text: str | None) -> datetime | None:
    """The time that `time_to_json` wrote."""
    return None if text is None else datetime.fromisoformat(text)


def _result_to_text(result: ActivityResult) -> str:
    return _text(codec.encode(Message(message_id="", event=result)))


def read_result(text: str) -> ActivityResult:
    """An activity's result."""
    event = codec.decode_message(base64.b64decode(text)).event
    assert isinstance(event, history.TaskCompleted | history.TaskFailed)
    return event


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def write(path: Path, recorded: JsonObject) -> None:
    """Write a new file. What is golden is never written again: raises `FileExistsError`."""
    with path.open("x", encoding="utf-8") as file:
        json.dump(recorded, file, indent=1, ensure_ascii=False, sort_keys=True)
        file.write("\n")
