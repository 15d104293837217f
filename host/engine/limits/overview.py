"""What is shown of limits: how much of each is in use, and who waits since when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from host.core.limits import Limit, Use
from host.engine.limits.desks import Desks

MAX_USES = 10_000
"""So many records are looked at."""
MAX_KEYS = 100
"""So many keys of a limit are shown, those with most that wait first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much is in use of a limit, or of one key of it; `oldest` waits since then."""

    key: str = ""
    in_use: int = 0
    waiting: int = 0
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitView:
    """A limit as it is now, and its use in all; `keys` are those of one that counts by key."""

    name: str
    limit: Limit
    is_changed: bool
    total: Usage
    keys: tuple[Usage, ...] = ()
    more_keys: int = 0


async def views_of(desks: Desks) -> list[LimitView]:
    """All limits of host.json, in order of name. Raises `StorageError`."""
    uses = await desks.uses(MAX_USES)
    return [_view(desks, name, [x for x in uses if x.limit == name]) for name in _names(desks)]


async def view_of(desks: Desks, name: str) -> LimitView:
    """One of them. Raises `StorageError`."""
    return next(each for each in await views_of(desks) if each.name == name)


def _names(desks: Desks) -> Sequence[str]:
    return sorted(desks.configured)


def _view(desks: Desks, name: str, uses: Iterable[Use]) -> LimitView:
    limit = desks.limit(name) or desks.configured[name]
    found = [_usage(use) for use in uses]
    found.sort(key=lambda each: (-each.waiting, -each.in_use, each.key))
    oldest = min((each.oldest for each in found if each.oldest is not None), default=None)
    return LimitView(
        name=name,
        limit=limit,
        is_changed=desks.is_changed(name),
        total=Usage(
            in_use=sum(each.in_use for each in found),
            waiting=sum(each.waiting for each in found),
            oldest=oldest,
        ),
        keys=tuple(found[:MAX_KEYS]) if limit.per_key else (),
        more_keys=max(0, len(found) - MAX_KEYS) if limit.per_key else 0,
    )


def _usage(use: Use) -> Usage:
    oldest = use.oldest
    return Usage(
        key=use.key,
        in_use=use.in_use,
        waiting=use.waiting,
        oldest=None if oldest is None else datetime.fromtimestamp(oldest, UTC),
    )
