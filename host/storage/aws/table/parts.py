"""The parts of a hub's indexes: where new entries go, and all that must be read.

Rules of this file: a hub may grow while hosts run, so its format is looked at again. Whoever reads
an index has looked within `LOOK_EVERY`; who cannot look does not read. Whoever writes may know of
fewer parts than there are, but never of more than everybody reads: the command that lets a hub grow
first says what is to be read, waits for longer than `LOOK_EVERY`, and only then lets anybody write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from host.errors import StorageError, StorageUnavailableError
from host.storage.aws.schema import ENDED_INDEX, FORMAT_VERSION
from host.storage.aws.table.hub_format import (
    LAST_BY_CREATION,
    HubFormat,
    format_of,
    item_of,
    new_format,
)
from host.storage.aws.table.keys import FORMAT_KEY, part_names, part_of, text
from host.storage.aws.table.placing import Placing
from host.storage.aws.table.table import MISSING, Expression, Table
from host.storage.aws.wire.errors import AwsError, ConditionFailedError, ResourceMissingError

LOOK_EVERY = timedelta(seconds=120)
"""A read for each host in that time: 0.003 USD a month."""
GROWING_TAKES = 3 * LOOK_EVERY
"""What the command waits: clocks may be set back, and a request may be on its way for a while."""

_INVALID = "ValidationException"
_OTHER_KEYS = ("GetItem", _INVALID)
"""How DynamoDB refuses a key that is none of the table's."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_UNSEEN = new_format(1)
"""The first part is always there, so it is the one to write to before anything is known."""


class Parts:
    """What this process knows of the parts of its hub."""

    def __init__(self, table: Table, now: Callable[[], datetime]) -> None:
        self._table = table
        self._now = now
        self._format = _UNSEEN
        self._looked_at = _NEVER
        self._is_looking = False

    @property
    def format(self) -> HubFormat:
        """The format as it was last seen."""
        return self._format

    async def open(self) -> None:
        """Read the format, or write that of a new hub if nobody has.

        Raises `StorageUnavailableError` if there is no table, or if it is of a format that this
        version does not know.
        """
        looked_at = self._now()
        try:
            found = await self._table.get(FORMAT_KEY)
            if found is None:
                version = await self._version_of_table()
                found = item_of(new_format(made_at=looked_at, version=version))
                await self._table.put(found, MISSING)
        except ConditionFailedError:  # another host was first
            found = await self._table.get(FORMAT_KEY)
        except ResourceMissingError as error:
            raise StorageUnavailableError(
                f"There is no table '{self._table.name}' in {self._table.region}, in this account: "
                "create the hub with `funchost hub create`."
            ) from error
        except AwsError as error:
            if (error.operation, error.code) != _OTHER_KEYS:
                raise
            raise StorageUnavailableError(
                f"The table '{self._table.name}' in {self._table.region} is no hub's: its keys are"
                " others. Check the hub's name, tablePrefix and tableName."
            ) from error
        self._keep(format_of(found or {}), looked_at)

    async def _version_of_table(self) -> int:
        """The format that the table was made for: an older template makes other indexes."""
        try:
            keys = Expression("#f = :f", {":f": text("none")})
            await self._table.query(keys, index=ENDED_INDEX, limit=1)
        except ResourceMissingError:  # the table is there: some servers say so of its index
            return LAST_BY_CREATION
        except AwsError as error:
            if error.code != _INVALID:
                raise
            return LAST_BY_CREATION
        return FORMAT_VERSION

    async def look_if_old(self) -> None:
        """Look at the format again if that was long ago."""
        if self._is_old():
            looked_at = self._now()
            found = await self._table.get(FORMAT_KEY)
            if found is not None:
                self._keep(format_of(found), looked_at)

    async def look_by_the_way(self) -> None:
        """Look again if that was long ago, one caller for all; if that fails, some other time."""
        if self._is_looking:
            return
        self._is_looking = True
        try:
            with suppress(StorageError):
                await self.look_if_old()
        finally:
            self._is_looking = False

    async def to_read(self) -> Sequence[str]:
        """All parts that may hold entries."""
        await self.look_if_old()
        return part_names(self._format.read_parts)

    def part_of(self, instance_id: str) -> str:
        """The part that a new entry of the instance goes to."""
        return part_of(instance_id, self._format.parts)

    def placing_of(self, instance_id: str) -> Placing:
        """Where the indexes hold the instance's row if it is put there now."""
        return Placing(self.part_of(instance_id), self._format.is_by_state)

    def _is_old(self) -> bool:
        """Whether it is to be looked at again; also if the clock was set back."""
        return not timedelta(0) <= self._now() - self._looked_at <= LOOK_EVERY

    def _keep(self, seen: HubFormat, looked_at: datetime) -> None:
        if seen.problem is not None:
            raise StorageUnavailableError(
                f"The table '{self._table.name}' cannot be used: {seen.problem}. Upgrade this host."
            )
        self._format, self._looked_at = seen, looked_at
