"""Debounced starts in some worlds: who makes them, and which inputs must have been taken.

Each start has an input of its own, and each run does an activity of that label. So it can be seen
in the end whether the last input was taken, and whether one was that nobody was told of. All that
concerns these starts is drawn from streams of its own, and most worlds have none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any, Final

from bindings import OrchestrationContext
from bindings.client import ReusePolicy
from host.engine.client import HubClient

EVERY: Final = 5
NAME: Final = "bounce"
IDS: Final = ("bounce-a", "bounce-b")
BOUNCERS: Final = 3
_POLICIES: Final = (ReusePolicy.WHEN_FINISHED, ReusePolicy.WHEN_FINISHED, ReusePolicy.KEEP_ACTIVE)


def has_bouncers(seed: int) -> bool:
    """Whether a world has debounced starts."""
    return seed % EVERY == EVERY - 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """One attempt at a debounced start: between which times it was made, and what was answered."""

    target: str
    words: str
    begun_at: float
    ended_at: float
    is_done: bool
    is_refused: bool
    may_be_kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A debounced start that is to be made."""

    target: str
    wait: timedelta
    reuse: ReusePolicy

    async def make(self, client: HubClient, words: str) -> None:
        """Ask a host for it."""
        await client.schedule_new_orchestration(
            NAME, input=words, instance_id=self.target, debounce=self.wait, reuse=self.reuse
        )


def wishes(random: Random) -> Iterator[tuple[float, Wish]]:
    """What somebody wants to start, each after a pause."""
    for _ in range(random.randint(2, 9)):
        pause_s = random.choice((0, 0.2, 1, 3, 8, 20))
        wait = timedelta(seconds=random.choice((0.1, 1, 2, 4)))
        yield (
            pause_s,
            Wish(target=random.choice(IDS), wait=wait, reuse=random.choice(_POLICIES)),
        )


async def bounce(context: OrchestrationContext, words: str) -> Any:
    """Take the input, and keep the id for a while."""
    return await context.call_activity("echo", {"label": words, "s": len(words) % 3})


def problems_of_bounces(
    bounces: Collection[Bounce], ended: Mapping[str, int], begun: Mapping[str, int]
) -> Iterator[str]:
    """What is wrong with debounced starts, when all has come to rest."""
    for each in bounces:
        if each.is_refused and begun.get(each.words):
            yield f"{each.target} took {each.words}, whose start was refused"
        is_last = each.is_done and not any(_may_be_later(other, each) for other in bounces)
        if is_last and not each.may_be_kept and not ended.get(each.words):
            yield f"{each.target} did not take {each.words}, and nothing came later"


def _may_be_later(other: Bounce, one: Bounce) -> bool:
    """Whether the other start may have come after this one; of one without answer nobody knows."""
    if other is one or other.target != one.target or other.is_refused:
        return False
    return not other.is_done or other.ended_at >= one.begun_at
