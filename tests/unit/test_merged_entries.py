"""One order over all parts of an index, however their pages end."""

from __future__ import annotations

from random import Random
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.storage.aws.table.keys import Item, Key
from host.storage.aws.table.merged import Entries, first_entries
from host.storage.aws.table.table import Page

Entry: TypeAlias = tuple[int]


class Index:
    """An index whose pages end where they like."""

    def __init__(self, parts: list[list[int]], seed: int | None = None) -> None:
        self.parts = {str(name): sorted(numbers) for name, numbers in enumerate(parts)}
        self._random = None if seed is None else Random(seed)
        self.requests = 0
        self.entries_read = 0

    async def first(
        self, wanted: int, *, is_descending: bool = False, above: int = -1
    ) -> Entries[Entry]:
        async def read(part: str, limit: int, rest: Key | None) -> Page:
            numbers = self.parts[part][::-1] if is_descending else self.parts[part]
            start = int(rest["place"]["N"]) if rest else 0
            end = start + self._length(limit)
            self.requests += 1
            self.entries_read += len(numbers[start:end])
            items = [{"n": {"N": str(number)}} for number in numbers[start:end]]
            more = bool(items) and (end < len(numbers) or self._random is not None)
            return Page(items, {"place": {"N": str(end)}} if more else None)

        return await first_entries(
            read,
            list(self.parts),
            number_of,
            wanted=wanted,
            is_descending=is_descending,
            is_wanted=lambda entry: entry[0] > above,
        )

    def _length(self, limit: int) -> int:
        if self._random is None:
            return limit
        return self._random.choice([1, max(limit // 2, 1), limit])


def number_of(item: Item) -> Entry:
    return (int(item["n"]["N"]),)


@given(
    parts=st.lists(st.lists(st.integers(0, 999), max_size=30), min_size=1, max_size=9),
    wanted=st.integers(1, 40),
    above=st.integers(-1, 999),
    is_descending=st.booleans(),
    seed=st.none() | st.integers(0, 99),
)
async def test_the_first_entries_come_in_order_whatever_the_pages(
    *, parts: list[list[int]], wanted: int, above: int, is_descending: bool, seed: int | None
) -> None:
    everything = [(n,) for part in parts for n in part if n > above]
    everything.sort(reverse=is_descending)
    entries = await Index(parts, seed).first(wanted, is_descending=is_descending, above=above)
    if entries.is_all:
        assert list(entries.found) == everything
    else:
        assert list(entries.found) == everything[:wanted]
        assert len(entries.found) == wanted


@pytest.mark.parametrize("count", [4, 64, 512])
async def test_a_page_over_many_parts_reads_little_more_than_it_shows(count: int) -> None:
    numbers = list(range(100_000))
    Random(1).shuffle(numbers)
    index = Index([numbers[n::count] for n in range(count)])
    entries = await index.first(101)
    assert [entry[0] for entry in entries.found] == list(range(101))
    assert index.requests <= count * 1.1
    assert index.entries_read <= 2 * 101 + 10 * count


async def test_parts_that_end_beyond_what_is_wanted_are_not_read_on() -> None:
    index = Index([list(range(1000)), *([5000 + n] * 100 for n in range(15))])
    entries = await index.first(400)
    assert [entry[0] for entry in entries.found] == list(range(400))
    assert index.requests <= 2 * 16
