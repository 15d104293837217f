"""What whoever leads an instance asks of it, of whatever kind it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from host.core.failures import Caught
from host.core.instance_state import InstanceState
from host.core.records import Commit, Effects, Message


class Led(Protocol):
    """An instance in memory."""

    @property
    def state(self) -> InstanceState:
        """Its facts."""

    @property
    def error(self) -> Caught | None:
        """What its code raised in the end, if it did that in this object's life."""

    @property
    def has_code_here(self) -> bool:
        """Whether the author's code is kept in this process between turns."""

    @property
    def hears_while_asked(self) -> bool:
        """Whether mail may end it while its code is asked; else that mail is not even read."""

    def turn(self, now: datetime, inbox: Sequence[Message]) -> Commit | Effects | None:
        """Take in what needs nobody elsewhere, in an instance whose code is not run."""

    def is_to_end(self, now: datetime, inbox: Sequence[Message]) -> bool:
        """Whether the next turn ends the instance, whatever its code says."""

    def close(self) -> None:
        """Let go of the author's code."""
