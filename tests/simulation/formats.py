"""What format a simulated hub has, and whether it grows while hosts are at work.

Rules of this file: the seed decides. A hub grows as `funchost hub grow` lets it: that all parts are
to be read is written before anybody may write to them, long enough for every host to look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from host.storage.aws.schema import (
    BARE_INDEXES,
    FORMAT_VERSION,
    HubLayout,
    table_definition,
)
from host.storage.aws.table.hub_format import (
    FORMAT_1,
    LAST_BY_CREATION,
    HubFormat,
    item_of,
    new_format,
)
from host.storage.aws.table.keys import Item
from host.storage.aws.table.parts import GROWING_TAKES

GROWN_BY_S = 60.0
"""Until then most of what happens is still to come."""
ONE_IN_THREE = 1 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """When hosts are to read more parts, and when they may write to them."""

    parts: int
    reads_at_s: float
    writes_at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedFormat:
    """What the hub is made with; `first` is None if its first host is to choose.

    It chooses what the table was made for, by a template of some version.
    """

    first: HubFormat | None
    made_for: int = FORMAT_VERSION
    growth: Growth | None = None

    def definition(self, layout: HubLayout) -> Mapping[str, Any]:
        """The table, whose index of unfinished instances is bare in the oldest hubs."""
        version = self.made_for if self.first is None else self.first.version
        definition = table_definition(replace(layout, format_version=version))
        if version == FORMAT_1.version:
            for index in definition["GlobalSecondaryIndexes"]:
                if index["IndexName"] in BARE_INDEXES:
                    index["Projection"] = {"ProjectionType": "KEYS_ONLY"}
        return definition

    def arrange(self, put: Callable[[Item], object], later: Callable[..., object]) -> None:
        """Write what hosts find, and what they find later."""
        if self.first is None:
            return
        put(item_of(self.first))
        if self.growth is not None:
            reading = self.first.reading(self.growth.parts)
            if self.growth.reads_at_s == 0.0:
                put(item_of(reading))
            else:
                later(self.growth.reads_at_s, put, item_of(reading))
            later(self.growth.writes_at_s, put, item_of(reading.grown()))


def format_of(seed: int) -> SimulatedFormat:
    """The format of this seed's hub."""
    random = Random(f"{seed}/format")
    kind = random.randrange(8)
    version = random.choice((LAST_BY_CREATION, FORMAT_VERSION))

    def new(*parts: int) -> HubFormat:
        return new_format(random.choice(parts), version=version)

    match kind:
        case 0:
            return SimulatedFormat(first=FORMAT_1)
        case 1 | 2:
            return SimulatedFormat(first=new(1, 3, 16))
        case 3 | 4:  # all hosts open a hub that is about to grow
            growth = Growth(
                parts=random.randint(5, 16),
                reads_at_s=0.0,
                writes_at_s=random.uniform(1.0, GROWN_BY_S),
            )
            return SimulatedFormat(
                first=FORMAT_1 if random.random() < ONE_IN_THREE else new(1, 2), growth=growth
            )
        case 5:
            reads_at_s = random.uniform(1.0, GROWN_BY_S)
            writes_at_s = reads_at_s + GROWING_TAKES.total_seconds()
            growth = Growth(parts=9, reads_at_s=reads_at_s, writes_at_s=writes_at_s)
            return SimulatedFormat(first=new(2), growth=growth)
        case _:
            return SimulatedFormat(first=None, made_for=version)
