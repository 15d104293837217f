"""What a host has met since it started: small numbers that show how hosts of one hub get along."""

from __future__ import annotations

from host.engine.observer import Event, Observer, TurnRefused, WakeUpRedelivered

_COUNTED: dict[type[Event], str] = {
    TurnRefused: "conflicts",
    WakeUpRedelivered: "redeliveries",
}
"""How many events of which kind are shown, under which name."""


class Counters:
    """Counts that only grow."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(_COUNTED.values(), 0)
        self.observer = Observer(name="counters", sees=dict.fromkeys(_COUNTED, self._count))

    def snapshot(self) -> dict[str, int]:
        """The counts by name."""
        return dict(self._counts)

    def _count(self, event: Event) -> None:
        self._counts[_COUNTED[type(event)]] += 1
