"""Answers of events, which go on for ever: how many there are, and that they end with the host."""

from __future__ import annotations

from functools import partial

from host.http.sending import Sending


class EventStreams:
    """Those that are open."""

    def __init__(self) -> None:
        self._open: set[Sending] = set()
        self._is_ending = False

    def __len__(self) -> int:
        return len(self._open)

    def add(self, sending: Sending) -> None:
        """One more; it ends when the others do, or at once if they have."""
        self._open.add(sending)
        sending.when_over(partial(self._open.discard, sending))
        if self._is_ending:
            sending.end()

    def end(self) -> None:
        """Let all end: pages that read them come back to another host."""
        self._is_ending = True
        for sending in list(self._open):
            sending.end()
