"""The executor of this process for an app that changes: what does not fit new code keeps its own.

Each execution that is loaded is led through what is recorded of it by the code that counts now. If
that goes another way, a former version of the app that does fit leads it on, until the execution
ends. So nobody has to know beforehand which instances a change concerns, nor where they stand.

An execution that nothing is recorded of begins with the code that counts. The facts decide, not the
memory: whoever changes the app sees to it that no code of before is left there (`change`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from host.core.converter import Converter
from host.core.executors import ActivityExecutor, TurnInput, TurnOutput
from host.core.failures import Caught
from host.core.functions import ActivityFunction, FunctionCatalog
from host.core.history import Batch, ExecutionStarted
from host.core.incoming import Steps
from host.core.instance_state import InstanceState
from host.core.replay.execution import MAX_ACTIONS_PER_TURN
from host.core.replay.in_process import InProcessExecutor, ReplayedCode


@dataclass(frozen=True, slots=True)
class _User:
    """One execution that goes on with a former version."""

    execution_id: str
    orchestrator: str
    is_led: bool
    """Whether that version has its code; else only an activity that it waits for."""


@dataclass(slots=True, eq=False)
class _Former:
    """A former version of the app, and who goes on with it, by instance."""

    catalog: FunctionCatalog
    executor: InProcessExecutor
    users: dict[str, _User] = field(default_factory=dict)


class ChangingExecutor:
    """Runs the orchestrators of a catalog that changes. For the event loop's thread."""

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
        self._now = InProcessExecutor(catalog, converter, max_actions)
        self._former: list[_Former] = []
        """Those that somebody may go on with, the latest first."""

    @property
    def has_former(self) -> bool:
        """Whether somebody may go on with a former version."""
        return bool(self._former)

    def knows(self, name: str, version: str | None, /) -> bool:
        """Whether the catalog has this orchestrator for this version."""
        return self._now.knows(name, version)

    def begin(
        self, instance_id: str, started: ExecutionStarted
    ) -> ReplayedCode | FittingCode | None:
        """The code of an execution that starts so; None if the catalog lacks the function."""
        code = self._now.begin(instance_id, started)
        if code is None or not self._former:
            return code
        self._forget_other(instance_id, started.execution_id)
        return FittingCode(code, instance_id, started, tuple(self._former))

    def change(self, former: FunctionCatalog) -> None:
        """The catalog has changed; this is what it was.

        From now on whoever is loaded is looked at anew. What is in memory has to be dropped.
        """
        executor = InProcessExecutor(former, self._converter, self._max_actions)
        self._former.insert(0, _Former(former, executor))
        for each in self._former:
            each.users.clear()

    def keep_for(self, state: InstanceState) -> bool:
        """Keep a version that has an activity which this instance waits for, if the newest has not.

        Activities are called by their names, whoever's code did so. Gives whether there is such a
        version and the instance does not go on with it already.
        """
        for scheduled in state.ledger.open_activities.values():
            if self._catalog.activity(scheduled.name) is None:
                for former in self._former:
                    if former.catalog.activity(scheduled.name) is not None:
                        return self._keep(former, state)
        return False

    def activities_of(
        self, instance_id: str, execution_id: str, present: ActivityExecutor
    ) -> ActivityExecutor:
        """What an execution's activities are: those of the version that it goes on with first.

        `present` has those that count now.
        """
        for former in self._former:
            user = former.users.get(instance_id)
            if user is not None and user.execution_id == execution_id:
                both = (former.catalog, present)
                return _FirstOf(both if user.is_led else both[::-1])
        return present

    def forget_unused(self, *, all_seen: bool) -> None:
        """Let go of the versions that nobody goes on with.

        Unless `all_seen`, some have not been loaded since the change: the latest one stays for
        them.
        """
        spared = None if all_seen or not self._former else self._former[0]
        self._former = [each for each in self._former if each.users or each is spared]

    def forget(self, instance_id: str) -> bool:
        """An instance has ended; whether it was the last one that went on with former versions."""
        found = [each for each in self._former if each.users.pop(instance_id, None) is not None]
        return bool(found) and not any(each.users for each in self._former)

    def users(self) -> Mapping[str, Sequence[str]]:
        """The instances that go on with former versions, by orchestrator, in order."""
        found: dict[str, set[str]] = {}
        for former in self._former:
            for instance_id, user in former.users.items():
                found.setdefault(user.orchestrator, set()).add(instance_id)
        return {name: sorted(found[name]) for name in sorted(found)}

    def _keep(self, former: _Former, state: InstanceState) -> bool:
        if state.instance_id in former.users:
            return False
        user = _User(state.started.execution_id, state.row.name, is_led=False)
        former.users[state.instance_id] = user
        return True

    def _forget_other(self, instance_id: str, execution_id: str) -> None:
        """It may have continued as new: then nothing holds its next execution back."""
        for former in self._former:
            user = former.users.get(instance_id)
            if user is not None and user.execution_id != execution_id:
                del former.users[instance_id]


class _FirstOf:
    """Activities of the first executor that has them."""

    def __init__(self, executors: Sequence[ActivityExecutor]) -> None:
        self._executors = executors

    def activity(self, name: str, /) -> ActivityFunction | None:
        """The activity of this name."""
        found = (each.activity(name) for each in self._executors)
        return next((each for each in found if each is not None), None)


class FittingCode:
    """The code of one execution: that which counts now, or the latest that fits what is recorded.

    Not thread-safe, never awaits.
    """

    def __init__(
        self,
        code: ReplayedCode,
        instance_id: str,
        started: ExecutionStarted,
        former: tuple[_Former, ...],
    ) -> None:
        self._code = code
        self._instance_id = instance_id
        self._started = started
        self._former = former
        self._tried: ReplayedCode | None = None

    @property
    def error(self) -> Caught | None:
        """What the code raised in the end, if it did that for this object."""
        return self._code.error

    @property
    def other_data(self) -> str | None:
        """The first deed that had other data on replay than are recorded, in words."""
        return self._code.other_data

    def replay(self, past: Iterable[Batch]) -> Steps[TurnOutput]:
        """Lead the code through what is recorded; if it does not fit, former code, until one does.

        What fits none fails as any code that is not deterministic.
        """
        past = tuple(past)
        standing = yield from self._code.replay(past)
        if self._code.divergence is None:
            return standing
        for each in self._former:
            code = self._tried = each.executor.begin(self._instance_id, self._started)
            if code is None:
                continue
            found = yield from code.replay(past)
            if code.divergence is None:
                self._code.close()
                self._code = code
                self._go_on_with(each)
                return found
            code.close()
        return standing

    def _go_on_with(self, former: _Former) -> None:
        started = self._started
        user = _User(started.execution_id, started.name, is_led=True)
        former.users[self._instance_id] = user

    def turn(self, new: TurnInput) -> TurnOutput:
        """Take a turn."""
        return self._code.turn(new)

    def turn_in_steps(self, new: TurnInput) -> Steps[TurnOutput]:
        """The same, an event a step."""
        return self._code.turn_in_steps(new)

    def close(self) -> None:
        """Let go of the code; its `finally` blocks run."""
        self._code.close()
        if self._tried is not None:
            self._tried.close()

    def close_generator(self, generator: AsyncGenerator[Any, Any]) -> BaseException | None:
        """Let an async generator end that the code left; the error that it ended with."""
        return self._code.close_generator(generator)
