"""The alarms of all instances, by time: an index of the rows that have one.

Rules of this file: setting and clearing an alarm is part of writing its row. An index of DynamoDB
is a moment behind its table, and a short timer may be due by then; so what this process set a
moment ago is remembered here. An alarm that is reported in vain is harmless.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from host.storage import rules
from host.storage.aws.schema import ALARMS_INDEX
from host.storage.aws.table.hub_table import HubTable
from host.storage.aws.table.items import SENSELESS, alarm_of
from host.storage.aws.table.keys import Item, id_of, is_short, read_text, sortable, text
from host.storage.aws.table.table import Expression, together
from host.storage.protocol import Alarm

REMEMBERED_FOR = timedelta(seconds=5)
MAX_REMEMBERED = 10_000


class Alarms:
    """Reads the index of alarms."""

    def __init__(self, hub: HubTable) -> None:
        self._hub = hub
        self._recent: OrderedDict[str, tuple[datetime, datetime]] = OrderedDict()
        """When it is due, and when it was set; the latest set last."""

    def notice(self, instance_id: str, due: datetime | None) -> None:
        """Remember that this process set or cleared an alarm."""
        self._recent.pop(instance_id, None)
        if due is not None:
            self._recent[instance_id] = (due, self._hub.now())
            if len(self._recent) > MAX_REMEMBERED:
                self._recent.popitem(last=False)

    async def due(self, now: datetime, limit: int) -> Sequence[Alarm]:
        """Alarms due, the oldest first."""
        end = sortable(rules.micros(now) + 1)
        found = await self._query("#ws < :end", {":end": end}, limit)
        found |= {each.instance_id: each for each in self._remembered()}
        due = [each for each in found.values() if each.due <= now]
        return sorted(due, key=lambda each: (each.due, each.instance_id))[:limit]

    async def next(self, after: datetime) -> datetime | None:
        """The first alarm later than `after`."""
        begin = sortable(rules.micros(after) + 1)
        found = await self._query("#ws >= :begin", {":begin": begin}, 1)
        later = [*found.values(), *self._remembered()]
        return min((each.due for each in later if each.due > after), default=None)

    async def _query(self, condition: str, values: dict[str, str], limit: int) -> dict[str, Alarm]:
        bounds = {name: text(value) for name, value in values.items()}
        pages = await together(
            [
                self._hub.table.query(
                    Expression(f"#w = :w AND {condition}", {**bounds, ":w": text(part)}),
                    index=ALARMS_INDEX,
                    limit=limit,
                )
                for part in await self._hub.parts.to_read()
            ]
        )
        return {
            id_of(item): alarm for page in pages for item in page.items if (alarm := alarm_in(item))
        }

    def _remembered(self) -> Sequence[Alarm]:
        oldest = self._hub.now() - REMEMBERED_FOR
        while self._recent and next(iter(self._recent.values()))[1] < oldest:
            self._recent.popitem(last=False)
        return [
            Alarm(instance_id=id_, due=due, is_short=rules.is_short(due, set_at))
            for id_, (due, set_at) in self._recent.items()
        ]


def alarm_in(item: Item) -> Alarm | None:
    """The alarm that an entry of the index is about; None for one that makes no sense."""
    with suppress(*SENSELESS):
        due = alarm_of(item)
        if due is not None:
            return Alarm(instance_id=id_of(item), due=due, is_short=is_short(read_text(item, "ws")))
    return None
