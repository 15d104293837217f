"""The owners of claims: each attempt to begin an activity at most once has one of its own.

A request that was given up may be carried out yet, long after. If two attempts of a host had one
owner, such a one could give back what the host has begun meanwhile. An owner whose claim was given
back has begun nothing, for ever.
"""

from __future__ import annotations

from itertools import count

MAX_GIVEN_BACK = 10_000


class Claims:
    """Names the attempts of one host."""

    def __init__(self, host_id: str) -> None:
        self._host_id = host_id
        self._numbers = count(1)

        self._given_back: dict[str, None] = {}

    def owner(self) -> str:
        """The owner of a claim that is about to be made."""
        return f"{self._host_id}.{next(self._numbers)}"

    def give_back(self, owner: str) -> None:
        """What has this owner was not begun, and will not be by it."""
        if len(self._given_back) >= MAX_GIVEN_BACK:
            del self._given_back[next(iter(self._given_back))]
        self._given_back[owner] = None

    def were_given_back(self, owner: str) -> bool:
        """Whether what has this owner is known to be not begun."""
        return owner in self._given_back
