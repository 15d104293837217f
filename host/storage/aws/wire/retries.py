"""What is tried again, when, and for how long.

Rules of this file: pure decisions; the client does the waiting. The wait is drawn evenly between
nothing and a bound that doubles (full jitter), so that hosts that failed together do not come back
together. A broken connection is tried again at once, once: it had most likely been idle. Keys that
are refused are tried a few times, after the host has looked for others.
"""

from __future__ import annotations

from dataclasses import dataclass

from host.storage.aws.wire.problems import Kind

_FINAL = frozenset(
    {Kind.FORBIDDEN, Kind.UNREADABLE, Kind.CONDITION_FAILED, Kind.MISSING, Kind.REFUSED}
)
_SLOW = frozenset({Kind.THROTTLED, Kind.KEYS_REFUSED})
"""What only time mends: the service is to be spared, or keys have to become known everywhere."""
_TRIES_OF_KEYS = 4


def is_final(kind: Kind) -> bool:
    """Whether the same request would meet the same again."""
    return kind in _FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRules:
    """How patient a client is.

    `attempts` counts the first one too; none begins later than `patience_s` after it. One attempt
    takes at most `timeout_s`, and the time that the service was asked to wait for messages.
    """

    attempts: int = 8
    patience_s: float = 30.0
    timeout_s: float = 10.0
    base_s: float = 0.05
    throttled_base_s: float = 0.25
    cap_s: float = 5.0

    def wait_s(self, kind: Kind, attempt: int, elapsed_s: float, jitter: float) -> float | None:
        """How long to wait after attempt number `attempt` (from 1); None to give up.

        `jitter` is a random number from 0 to 1.
        """
        attempts = _TRIES_OF_KEYS if kind is Kind.KEYS_REFUSED else self.attempts
        if is_final(kind) or attempt >= attempts:
            return None
        if kind is Kind.CONNECTION_LOST and attempt == 1:
            return 0.0
        base_s = self.throttled_base_s if kind in _SLOW else self.base_s
        wait_s = self.back_off_s(attempt, base_s, jitter)
        return wait_s if elapsed_s + wait_s <= self.patience_s else None

    def back_off_s(self, attempt: int, base_s: float, jitter: float) -> float:
        """A random part of the bound, which doubles with each attempt."""
        return min(self.cap_s, base_s * 2.0 ** (attempt - 1)) * jitter
