"""Who runs the code of orchestrators and activities: a seam.

The core says what is new for the code (`TurnInput`), an executor says what the code made of it
(`TurnOutput`). Neither knows how the other does it. The executor of this process keeps the code in
memory and answers at once; it is `core/replay`. One that takes its time, or lives elsewhere, gives
`AwaitedCode`: whoever leads the instance waits for its answers.

An answer is no fact until the turn that it belongs to is stored. So an executor may be asked the
same again, after a lost race or a crash, and has to answer the same.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeAlias

import msgspec

from host.core import history
from host.core.failures import Caught
from host.core.functions import ActivityFunction
from host.core.history import Batch, HistoryEvent, Payload
from host.core.incoming import Incoming, Steps
from host.core.records import Unchanged
from host.core.timers import OpenTimer

Outcome: TypeAlias = history.ExecutionCompleted | history.ContinueAsNew
"""The end of an execution."""
Deed: TypeAlias = (
    history.TaskScheduled
    | history.SubOrchestrationInstanceCreated
    | history.TimerCreated
    | history.EventSent
    | history.EntityOperationCalled
    | history.EntityOperationSignaled
    | history.EntityLockRequested
    | history.EntityUnlockSent
)
"""What user code does to the world, as the event that records it."""


class TurnInput(msgspec.Struct, frozen=True):
    """What is new for the code of one execution."""

    now: datetime
    started: history.OrchestratorStarted
    incoming: Sequence[Incoming]
    """What came in, in order."""
    due: Sequence[OpenTimer]
    """The timers that are due, in order. One comes before what came in after its time, and not at
    all if the code lets go of it first."""


class TurnOutput(msgspec.Struct, frozen=True):
    """What the code made of it, and how it stands since then."""

    custom_status: Payload | Unchanged
    """The latest that the code of this execution, or a CustomStatusSet that it was fed, has set."""
    moved: Mapping[int, datetime | None] = msgspec.field(default_factory=dict)
    """The timers of which the code says otherwise than the history, since the last answer: when
    they fire, or None for those that it has let go of."""
    outcome: Outcome | None = None
    """How the execution ended; None if it goes on."""
    taken: Sequence[HistoryEvent] = ()
    """What the code was fed, in order: what came in and the timers that fired."""
    consumed: Sequence[str] = ()
    """The ids of the messages among it. Others stay in the inbox."""
    actions: Sequence[Deed] = ()
    """What the code did, in order."""
    awaited: tuple[str, ...] = ()
    """Names of events that the code waits for: a few, for people who ask why it waits."""
    has_left_mail: bool = False
    """Whether messages were left because a timer that was made in this turn comes before them."""


class OrchestratorCode(Protocol):
    """The code of one execution. Whoever began it closes it."""

    @property
    def error(self) -> Caught | None:
        """What the code raised in the end, if it did that for this object."""

    @property
    def other_data(self) -> str | None:
        """The first deed that had other data on replay than are recorded, in words."""

    def replay(self, past: Iterable[Batch]) -> Steps[TurnOutput]:
        """Go through what is recorded, before the first turn; how the code stands then.

        An outcome that is not recorded says that the code went another way.
        """

    def turn(self, new: TurnInput) -> TurnOutput:
        """Take a turn."""

    def turn_in_steps(self, new: TurnInput) -> Steps[TurnOutput]:
        """The same in steps, between which others get their turn."""

    def close(self) -> None:
        """Let go of the code. To close it again is nothing."""

    def close_generator(self, generator: AsyncGenerator[Any, Any]) -> BaseException | None:
        """Let an async generator end that the code left; the error that it ended with."""


class AwaitedCode:
    """The code of one execution that takes its time, or lives elsewhere: derive from this.

    Whoever began it closes it. It is asked one thing at a time: `replay` once if anything is
    recorded, then turns. Whatever it raises says that it did not answer: it is closed, another one
    is begun and asked again. That the code itself failed is an answer: an outcome. The asking is
    cancelled when nobody waits for the answer any more.
    """

    async def replay(self, past: Sequence[Batch]) -> TurnOutput:
        """See `OrchestratorCode.replay`."""
        raise NotImplementedError

    async def turn(self, new: TurnInput) -> TurnOutput:
        """Take a turn."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the code, without waiting for that. To close it again is nothing."""
        raise NotImplementedError


class OrchestratorExecutor(Protocol):
    """Runs the code of orchestrators. Neither method waits for anything."""

    def knows(self, name: str, version: str | None, /) -> bool:
        """Whether it has this orchestrator."""

    def begin(
        self, instance_id: str, started: history.ExecutionStarted
    ) -> OrchestratorCode | AwaitedCode | None:
        """The code of an execution that starts so, to be fed; None if the function is not here."""


class ActivityExecutor(Protocol):
    """Runs activities, here or elsewhere: what it gives takes a payload and is awaited for one."""

    def activity(self, name: str, /) -> ActivityFunction | None:
        """The activity of this name; None if it does not know it."""
