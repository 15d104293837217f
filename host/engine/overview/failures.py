"""The latest failures, those of one error together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bindings.client import RuntimeStatus
from host.core.records import Instance
from host.storage.protocol import HubStore, InstanceFilter

LATEST = 200
"""So many that failed are looked at."""
MAX_ERROR = 200
"""An error is told apart, and shown, by so many characters."""

_FAILED = InstanceFilter(statuses=frozenset({RuntimeStatus.FAILED}))
_PAGE = 50
_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """How many failed with an error, and the one of them that did so last."""

    error: str
    count: int
    latest: Instance


async def recent_failures(store: HubStore) -> list[FailureGroup]:
    """Of those that were created last among the failed: the errors of most first.

    By creation, since not every store can say who failed last. Raises `StorageError`.
    """
    rows: list[Instance] = []
    token: str | None = None
    while len(rows) < LATEST:
        size = min(_PAGE, LATEST - len(rows))
        page = await store.query(_FAILED, limit=size, token=token, max_bytes=_MAX_BYTES)
        rows += page.instances
        token = page.token
        if token is None:
            break
    return _grouped(rows)


def _grouped(rows: Iterable[Instance]) -> list[FailureGroup]:
    by_error: dict[str, list[Instance]] = {}
    for row in rows:
        by_error.setdefault(error_of(row), []).append(row)
    groups = [
        FailureGroup(
            error=error, count=len(found), latest=max(found, key=lambda row: row.updated_at)
        )
        for error, found in by_error.items()
    ]
    return sorted(groups, key=lambda each: (-each.count, each.error))


def error_of(row: Instance) -> str:
    """The type of its failure and the first line of the message, shortened."""
    failure = row.failure
    if failure is None:
        return "unknown"
    lines = failure.message.strip().splitlines()
    text = f"{failure.error_type}: {lines[0]}" if lines else failure.error_type
    return text if len(text) <= MAX_ERROR else f"{text[: MAX_ERROR - 1]}…"
