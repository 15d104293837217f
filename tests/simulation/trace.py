"""What happened, in order: always as a hash, and as lines when somebody wants to read them."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b


class Trace:
    """The story of one run."""

    def __init__(self, time: Callable[[], float], write: Callable[[str], None] | None) -> None:
        self._time = time
        self._write = write
        self._hash = blake2b(digest_size=12)

    @property
    def is_on(self) -> bool:
        """Whether anybody reads lines: then they may be dear to make."""
        return self._write is not None

    @property
    def digest(self) -> str:
        """A name for this interleaving: who did what in which order, not at which time."""
        return self._hash.hexdigest()

    def step(self, who: str, what: str, of: str, outcome: str = "") -> None:
        """Something that makes this interleaving different from others."""
        self._hash.update(f"{who}|{what}|{of}|{outcome}\n".encode())
        if self._write is not None:
            self.note(who, f"{what} {of}{' -> ' if outcome else ''}{outcome}")

    def note(self, who: str, what: str) -> None:
        """Something for the reader only."""
        if self._write is not None:
            self._write(f"{self._time():10.4f}  {who:<10} {what}")
