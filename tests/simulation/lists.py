"""Lists and counts when all has come to rest: they find what is stored, whatever it went through.

Rules of this file: what a filter means is said here once more, in words of its own, so that a
mistake in what all drivers share is seen, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from random import Random
from typing import TypeAlias

from bindings.client import ListOrder, RuntimeStatus
from host.core.records import Instance
from host.storage.protocol import InstanceFilter, InstancePage

Query: TypeAlias = Callable[[InstanceFilter, int, str | None], Awaitable[InstancePage]]
Count: TypeAlias = Callable[[InstanceFilter], Awaitable[Mapping[RuntimeStatus, int]]]

FILTERS = 6


async def problems_of_lists(
    query: Query, count: Count, rows: Sequence[Instance], random: Random
) -> list[str]:
    """What some lists and counts have too much, too little or in another order."""
    problems: list[str] = []
    for filter_ in _some_filters(random, rows):
        expected = _expected(filter_, rows)
        found = await _all(query, filter_, random.choice([1, 3, 100]))
        if found != [row.instance_id for row in expected]:
            problems.append(f"{found} instead of {expected} for {filter_}")
        counted = dict(await count(filter_))
        if counted != Counter(row.status for row in expected):
            problems.append(f"{counted} are counted for {filter_}")
    return problems


def _some_filters(random: Random, rows: Sequence[Instance]) -> Iterator[InstanceFilter]:
    for _ in range(FILTERS):
        one, other = random.choice(rows), random.choice(rows)
        fields = {
            "statuses": frozenset({one.status, RuntimeStatus.RUNNING}),
            "names": frozenset({one.name}),
            "id_prefix": one.instance_id[: random.randint(1, 3)],
            "created_from": one.created_at,
            "created_to": other.created_at,
            "updated_from": one.updated_at,
            "updated_to": other.updated_at,
            "text": one.instance_id.upper(),
        }
        chosen = random.sample(list(fields), random.choice([0, 1, 1, 2]))
        yield _filter(random.choice(list(ListOrder)), {name: fields[name] for name in chosen})


def _filter(order: ListOrder, fields: Mapping[str, object]) -> InstanceFilter:
    return InstanceFilter(order=order, **fields)  # type: ignore[arg-type]  # drawn from above


def _expected(filter_: InstanceFilter, rows: Sequence[Instance]) -> list[Instance]:
    by_change = filter_.order is ListOrder.UPDATED
    found = [row for row in rows if _is_meant(filter_, row)]
    return sorted(
        found,
        key=lambda row: (row.updated_at if by_change else row.created_at, row.instance_id),
        reverse=True,
    )


def _is_meant(filter_: InstanceFilter, row: Instance) -> bool:
    if filter_.statuses and row.status not in filter_.statuses:
        return False
    if filter_.names and row.name not in filter_.names:
        return False
    if not row.instance_id.startswith(filter_.id_prefix or ""):
        return False
    if filter_.text and not _says(row, filter_.text):
        return False
    for first, moment, last in (
        (filter_.created_from, row.created_at, filter_.created_to),
        (filter_.updated_from, row.updated_at, filter_.updated_to),
    ):
        if (first is not None and moment < first) or (last is not None and moment > last):
            return False
    return True


def _says(row: Instance, text: str) -> bool:
    failure = row.failure
    said = [] if failure is None else [failure.error_type, failure.message]
    texts = [row.instance_id, row.custom_status or "", *said]
    return any(text.lower() in each.lower() for each in texts)


async def _all(query: Query, filter_: InstanceFilter, limit: int) -> list[str]:
    found: list[str] = []
    token: str | None = None
    while True:
        page = await query(filter_, limit, token)
        found += [row.instance_id for row in page.instances]
        token = page.token
        if token is None:
            return found
