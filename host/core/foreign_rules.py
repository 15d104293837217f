"""What is asked of whatever comes from outside, of orchestrations and of entities."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from bindings.errors import InvalidArgumentError
from host.core.records import Instance

_CLOCKS_DIFFER = timedelta(days=1)


def wrong(what: str) -> InvalidArgumentError:
    """The refusal of an instance, which says what is wrong with it."""
    return InvalidArgumentError(f"The instance cannot be taken in: {what}.")


def check_unique(keys: Sequence[object], what: str) -> None:
    """Raise `InvalidArgumentError` if something is there twice."""
    if len(set(keys)) != len(keys):
        raise wrong(f"it has a {what} twice")


def dated(row: Instance, now: datetime) -> Instance:
    """The row with times that have come, and in order.

    One of times to come stands first in lists, and no retention ever gets to it.
    """
    created_at, updated_at = (
        moment if moment <= now + _CLOCKS_DIFFER else now
        for moment in (row.created_at, row.updated_at)
    )
    return replace(row, created_at=created_at, updated_at=max(created_at, updated_at))
