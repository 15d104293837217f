"""Who is told of instances outside of the hub. Not every world has one.

Rules of this file: all that concerns notices is drawn from streams of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from random import Random

from host.core.records import Notice, NoticeKind
from host.engine.notices import TAKEN, Answer, Notifications
from host.storage.kept_notices import notice_in
from host.storage.protocol import NamedRecord
from tests.simulation.faults import Faults

SHARE = 0.3
REFUSED = 0.3
UNHEARD = 0.1
"""So many answers of all are lost: the notice is taken, and its host does not know."""
MANY = 10_000
"""More notices than any world has."""


def has_receiver(seed: int) -> bool:
    """Whether a world has one."""
    return Random(f"{seed}/notices").random() < SHARE


class Receiver:
    """Takes what it is told, for the most part, sooner or later."""

    def __init__(self, seed: int, faults: Faults) -> None:
        self._random = Random(f"{seed}/receiver")
        self._faults = faults
        self.taken: list[Notice] = []

    @property
    def notifications(self) -> Notifications:
        """What hosts are to tell it: all."""
        return Notifications(wanted=frozenset(NoticeKind), post=self._post)

    async def _post(self, notice: Notice) -> Answer:
        await asyncio.sleep(self._random.choice((0.0, 0.02, 0.5, 5.0)))
        if not self._faults.is_over and self._random.random() < REFUSED:
            return Answer("503", self._random.choice((0.0, 0.0, 20.0)))
        self.taken.append(notice)
        if not self._faults.is_over and self._random.random() < UNHEARD:
            return Answer("no answer")
        return TAKEN


def notices_of(records: Iterable[NamedRecord]) -> list[Notice]:
    """The notices that these records keep."""
    kept = map(notice_in, records)
    return [each.notice for each in kept if each is not None]
