"""The format of a hub: what is agreed among all that read and write its table.

Rules of this file: pure. It is one item, `hub` / `format`:

| attribute | what                                                              | of        |
|-----------|-------------------------------------------------------------------|-----------|
| `v`       | the version; who knows only older ones leaves the table alone     | all       |
| `n`       | how many parts of each index new entries go to                    | 2         |
| `m`       | how many parts are read, where those are more: the hub is growing | 2         |
| `t`       | when the hub was made; older hubs do not say                      | 2         |

Format 3 has other indexes (`placing`). A hub keeps those that it was made with: format 1 becomes 2
when it grows, and neither ever becomes 3.

Each index of a hub is divided into parts, by the hash of the instance, since DynamoDB takes no more
than 1,000 writes a second for one key. Format 1 has four until it grows; its index of unfinished
instances holds only keys, also then, so an entry that says nothing of its instance may be of any.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from host.errors import StorageUnavailableError
from host.storage import rules
from host.storage.aws.schema import BY_STATE_SINCE, DEFAULT_PARTITIONS, FORMAT_VERSION
from host.storage.aws.table.keys import FORMAT_KEY, Item, moment, number, read_number

LAST_BY_CREATION = BY_STATE_SINCE - 1
"""The format of hubs whose table was made by a version that knew no other."""
_PARTS_OF_FORMAT_1 = 4
_TOLD = 200
"""Of what makes no sense, so much is told: anybody may have written it."""
_MOST_PARTS = 10_000
"""Each is read by a query of its own whenever an index is looked at: nobody means to have more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFormat:
    """What a hub's table is like."""

    version: int = FORMAT_VERSION
    parts: int = DEFAULT_PARTITIONS
    read_parts: int = DEFAULT_PARTITIONS
    made_at: datetime | None = None
    """When the hub was made; None if a version made it that did not write that down."""

    @property
    def is_growing(self) -> bool:
        """Whether parts are read that nobody may write to yet."""
        return self.read_parts > self.parts

    @property
    def is_by_state(self) -> bool:
        """Whether its indexes find instances by state and by name."""
        return self.version >= BY_STATE_SINCE

    @property
    def problem(self) -> str | None:
        """Why this version of funchost leaves the table alone, if so."""
        if self.version <= FORMAT_VERSION:
            return None
        known = f"this one knows {FORMAT_VERSION}"
        return f"its format is {self.version}, of a newer version of funchost; {known}"

    def reading(self, parts: int) -> HubFormat:
        """So many parts are read; new entries go where they went."""
        return replace(self, version=max(self.version, LAST_BY_CREATION), read_parts=parts)

    def grown(self) -> HubFormat:
        """New entries go to all parts that are read."""
        return replace(self, version=max(self.version, LAST_BY_CREATION), parts=self.read_parts)


FORMAT_1 = HubFormat(version=1, parts=_PARTS_OF_FORMAT_1, read_parts=_PARTS_OF_FORMAT_1)


def new_format(
    parts: int = DEFAULT_PARTITIONS,
    made_at: datetime | None = None,
    *,
    version: int = FORMAT_VERSION,
) -> HubFormat:
    """The format of a new hub, whose table has the indexes of this version."""
    return HubFormat(version=version, parts=parts, read_parts=parts, made_at=made_at)


def format_of(item: Item) -> HubFormat:
    """The format that is stored. Raises `StorageUnavailableError` if it makes no sense."""
    try:
        version = read_number(item, "v")
        if version <= 1:
            return FORMAT_1
        if version > FORMAT_VERSION:  # what else it holds is not for this version to read
            return HubFormat(version=version)
        parts = read_number(item, "n")
        read_parts = read_number(item, "m") if "m" in item else parts
        made_at = rules.from_micros(read_number(item, "t")) if "t" in item else None
    except (LookupError, TypeError, ValueError) as error:
        raise _senseless(item) from error
    if not 1 <= parts <= read_parts <= _MOST_PARTS:
        raise _senseless(item)
    return HubFormat(version=version, parts=parts, read_parts=read_parts, made_at=made_at)


def item_of(format_: HubFormat) -> Item:
    """The item that stores a format."""
    if format_.version == 1:
        return FORMAT_KEY | {"v": number(1)}
    item = FORMAT_KEY | {"v": number(format_.version), "n": number(format_.parts)}
    if format_.is_growing:
        item |= {"m": number(format_.read_parts)}
    if format_.made_at is not None:
        item |= {"t": moment(format_.made_at)}
    return item


def _senseless(item: Item) -> StorageUnavailableError:
    found = str({name: item[name] for name in ("v", "n", "m") if name in item})[:_TOLD]
    return StorageUnavailableError(
        f"The hub's format makes no sense: the item 'hub', 'format' of its table has {found}. "
        "Restore the table from a backup."
    )
