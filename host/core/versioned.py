"""The executor of a host that does not take instances of all versions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import Any

from bindings.client import RuntimeStatus
from bindings.errors import FailureDetails
from host.core.executors import (
    AwaitedCode,
    OrchestratorCode,
    OrchestratorExecutor,
    TurnInput,
    TurnOutput,
)
from host.core.failures import Caught
from host.core.history import Batch, ExecutionCompleted, ExecutionStarted, HistoryEvent
from host.core.incoming import Steps
from host.core.records import UNCHANGED
from host.core.versions import Versioning
from host.settings.versions import VersionFailure

ERROR_TYPE = "VersionMismatchError"


class VersionedExecutor:
    """Passes on what the host takes. Of the rest it knows nothing, or lets it fail."""

    def __init__(self, executor: OrchestratorExecutor, versioning: Versioning) -> None:
        self._executor = executor
        self._versioning = versioning

    def knows(self, name: str, version: str | None, /) -> bool:
        """Whether the host sees to such instances."""
        return self._sees_to(version) and self._executor.knows(name, version)

    def begin(
        self, instance_id: str, started: ExecutionStarted
    ) -> OrchestratorCode | AwaitedCode | None:
        """The code of an execution; of one that is to fail, code that does nothing else."""
        name, version = started.name, started.version
        if self._versioning.takes(version):
            return self._executor.begin(instance_id, started)
        if not self.knows(name, version):
            return None
        return MismatchedCode(f"{self._versioning.mismatch(version)}.")

    def _sees_to(self, version: str | None) -> bool:
        return self._versioning.failure is VersionFailure.FAIL or self._versioning.takes(version)


class MismatchedCode:
    """Fails at once, whatever is recorded. Author code has no part in it."""

    error: Caught | None = None
    other_data: str | None = None

    def __init__(self, message: str) -> None:
        self._message = message

    def replay(self, past: Iterable[Batch]) -> Steps[TurnOutput]:
        """An end that is not recorded: so a turn is due."""
        moment = None
        for batch in past:
            moment = batch.events[0].timestamp
            yield
        assert moment is not None  # noqa: S101 - replayed is what has a past
        return TurnOutput(UNCHANGED, outcome=self._end(moment))

    def turn(self, new: TurnInput) -> TurnOutput:
        """The end. A start, and what comes before it, is recorded as always."""
        taken: list[HistoryEvent] = []
        consumed: list[str] = []
        has_start = any(isinstance(each.event, ExecutionStarted) for each in new.incoming)
        for each in new.incoming if has_start else ():
            taken.append(each.event)
            if each.message_id is not None:
                consumed.append(each.message_id)
            if isinstance(each.event, ExecutionStarted):
                break
        end = self._end(new.started.timestamp)
        return TurnOutput(UNCHANGED, outcome=end, taken=taken, consumed=consumed)

    def turn_in_steps(self, new: TurnInput) -> Steps[TurnOutput]:
        """The same."""
        yield
        return self.turn(new)

    def close(self) -> None:
        """There is nothing to let go of."""

    def close_generator(
        self,
        generator: AsyncGenerator[Any, Any],  # noqa: ARG002 - it is nobody's
    ) -> BaseException | None:
        """No code of an author ran, so it has left nothing."""
        return None

    def _end(self, moment: Any) -> ExecutionCompleted:
        failure = FailureDetails(
            error_type=ERROR_TYPE, message=self._message, is_non_retriable=True
        )
        return ExecutionCompleted(timestamp=moment, status=RuntimeStatus.FAILED, failure=failure)
