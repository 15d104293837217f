"""The executor of this process: it keeps the code in memory, and answers at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import Any

from host.core.converter import Converter
from host.core.executors import TurnInput, TurnOutput
from host.core.failures import Caught
from host.core.functions import FunctionCatalog
from host.core.history import Batch, ExecutionStarted
from host.core.incoming import Steps
from host.core.replay.determinism import Divergence
from host.core.replay.execution import MAX_ACTIONS_PER_TURN, Execution
from host.core.replay.intake import Intake


class ReplayedCode:
    """The code of one execution in memory. Not thread-safe, never awaits."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    @property
    def error(self) -> Caught | None:
        """What the code raised in the end, if it did that for this object."""
        return self._execution.error

    @property
    def other_data(self) -> str | None:
        """The first deed that had other data on replay than are recorded, in words."""
        return self._execution.other_data

    @property
    def divergence(self) -> Divergence | None:
        """In what the code went another way than is recorded, if it did."""
        return self._execution.divergence

    def replay(self, past: Iterable[Batch]) -> Steps[TurnOutput]:
        """Lead the code through what is recorded, an event a step."""
        execution = self._execution
        yield from execution.replay_in_steps(event for batch in past for event in batch.events)
        return TurnOutput(execution.custom_status, execution.take_moved(), execution.outcome)

    def turn(self, new: TurnInput) -> TurnOutput:
        """Take a turn."""
        return Intake(self._execution, new).take_all()

    def turn_in_steps(self, new: TurnInput) -> Steps[TurnOutput]:
        """The same, an event a step."""
        return Intake(self._execution, new).take_in_steps()

    def close(self) -> None:
        """Let go of the code; its `finally` blocks run."""
        self._execution.close()

    def close_generator(self, generator: AsyncGenerator[Any, Any]) -> BaseException | None:
        """See `Execution.close_generator`."""
        return self._execution.close_generator(generator)


class InProcessExecutor:
    """Runs the orchestrators of a catalog."""

    def __init__(
        self,
        catalog: FunctionCatalog,
        converter: Converter,
        max_actions: int = MAX_ACTIONS_PER_TURN,
    ) -> None:
        """`max_actions` is how much the code may do in one turn."""
        self._catalog = catalog
        self._converter = converter
        self._max_actions = max_actions

    def knows(self, name: str, version: str | None, /) -> bool:
        """Whether the catalog has this orchestrator for this version."""
        return self._catalog.orchestrator(name, version) is not None

    def begin(self, instance_id: str, started: ExecutionStarted) -> ReplayedCode | None:
        """The code of an execution that starts so; None if the catalog lacks the function."""
        function = self._catalog.orchestrator(started.name, started.version)
        if function is None:
            return None
        return ReplayedCode(
            Execution(instance_id, function, self._catalog, self._converter, self._max_actions)
        )
