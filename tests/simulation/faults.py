"""What goes wrong, how often, and how often it did.

Rules of this file: a seed chooses which faults there are at all and how frequent each is, so that
some runs are full of one fault and others have a bit of all. Every fault draws from a random stream
of its own: taking one fault away leaves the others nearly where they were, which is what makes a
failing run shrinkable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    """The kinds of faults."""

    # On the way to the tables and queues
    REFUSED = "refused request"
    LOST_ANSWER = "lost answer"
    LATE_WRITE = "write that lands late"
    THROTTLING = "throttled request"
    SLOW = "slow request"
    CRASH_BEFORE = "crash before a request landed"
    CRASH_AFTER = "crash after a request landed"
    # Of hosts
    CRASH = "crash at any moment"
    FREEZE = "host that wakes up as a zombie"
    STOP = "graceful stop"
    SKEW = "clock that is off"
    STEP_BACK = "clock set back"
    STEP_FORWARD = "clock set forward"
    NEW_CODE = "restart with changed code"
    MISSING_CODE = "restart without a function"
    # Of queues
    LOST_HINT = "lost hint"
    DOUBLE_HINT = "doubled hint"
    LATE_HINT = "delayed hint"
    DISORDER = "hint out of order"
    EARLY_EXPIRY = "hold that ends early"
    SHARED_HINT = "hint given to two hosts"
    LOST_DELIVERY = "hint whose delivery is lost"
    PURGED_QUEUE = "emptied queue"
    # Of tables, where the real drivers are at work
    SHORT_PAGE = "page that ends early"
    PARTIAL_BATCH = "batch done in part"
    INDEX_LAG = "index far behind its table"
    # Of workers that run orchestrators for a host
    WORKER_LOST = "worker that dies and comes back"
    SLOW_ANSWER = "worker that answers late"
    # Of queues, where the real drivers are at work
    THROTTLED_ENTRY = "throttled entry of a batch"
    # Of tables again: last, so that seeds of before go on choosing what they chose
    EMPTY_PAGE = "page without items that is not the last"
    SWAPPED_APP = "app swapped while the host runs"
    OLD_VERSION = "host of an older version"

    @property
    def short(self) -> str:
        """The name in commands."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def named(cls, short: str) -> Fault:
        """The fault of a name in a command."""
        return cls[short.upper().replace("-", "_")]


RATES: dict[Fault, tuple[float, float]] = {
    Fault.REFUSED: (0.003, 0.05),
    Fault.LOST_ANSWER: (0.003, 0.05),
    Fault.LATE_WRITE: (0.003, 0.04),
    Fault.THROTTLING: (0.0005, 0.003),
    Fault.SLOW: (0.003, 0.05),
    Fault.CRASH_BEFORE: (0.001, 0.012),
    Fault.CRASH_AFTER: (0.001, 0.012),
    Fault.LOST_HINT: (0.01, 0.5),
    Fault.DOUBLE_HINT: (0.01, 0.4),
    Fault.LATE_HINT: (0.01, 0.3),
    Fault.DISORDER: (0.01, 0.5),
    Fault.EARLY_EXPIRY: (0.01, 0.2),
    Fault.SHARED_HINT: (0.01, 0.3),
    Fault.LOST_DELIVERY: (0.01, 0.2),
    Fault.SHORT_PAGE: (0.02, 0.4),
    Fault.PARTIAL_BATCH: (0.02, 0.4),
    Fault.INDEX_LAG: (0.01, 0.3),
    Fault.WORKER_LOST: (0.005, 0.08),
    Fault.SLOW_ANSWER: (0.005, 0.1),
    Fault.THROTTLED_ENTRY: (0.01, 0.2),
    Fault.EMPTY_PAGE: (0.02, 0.4),
}
"""The range of each fault's chance, per request or per hint."""

EVENTS: dict[Fault, tuple[int, int]] = {
    Fault.CRASH: (1, 3),
    Fault.FREEZE: (1, 3),
    Fault.STOP: (1, 2),
    Fault.STEP_BACK: (1, 3),
    Fault.STEP_FORWARD: (1, 2),
    Fault.NEW_CODE: (1, 2),
    Fault.MISSING_CODE: (1, 1),
    Fault.SWAPPED_APP: (1, 4),
    Fault.PURGED_QUEUE: (1, 3),
    Fault.SKEW: (1, 1),
    Fault.OLD_VERSION: (1, 1),
}
"""How often those faults happen in a run that belong to no request."""


class Faults:
    """The faults of one run. After `cease` nothing goes wrong any more."""

    def __init__(
        self, seed: int, without: Collection[Fault] = (), also: Collection[Fault] = ()
    ) -> None:
        """What the seed chooses, and what is there `also`, but nothing of `without`."""
        self.counts: Counter[Fault] = Counter()
        self.is_over = False
        choice = Random(f"{seed}/which faults")
        chosen: set[Fault] = set(also)
        appetite = choice.choice((0.15, 0.4, 0.7))
        for fault in Fault:
            if choice.random() < appetite:
                chosen.add(fault)
        self.chosen = frozenset(chosen - set(without))
        self._streams = {fault: Random(f"{seed}/{fault}") for fault in Fault}
        self._rates = {fault: self._rate(fault) for fault in RATES}

    def cease(self) -> None:
        """From now on everything works."""
        self.is_over = True

    def strikes(self, fault: Fault) -> bool:
        """Whether the fault happens now; counted if it does."""
        if self.is_over:
            return False
        # Drawn also where the fault is not chosen: the others' draws must not depend on it.
        happens = self._streams[fault].random() < self._rates[fault]
        if happens:
            self.counts[fault] += 1
        return happens

    def times(self, fault: Fault) -> int:
        """How often a fault that belongs to no request is to happen in this run."""
        return self._streams[fault].randint(*EVENTS[fault]) if fault in self.chosen else 0

    def between(self, fault: Fault, low: float, high: float) -> float:
        """Some measure of the fault: how long, how far."""
        return self._streams[fault].uniform(low, high)

    def count(self, fault: Fault) -> None:
        """A fault that belongs to no request happened."""
        self.counts[fault] += 1

    def _rate(self, fault: Fault) -> float:
        if fault not in self.chosen:
            return 0.0
        low, high = RATES[fault]
        return float(low * (high / low) ** self._streams[fault].random())
