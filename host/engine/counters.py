"""What a host has met since it started: small numbers that show how hosts of one hub get along."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Counters:
    """Counts that only grow."""

    conflicts: int = 0
    """Turns that were refused, since another host had led the instance on."""
    redeliveries: int = 0
    """Wake-ups that somebody had held before: a holder that vanished, failed, or gave them back."""

    def snapshot(self) -> dict[str, int]:
        """The counts by name."""
        return asdict(self)
