"""Which attributes of a row put it into the hub's indexes.

Rules of this file: pure, and the one place where formats of hubs differ in what they write. All
entries are in order of creation (`ls`, which every row has), but for the older `us`.

| format | attributes | index        | who is there               | in order of | it holds      |
|--------|------------|--------------|----------------------------|-------------|---------------|
| 1, 2   | `l` `ls`   | `listing`    | all                        | creation    | status, name  |
|        | `u` `us`   | `unfinished` | who may have work          | ids         | led, status   |
| 3      | `l` `ls`   | `named`      | all, by name               | creation    |               |
|        | `u` `ls`   | `unfinished` | who may have work          | creation    | led, status,  |
|        |            |              |                            |             | name          |
|        | `f` `ls`   | `ended`      | who is finished, by status | creation    | status, name  |

Who may have work is unfinished, or finished but for unawaited activities (`e`). In format 3
entities lie under a key of their own: they never end, and a list of what runs would pass over all.
"""

from __future__ import annotations

from dataclasses import dataclass

from bindings.client import RuntimeStatus
from host.core import ids
from host.core.records import Instance
from host.storage.aws.table.keys import Item, cut, text

UNFINISHED = ("u", "us")
"""What to remove of a row that has no work any more, whatever the format."""
ENDED = ("f",)
"""What to remove of a row that is finished no more."""


@dataclass(frozen=True, slots=True)
class Placing:
    """Where a row's new entries go: the part of each index, and whether these are by state."""

    part: str
    is_by_state: bool

    def for_life(self, row: Instance) -> Item:
        """What the row has from its creation until it is gone."""
        return {"l": text(named(self.part, row.name) if self.is_by_state else self.part)}

    def unfinished(self, row: Instance) -> Item:
        """What it has as long as there may be work."""
        if not self.is_by_state:
            return {"u": text(self.part), "us": text(cut(row.instance_id))}
        return {"u": text(unfinished(self.part, entities=ids.is_entity(row.instance_id)))}

    def ended(self, row: Instance) -> Item:
        """What it has since it is finished."""
        return {"f": text(ended(self.part, row.status))} if self.is_by_state else {}


def unfinished(part: str, *, entities: bool) -> str:
    """The key of a part of the index of who may have work."""
    return f"{part}#@" if entities else part


def named(part: str, name: str) -> str:
    """The key of a part of the index by name; names that are too long may share one."""
    return cut(f"{part}#{name}")


def ended(part: str, status: RuntimeStatus) -> str:
    """The key of a part of the index of who ended so.

    What hardly any hub has lies with its like: each key is a query more for a list of everything.
    """
    filed = RuntimeStatus.TERMINATED if status is RuntimeStatus.CANCELED else status
    return f"{part}#{filed.value}"
