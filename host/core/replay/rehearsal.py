"""Rehearsals: whether code would go on with an instance that other code began.

The code is led through what is recorded, as by a host that takes the instance up, and nothing comes
of it. What it would do after that, nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from host.core.chain import batches_by_execution, version_of
from host.core.converter import Converter
from host.core.functions import FunctionCatalog
from host.core.history import Batch, ExecutionStarted, HistoryEvent
from host.core.instance_state import InstanceState
from host.core.live_instance import LiveInstance
from host.core.projection import reason_without_function
from host.core.records import Instance, Snapshot
from host.core.replay.determinism import Divergence
from host.core.replay.in_process import InProcessExecutor, ReplayedCode
from host.core.versions import Versioning
from host.settings.versions import VersionFailure


class Fate(StrEnum):
    """What becomes of an instance with the code."""

    FITS = "fits"
    BREAKS = "breaks"
    LEFT = "left"
    """It is left to hosts of another version, as host.json says."""
    UNREADABLE = "unreadable"
    """What is stored of it is damaged: nobody goes on with it."""
    UNKNOWN = "unknown"
    """What should tell of it does not: a line is cut off, or of a newer version."""


class Rehearsed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of a rehearsal. `reason` says why it does not fit, in a sentence."""

    instance_id: str
    orchestrator: str
    version: str | None = None
    fate: Fate
    reason: str = ""
    place: int | None = None
    """The place in the history, from 1, of the first event that does not fit; one after the last
    if there should be another one."""
    event: str = ""
    """That event's type; empty after the last."""
    recorded: str | None = None
    """What is recorded there, in words."""
    done: str | None = None
    """What the code does now."""
    path: str = ""
    """The file of the line where the code stands."""
    line: int = 0
    function: str = ""


class Rehearsals:
    """Rehearses instances with one app."""

    def __init__(
        self,
        catalog: FunctionCatalog,
        converter: Converter,
        versioning: Versioning,
        max_actions: int,
    ) -> None:
        self._catalog = catalog
        self._versioning = versioning
        self._executor = _NotedExecutor(catalog, converter, max_actions)

    def rehearse(self, snapshot: Snapshot) -> Rehearsed:
        """What becomes of this instance. Runs the code of its orchestrator as far as recorded."""
        live = LiveInstance(_tried(snapshot), self._executor, is_replayed=False)
        try:
            return self._judge(snapshot, live)
        finally:
            live.close()

    def _judge(self, snapshot: Snapshot, live: LiveInstance) -> Rehearsed:
        row, state = snapshot.instance, live.state
        version = version_of(snapshot)
        if state.is_finished:
            return _rehearsed(row)
        if not self._versioning.takes(version):
            reason = f"{self._versioning.mismatch(version)}."
            fails = self._versioning.failure is VersionFailure.FAIL
            return _rehearsed(row, Fate.BREAKS if fails else Fate.LEFT, reason)
        if self._catalog.orchestrator(row.name, version) is None:
            return _rehearsed(row, Fate.BREAKS, reason_without_function(row.name, version))
        if not state.is_continued:  # else its next execution begins anew
            counted = [event for batch in state.recorded for event in batch.events]
            place, divergence = self._replay(live)
            if divergence is not None:
                event = counted[place - 1] if place <= len(counted) else None
                stored = batches_by_execution(snapshot)[state.execution_id]
                return _diverged(row, _place_of(event, stored), event, divergence)
        return self._waiting(row, state)

    def _replay(self, live: LiveInstance) -> tuple[int, Divergence | None]:
        """How far it goes, and in what it goes another way."""
        code = self._executor.latest
        place, is_found = 0, False
        for _ in live.replay():
            if not is_found:
                place += 1
                is_found = code is not None and code.divergence is not None
        divergence = None if code is None else code.divergence
        return place if is_found else place + 1, divergence

    def _waiting(self, row: Instance, state: InstanceState) -> Rehearsed:
        """Whether somebody is there for all that it waits for."""
        for scheduled in state.ledger.open_activities.values():
            if self._catalog.activity(scheduled.name) is None:
                what = f"#{scheduled.task_id} a call of activity '{scheduled.name}'"
                return _rehearsed(
                    row,
                    Fate.BREAKS,
                    f"It waits for {what}, which the app does not have (any more).",
                    recorded=what,
                )
        return _rehearsed(row)


class _NotedExecutor(InProcessExecutor):
    latest: ReplayedCode | None = None
    """The code that was begun last."""

    def begin(self, instance_id: str, started: ExecutionStarted) -> ReplayedCode | None:
        self.latest = super().begin(instance_id, started)
        return self.latest


def _tried(snapshot: Snapshot) -> Snapshot:
    """As if it was not quarantined: then its code would not be run."""
    row = msgspec.structs.replace(snapshot.instance, is_quarantined=False)
    return msgspec.structs.replace(snapshot, instance=row)


def _rehearsed(
    row: Instance, fate: Fate = Fate.FITS, reason: str = "", *, recorded: str | None = None
) -> Rehearsed:
    return Rehearsed(
        instance_id=row.instance_id,
        orchestrator=row.name,
        version=row.version,
        fate=fate,
        reason=reason,
        recorded=recorded,
    )


def _place_of(event: HistoryEvent | None, stored: Iterable[Batch]) -> int:
    """The place of an event in all that is stored, which a rewind may have made longer; from 1."""
    events = [each for batch in stored for each in batch.events]
    return next((n for n, each in enumerate(events, 1) if each is event), len(events) + 1)


def _diverged(
    row: Instance, place: int, event: HistoryEvent | None, divergence: Divergence
) -> Rehearsed:
    position = divergence.position
    was, done = divergence.recorded or "nothing more", divergence.done or "nothing"
    return Rehearsed(
        instance_id=row.instance_id,
        orchestrator=row.name,
        version=row.version,
        fate=Fate.BREAKS,
        reason=f"Its history records {was} here, and the code does now {done}.",
        place=place,
        event="" if event is None else type(event).__name__,
        recorded=divergence.recorded,
        done=divergence.done,
        path="" if position is None else position.path,
        line=0 if position is None else position.line,
        function="" if position is None else position.function,
    )
