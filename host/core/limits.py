"""Limits: how many tasks run at once, and how many begin in a time, over all hosts of a hub.

One record for each limit (and for each key of a limit that counts them apart) says who has how many
slots. Everything here is a function of that record, of a host's wishes, and of the time; times are
seconds since 1970. A rate is kept in slices of its time, so that the record stays small: what began
counts until its whole slice is over, so that in no span of that length more begins than may.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, inf
from typing import NamedTuple

import msgspec

SLICES = 16
"""The time of a rate in slices: so much of it, at most, is capacity back too late."""
MAX_HOLDERS_BYTES = 200_000
MAX_HOLDER_BYTES = 1124
"""So much of a record are the orchestrations with slots, and so much is one at most."""
MAX_SKEW_S = 60.0
"""What began later than this from now was written by a clock that was off, and is forgotten."""


class Rate(msgspec.Struct, frozen=True):
    """At most `count` begin in any `per_s` seconds."""

    count: int
    per_s: float


class Limit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a name of `limits` stands for. At least one of `concurrency` and `rate` is set.

    `per_key`: each key is counted by itself.
    """

    concurrency: int | None = None
    rate: Rate | None = None
    per_key: bool = False


class Share(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one host has of a limit, until it renews that: after `until` it is nobody's.

    `waiting` is how many tasks of the host wait, `oldest` since when the first of them does.
    """

    until: float
    taken: int = 0
    waiting: int = 0
    oldest: float | None = None


class Holder(msgspec.Struct, frozen=True):
    """An orchestration that has a slot until it ends: which run of it, since when."""

    run_id: str
    since: float


class Use(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who uses a limit, or one key of it: hosts by id, orchestrations by instance id.

    `began` has the slices in which something began, by their ends, and how much.
    """

    limit: str
    key: str = ""
    shares: dict[str, Share] = {}
    holders: dict[str, Holder] = {}
    began: tuple[tuple[float, int], ...] = ()

    @property
    def in_use(self) -> int:
        """How many slots somebody has."""
        return sum(share.taken for share in self.shares.values()) + len(self.holders)

    @property
    def waiting(self) -> int:
        """How many tasks wait, as far as their hosts have said."""
        return sum(share.waiting for share in self.shares.values())

    @property
    def oldest(self) -> float | None:
        """Since when the first of them waits."""
        return min((x.oldest for x in self.shares.values() if x.oldest is not None), default=None)

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing."""
        return not (self.shares or self.holders or self.began)


class Room(NamedTuple):
    """How many may begin now; if none, when it is worth while to ask again: inf if nobody knows."""

    slots: int
    again_at: float = inf


def alive(use: Use, now: float, me: str, *, longest_s: float, is_alone: bool) -> Use:
    """The same without the shares of hosts that are gone.

    A share that ends later than twice the longest time is of a clock that was off. `is_alone`: the
    store is of one process, so all others are gone.
    """
    shares = {
        host: share
        for host, share in use.shares.items()
        if host == me or (not is_alone and now < share.until <= now + 2 * longest_s + MAX_SKEW_S)
    }
    return use if len(shares) == len(use.shares) else msgspec.structs.replace(use, shares=shares)


def without_past(use: Use, rate: Rate | None, now: float) -> Use:
    """The same without what began so long ago that it counts no more."""
    per_s = 0.0 if rate is None else rate.per_s
    began = tuple(
        each
        for each in use.began
        if now < each[0] + per_s and each[0] <= now + per_s + MAX_SKEW_S and rate is not None
    )
    return use if len(began) == len(use.began) else msgspec.structs.replace(use, began=began)


def room(limit: Limit, use: Use, me: str, *, held: int) -> Room:
    """How many tasks of this host may begin now, if it has `held` slots in use.

    `use` is without what is gone. What a host has taken and does not use counts as free for it.
    """
    slots = _free_slots(limit, use, me, held)
    if limit.rate is None or slots <= 0:
        return Room(max(0, slots))
    began = sum(count for _, count in use.began)
    if began < limit.rate.count:
        return Room(min(slots, limit.rate.count - began))
    return Room(0, _next_capacity(limit.rate, use, began))


def _free_slots(limit: Limit, use: Use, me: str, held: int) -> int:
    if limit.concurrency is None:
        return limit.rate.count if limit.rate is not None else held + 1
    others = {host: share for host, share in use.shares.items() if host != me}
    taken = sum(share.taken for share in others.values())
    free = limit.concurrency - taken - len(use.holders) - held
    wanted = sum(share.waiting for share in others.values())
    if free <= 0 or not wanted:
        return free
    return max(free - wanted, min(free, fair_share(limit, use, me) - held))


def room_for_holders(use: Use) -> int:
    """For how many more orchestrations the record has room, whatever their ids are."""
    taken = sum(len(each.encode()) + 100 for each in use.holders)
    return max(0, MAX_HOLDERS_BYTES - taken) // MAX_HOLDER_BYTES


def fair_share(limit: Limit, use: Use, me: str) -> int:
    """How many slots a host keeps while others wait, too: one at least."""
    at_it = {host for host, share in use.shares.items() if share.taken or share.waiting} | {me}
    return -(-(limit.concurrency or 0) // len(at_it)) or 1


def others_wait(use: Use, me: str) -> bool:
    """Whether tasks of other hosts wait."""
    return any(share.waiting for host, share in use.shares.items() if host != me)


def _next_capacity(rate: Rate, use: Use, began: int) -> float:
    """When enough of what began counts no more."""
    for end, count in sorted(use.began):
        began -= count
        if began < rate.count:
            return end + rate.per_s
    return inf


def with_begun(use: Use, rate: Rate | None, count: int, now: float) -> Use:
    """The same after so many have begun."""
    if rate is None or not count:
        return use
    width = rate.per_s / SLICES
    end = (floor(now / width) + 1) * width
    latest = max((each for each, _ in use.began), default=0.0)
    end = max(end, latest)  # of hosts whose clocks differ, the one that is ahead counts
    began = dict(use.began)
    began[end] = began.get(end, 0) + count
    return msgspec.structs.replace(use, began=tuple(sorted(began.items())))


def with_share(use: Use, host: str, share: Share | None) -> Use:
    """The same with this share of a host; None takes it away."""
    shares = {name: each for name, each in use.shares.items() if name != host}
    if share is not None:
        shares[host] = share
    return msgspec.structs.replace(use, shares=shares)


def with_holders(use: Use, *, come: Mapping[str, Holder], gone: Mapping[str, str]) -> Use:
    """The same after these orchestrations got slots, and these runs gave theirs back."""
    holders = {
        instance_id: holder
        for instance_id, holder in use.holders.items()
        if gone.get(instance_id) != holder.run_id
    }
    return msgspec.structs.replace(use, holders={**holders, **come})
