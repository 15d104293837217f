"""Whether the host answers: what `funchost top` says of it, in one line and not again and again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class Contact:
    """How the last readings went, of all screens."""

    problem: str = ""
    """Why nothing could be read; empty if it could."""
    since: datetime | None = None
    """When that was so for the first time."""

    def failed(self, problem: str, now: datetime) -> None:
        """Nothing could be read."""
        self.problem, self.since = problem, self.since or now

    def answered(self) -> bool:
        """All could be read; whether it is the first time after a failure."""
        was_away = self.since is not None
        self.problem, self.since = "", None
        return was_away

    def in_words(self) -> str:
        """What is the matter, and how old what is shown is; empty if nothing is."""
        if self.since is None:
            return ""
        return f"{self.problem} Since {self.since:%H:%M:%S}Z; what is shown is from before."
