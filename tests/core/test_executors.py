"""The seam of executors: whoever answers what is new for the code leads an instance."""

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field
from typing import Any

from bindings import RuntimeStatus
from host.core import history
from host.core.executors import OrchestratorExecutor, TurnInput, TurnOutput
from host.core.failures import Caught
from host.core.history import Batch, HistoryEvent
from host.core.incoming import Steps
from host.core.live_instance import LiveInstance
from host.core.records import UNCHANGED, Commit, Snapshot, StoredBatch
from tests.kit.bench import Bench
from tests.kit.history_builder import pending


@dataclass
class Told:
    """An executor without code: it does one activity after the other, by what it was told."""

    names: tuple[str, ...]
    events: list[HistoryEvent] = field(default_factory=list)
    error: Caught | None = None
    other_data: str | None = None

    def knows(self, name: str, _version: str | None, /) -> bool:
        return name == "told"

    def begin(self, _instance_id: str, _started: history.ExecutionStarted) -> "Told":
        return self

    def replay(self, past: Iterable[Batch]) -> Steps[TurnOutput]:
        for batch in past:
            self.events += batch.events
            yield
        return TurnOutput(UNCHANGED)

    def turn(self, new: TurnInput) -> TurnOutput:
        taken = [each.event for each in new.incoming]
        self.events += taken
        done = sum(isinstance(event, history.TaskCompleted) for event in self.events)
        now = new.started.timestamp
        consumed = [each.message_id for each in new.incoming if each.message_id]
        if done == len(self.names):
            end = history.ExecutionCompleted(timestamp=now, status=RuntimeStatus.COMPLETED)
            return TurnOutput(f'"{done}"', outcome=end, taken=taken, consumed=consumed)
        task = history.TaskScheduled(timestamp=now, task_id=done + 1, name=self.names[done])
        return TurnOutput(f'"{done}"', taken=taken, consumed=consumed, actions=[task])

    def turn_in_steps(self, new: TurnInput) -> Steps[TurnOutput]:
        yield
        return self.turn(new)

    def close(self) -> None:
        """It holds nothing."""

    def close_generator(self, generator: AsyncGenerator[Any, Any]) -> BaseException | None:
        raise AssertionError(generator)


def test_who_is_no_code_of_this_process_leads_an_instance_and_goes_on_after_a_crash() -> None:
    bench = Bench()
    bench.row = pending("told")
    names: list[str] = []
    for _ in range(3):
        executor: OrchestratorExecutor = Told(("a", "b"))
        live = LiveInstance(bench.snapshot(), executor)
        results = [
            bench.done(each.scheduled.task_id) for each in live.state.take_undispatched(bench.now)
        ]
        commit = live.turn(bench.now, (), results)
        assert isinstance(commit, Commit)
        names += [x.name for x in commit.batch.events if isinstance(x, history.TaskScheduled)]
        bench.batches.append(
            StoredBatch(execution_id=commit.execution_id, number=commit.number, batch=commit.batch)
        )
        bench.row = commit.effects.row or bench.row
    assert names == ["a", "b"]
    assert (bench.status, bench.row.custom_status) == (RuntimeStatus.COMPLETED, '"2"')
    assert bench.kinds().count("OrchestratorStarted") == 3


def test_what_an_executor_does_not_know_is_blocked_and_says_so() -> None:
    live = LiveInstance(Snapshot(instance=pending("gone")), Bench().executor)
    assert live.turn(live.state.row.created_at) is None
    assert live.state.blocked_reason is not None
    assert "'gone' is missing" in live.state.blocked_reason
