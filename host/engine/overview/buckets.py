"""How many instances were created in each of many stretches of time of one length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec

from bindings.client import RuntimeStatus
from host.core.records import TICK
from host.engine.together import together
from host.storage.protocol import HubStore, InstanceFilter

Counts: TypeAlias = Mapping[RuntimeStatus, int]
Stretch: TypeAlias = tuple[datetime, datetime]
"""From a moment on, and before another one."""
EVERYTHING = InstanceFilter()

_AT_ONCE = 8
"""So many counts are asked for side by side: a store that does one at a time has others to answer
in between."""
_LEAST_STEP = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts by the stretch of time in which instances were created; the first begins at `start`.

    The last stretch may reach beyond `end`, and nothing in it is later than that.
    """

    start: datetime
    end: datetime
    step: timedelta
    buckets: Sequence[Counts]


async def histogram(
    store: HubStore, filter_: InstanceFilter, start: datetime, end: datetime, number: int
) -> Histogram:
    """So many stretches from `start` to `end`, both included, or fewer if those were too short.

    Raises `StorageError`.
    """
    step = max(_LEAST_STEP, _whole((end - start) / number))
    begins = [start + step * at for at in range(number) if start + step * at <= end]
    stretches = [(each, min(each + step, end + TICK)) for each in begins]
    counts = await counted_all(store, stretches, filter_)
    return Histogram(start=start, end=end, step=step, buckets=counts)


async def counted_all(
    store: HubStore, stretches: Sequence[Stretch], filter_: InstanceFilter = EVERYTHING
) -> list[Counts]:
    """How many of the filter's instances were created in each. Raises `StorageError`."""
    return await together(
        [_counted(store, filter_, first, end) for first, end in stretches], at_once=_AT_ONCE
    )


def _whole(step: timedelta) -> timedelta:
    """The next whole millisecond, so that as many steps as are asked for reach the end."""
    return (step // _LEAST_STEP + 1) * _LEAST_STEP


async def _counted(
    store: HubStore, filter_: InstanceFilter, first: datetime, end: datetime
) -> Counts:
    within = msgspec.structs.replace(filter_, created_from=first, created_to=end - TICK)
    return await store.count(within)
