"""The first entries of an index, over all its parts, in order.

Rules of this file: all parts are read side by side, each a little further than its share, for what
the caller wants is spread over them by chance. Of a part that was not read to its end nobody knows
what comes next: so the merged order is known only as far as the part that was read least, and that
one is read on until enough is known.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from host.storage.aws.table.keys import Item, Key
from host.storage.aws.table.table import Page, together

_EXTRA = 8
"""How many entries more than its share are read of a part, so that one reading is mostly enough."""

E = TypeVar("E", bound=tuple[Any, ...])
"""An entry: a tuple that compares by its place in the index."""


class Entries(NamedTuple, Generic[E]):
    """Entries in order; `is_all` says that there are no more."""

    found: Sequence[E]
    is_all: bool


class ReadPart(Protocol):
    """Reads a page of a part: up to `limit` entries, from where the page before it ended."""

    def __call__(self, part: str, limit: int, rest: Key | None, /) -> Coroutine[Any, Any, Page]:
        """Read it."""


class _Part(Generic[E]):
    """What was read of one part, in order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.found: list[E] = []
        self.rest: Key | None = None
        self.is_open = True

    def take(self, page: Page, entry_of: Callable[[Item], E | None]) -> None:
        """The next page."""
        self.found += (entry for item in page.items if (entry := entry_of(item)) is not None)
        self.rest, self.is_open = page.rest, page.rest is not None


async def first_entries(
    read: ReadPart,
    parts: Sequence[str],
    entry_of: Callable[[Item], E | None],
    *,
    wanted: int,
    is_descending: bool = False,
    is_wanted: Callable[[E], bool] = lambda _: True,
    spread: int | None = None,
) -> Entries[E]:
    """The first `wanted` of those entries that are wanted, or all if there are not so many.

    What `entry_of` makes nothing of is passed over. `spread` is over how many of the parts what is
    wanted may be spread at the least; None if it is over all.
    """
    comes_before: Callable[[E, E], bool] = operator.gt if is_descending else operator.lt
    share = min(wanted, 2 * wanted // (spread or len(parts)) + _EXTRA)
    seen = [_Part[E](name) for name in parts]
    while True:
        found = sorted(
            (entry for part in seen for entry in part.found if is_wanted(entry)),
            reverse=is_descending,
        )
        unread = [part for part in seen if part.is_open]
        behind = unread
        if len(found) >= wanted:
            last = found[wanted - 1]
            behind = [x for x in unread if not x.found or comes_before(x.found[-1], last)]
        if not behind:
            return Entries(found[:wanted] if unread else found, is_all=not unread)
        pages = await together([read(part.name, share, part.rest) for part in behind])
        for part, page in zip(behind, pages, strict=True):
            part.take(page, entry_of)
