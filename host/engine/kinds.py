"""What a kind of instances is to a session: how what is stored comes to life, and takes turns.

The rest is the same for all kinds, and the session's: holds, mail, commits, what follows from them,
activities, settling. A kind stores nothing and sends nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from host.core.incoming import ActivityResult
from host.core.led import Led
from host.core.records import Commit, Effects, Instance, Message, Snapshot

L = TypeVar("L", bound=Led)
P = TypeVar("P")
T = TypeVar("T")


class NoSlotError(Exception):
    """What is to be done needs a slot of a limit, and there is none yet: the session is to end."""


class Ask(Protocol):
    """How a session waits for an answer: it looks after its hold and its mail meanwhile."""

    def __call__(
        self,
        live: Led,
        asked: Awaitable[T],
        /,
        *,
        patience_s: float | None = None,
        is_idle: bool = False,
    ) -> Awaitable[T | None]:
        """The answer; None if mail came that ends the instance whatever the answer is.

        `patience_s` is for how long it is waited for; None for as long as the engine's options say.
        Nobody works on what `is_idle`: then None also says that the session is to end first.
        Raises `ExecutorError`, `StorageError`, and what ends the session.
        """


class Kind(Protocol[L, P]):
    """How instances of one kind are led: they are an `L` in memory, and plan a `P`."""

    @property
    def planned(self) -> type[P]:
        """What a turn is that is only planned."""

    def knows(self, row: Instance, /) -> bool:
        """Whether this host has the code of this instance. Raises `ExecutorError`."""

    def waits_for_slot(self, row: Instance, /) -> bool:
        """Whether each turn that runs its code waits for a slot of a limit first."""

    async def revive(self, snapshot: Snapshot, ask: Ask, *, runs_code: bool) -> L:
        """The instance as it is stored, and its code where that left off, ready for turns.

        Without `runs_code` only that is taken in which needs none. Whoever gets it closes it.
        """

    def take_turn(
        self,
        live: L,
        now: datetime,
        inbox: Sequence[Message],
        results: Sequence[ActivityResult],
        /,
    ) -> Awaitable[P | Commit | Effects | None]:
        """Take a turn, if there is one; one that somebody has to be asked for is only planned."""

    async def finish(self, live: L, planned: P, ask: Ask) -> Commit | None:
        """Ask for a turn that was planned; None if mail came that ends the instance anyway.

        Raises `NoSlotError`.
        """
