"""What a kind of instances is to a session: how what is stored comes to life, and takes turns.

The rest is the same for all kinds, and the session's: holds, mail, commits, what follows from them,
activities, settling. A kind stores nothing and sends nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Sequence
from datetime import datetime
from typing import Any, Protocol

from host.core.executors import TurnOutput
from host.core.incoming import ActivityResult
from host.core.live_instance import LiveInstance
from host.core.records import Commit, Effects, Instance, Message, Snapshot
from host.core.turns import PlannedTurn


class Ask(Protocol):
    """How a session waits for an answer: it looks after its hold and its mail meanwhile."""

    def __call__(
        self, live: LiveInstance, asked: Coroutine[Any, Any, TurnOutput], /
    ) -> Awaitable[TurnOutput | None]:
        """The answer; None if mail came that ends the instance whatever the answer is.

        Raises `ExecutorError`, `StorageError`, and what ends the session.
        """


class Kind(Protocol):
    """How instances of one kind are led."""

    def knows(self, row: Instance, /) -> bool:
        """Whether this host has the code of this instance. Raises `ExecutorError`."""

    async def revive(self, snapshot: Snapshot, ask: Ask, *, runs_code: bool) -> LiveInstance:
        """The instance as it is stored, and its code where that left off, ready for turns.

        Without `runs_code` only that is taken in which needs none. Whoever gets it closes it.
        """

    def take_turn(
        self,
        live: LiveInstance,
        now: datetime,
        inbox: Sequence[Message],
        results: Sequence[ActivityResult],
        /,
    ) -> Awaitable[PlannedTurn | Commit | Effects | None]:
        """Take a turn, if there is one; one that somebody has to be asked for is only planned."""

    async def finish(self, live: LiveInstance, planned: PlannedTurn, ask: Ask) -> Commit | None:
        """Ask for a turn that was planned; None if mail came that ends the instance anyway."""
