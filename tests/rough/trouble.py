"""The kinds of trouble that AWS makes, and when: a seed decides how often each strikes.

Rules of this file: trouble begins when the hosts serve and ends at `ENDS_AT_S`, whole: what it has
delayed is there by then. Most kinds come in spells, between which they are rare: that is what lets
retries run out. Every kind draws from a random stream of its own.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from random import Random
from typing import NamedTuple

from tests.simulation.faults import Fault, Faults
from tests.simulation.loop import VirtualLoop

ENDS_AT_S = 110.0
"""When all trouble ends, from the beginning of the run."""
AWAY_S = 45.0
EXPIRED_S = 20.0
SPELL_S = (3.0, 20.0)
PAUSE_S = (5.0, 30.0)
RARE = 0.05
"""How often trouble strikes between its spells, compared with within."""


class Trouble(StrEnum):
    """A kind of trouble."""

    THROTTLED = "throttled requests"
    THROTTLED_ENTRIES = "throttled entries of batches"
    FAILING = "500 and 503, carried out or not"
    CUT_BEFORE = "connections cut before a request got there"
    CUT_AFTER = "connections cut after a request was carried out"
    UNPROCESSED = "batches of writes done in part"
    SLOW = "slow and late answers"
    LATE_HINTS = "hints late and out of order"
    LOST_HINTS = "hints swallowed"
    DOUBLE_HINTS = "hints doubled"
    DEAD_POLLS = "polls that go on when their client is gone"
    LAGGING_INDEXES = "indexes far behind"
    EMPTY_PAGES = "pages that end anywhere"
    EXPIRED_KEYS = "credentials expired for a while"
    AWAY = "all of AWS away for a while"

    @property
    def short(self) -> str:
        """The name in commands."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def named(cls, short: str) -> Trouble:
        """The kind of a name in a command."""
        return cls[short.upper().replace("-", "_")]


RATES: dict[Trouble, tuple[float, float]] = {
    Trouble.THROTTLED: (0.2, 0.9),
    Trouble.THROTTLED_ENTRIES: (0.2, 0.6),
    Trouble.FAILING: (0.1, 0.95),
    Trouble.CUT_BEFORE: (0.1, 0.85),
    Trouble.CUT_AFTER: (0.1, 0.6),
    Trouble.UNPROCESSED: (0.2, 0.7),
    Trouble.SLOW: (0.05, 0.4),
    Trouble.LATE_HINTS: (0.1, 0.7),
    Trouble.LOST_HINTS: (0.1, 0.7),
    Trouble.DOUBLE_HINTS: (0.2, 0.8),
    Trouble.DEAD_POLLS: (0.1, 0.6),
    Trouble.LAGGING_INDEXES: (0.1, 0.8),
    Trouble.EMPTY_PAGES: (0.2, 0.6),
}
"""The range of each kind's chance within a spell, for each request, entry or hint."""
SHARES = (0.1, 0.3, 1.0)
"""What is left of those chances in a run with several kinds: with all of each, nothing gets on."""
SPARES = 1 / 3
WINDOWS = {Trouble.EXPIRED_KEYS: EXPIRED_S, Trouble.AWAY: AWAY_S}
"""Kinds that come once or twice, for so long."""

_MADE_BY: dict[Trouble, Collection[Fault]] = {
    Trouble.UNPROCESSED: (Fault.PARTIAL_BATCH,),
    Trouble.SLOW: (Fault.SLOW, Fault.LATE_WRITE),
    Trouble.LATE_HINTS: (Fault.LATE_HINT, Fault.DISORDER),
    Trouble.LOST_HINTS: (Fault.LOST_HINT,),
    Trouble.DOUBLE_HINTS: (Fault.DOUBLE_HINT,),
    Trouble.LAGGING_INDEXES: (Fault.INDEX_LAG,),
    Trouble.EMPTY_PAGES: (Fault.EMPTY_PAGE, Fault.SHORT_PAGE),
}
"""Kinds that the simulator knows how to make."""
_MAKES = {fault: kind for kind, faults in _MADE_BY.items() for fault in faults}
_COUNTED_AS = {
    Trouble.THROTTLED: Fault.THROTTLING,
    Trouble.THROTTLED_ENTRIES: Fault.THROTTLED_ENTRY,
    Trouble.FAILING: Fault.LOST_ANSWER,
    Trouble.CUT_BEFORE: Fault.REFUSED,
    Trouble.CUT_AFTER: Fault.LOST_ANSWER,
    Trouble.DEAD_POLLS: Fault.LOST_DELIVERY,
    Trouble.EXPIRED_KEYS: Fault.REFUSED,
    Trouble.AWAY: Fault.REFUSED,
}
"""What the checks take the other kinds for."""
_MEASURES = {Fault.INDEX_LAG: (5.0, 30.0), Fault.LATE_HINT: (1.0, 20.0)}
"""In seconds, where it is more than the simulator's own."""


class Spell(NamedTuple):
    """A time during which trouble strikes often."""

    begin_s: float
    end_s: float

    def covers(self, now_s: float) -> bool:
        """Whether it is on."""
        return self.begin_s <= now_s < self.end_s


class Troubles(Faults):
    """The trouble of one run, in place of the simulator's faults."""

    def __init__(self, seed: int, kinds: Collection[Trouble], loop: VirtualLoop) -> None:
        super().__init__(seed, frozenset(Fault))
        self.kinds = frozenset(kinds)
        self.chosen = frozenset(fault for fault, kind in _MAKES.items() if kind in self.kinds)
        self._loop = loop
        self._draws = {kind: Random(f"{seed}/{kind}") for kind in Trouble}
        share = Random(f"{seed}/share").choice(SHARES) if len(self.kinds) > 1 else 1.0
        self._chances = {kind: share * self._chance(kind) for kind in RATES}
        self.spares_the_table = Random(f"{seed}/spares").random() < SPARES
        """Whether only the queues go away."""
        self._spells = {kind: self._spells_of(kind) for kind in Trouble}
        self.struck: dict[Trouble, int] = dict.fromkeys(self.kinds, 0)

    def strikes(self, fault: Fault) -> bool:
        """Whether the simulator is to make trouble now."""
        kind = _MAKES.get(fault)
        if kind is None or not self.happens(kind):
            return False
        self.counts[fault] += 1
        return True

    def between(self, fault: Fault, low: float, high: float) -> float:
        """How long it takes, but not beyond the end of all trouble."""
        low, high = _MEASURES.get(fault, (low, high))
        left_s = max(0.1, ENDS_AT_S - self._loop.time())
        return min(left_s, self._draws[_MAKES[fault]].uniform(low, high))

    def happens(self, kind: Trouble) -> bool:
        """Whether trouble of this kind strikes now; counted if it does."""
        if self.is_over or kind not in self.kinds:
            return False
        chance = self._chances[kind] * (1.0 if self.is_on(kind) else RARE)
        happens = self._draws[kind].random() < chance
        if happens:
            self.note(kind)
        return happens

    def note(self, kind: Trouble) -> None:
        """It struck."""
        self.struck[kind] += 1
        if kind in _COUNTED_AS:
            self.counts[_COUNTED_AS[kind]] += 1

    def is_on(self, kind: Trouble) -> bool:
        """Whether it is a time of this kind of trouble."""
        if self.is_over or kind not in self.kinds:
            return False
        return any(spell.covers(self._loop.time()) for spell in self._spells[kind])

    def begun(self, kind: Trouble) -> int:
        """How many times of this kind have begun by now."""
        now_s = self._loop.time()
        return sum(spell.begin_s <= now_s for spell in self._spells[kind] if kind in self.kinds)

    def ended(self, kind: Trouble) -> int:
        """How many times of this kind are over by now."""
        now_s = self._loop.time()
        return sum(spell.end_s <= now_s for spell in self._spells[kind] if kind in self.kinds)

    def pick(self, kind: Trouble) -> Random:
        """What is random about it."""
        return self._draws[kind]

    def _chance(self, kind: Trouble) -> float:
        low, high = RATES[kind]
        return float(low * (high / low) ** self._draws[kind].random())

    def _spells_of(self, kind: Trouble) -> list[Spell]:
        draw = self._draws[kind]
        length_s = WINDOWS.get(kind)
        if length_s is not None:
            begin_s = draw.uniform(5, ENDS_AT_S - length_s)
            return [Spell(begin_s, begin_s + length_s)]
        spells: list[Spell] = []
        now_s = draw.uniform(0, PAUSE_S[0])
        while now_s < ENDS_AT_S:
            spells.append(Spell(now_s, now_s + draw.uniform(*SPELL_S)))
            now_s = spells[-1].end_s + draw.uniform(*PAUSE_S)
        return spells
