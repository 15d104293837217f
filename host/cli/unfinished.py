"""The unfinished instances of a hub: in its store, at a host, or in an exported file.

Nothing of the hub is changed.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bindings.client import OrchestrationQuery, RuntimeStatus
from bindings.errors import InvalidArgumentError
from bindings.exports import Wholeness
from bindings.remote.client import RemoteClient
from host.cli.breaking_off import broken_off_in_order
from host.cli.rehearsing import Case
from host.clock import SystemClock
from host.core import ids
from host.core.exported import UnreadableError, from_line, instance_id_of
from host.core.records import Instance
from host.core.replay.rehearsal import Fate, Rehearsed
from host.engine.together import together
from host.errors import ConfigurationError, DamagedDataError
from host.os_words import path_in_words
from host.settings import HostSettings
from host.storage.kinds import StorePlace
from host.storage.opening import STORES
from host.storage.protocol import HubStore, InstanceFilter
from host.wiring.options import HostOptions
from host.wiring.store import storage_kind, storage_place

UNFINISHED = InstanceFilter(
    statuses=frozenset(status for status in RuntimeStatus if not status.is_finished)
)
PAGE = 200
STDIN = Path("-")
MEMORY = "memory"
_NO_END = (
    "The end of the export is missing: it broke off, or failed before its first line. Say "
    "--partial if the file may be a part."
)


def opened_store(
    options: HostOptions, settings: HostSettings
) -> AbstractAsyncContextManager[HubStore]:
    """The hub's store; of one in a file a copy, so that its host may run meanwhile.

    Raises `ConfigurationError`, and entering it `StorageError`.
    """
    kind, place = storage_kind(options, settings), storage_place(options, settings)
    if kind == MEMORY:
        raise ConfigurationError(
            "A hub in memory is known to its host alone: give the --url of that."
        )
    return _copied(place) if kind == "sqlite" else _opened(kind, place)


@asynccontextmanager
async def _opened(kind: str, place: StorePlace) -> AsyncIterator[HubStore]:
    async with STORES.find(kind).opened(place, SystemClock()) as (store, _):
        yield store


@asynccontextmanager
async def _copied(place: StorePlace) -> AsyncIterator[HubStore]:
    from host.storage.sqlite.backup import back_up  # noqa: PLC0415 - only if asked for
    from host.storage.sqlite.kind import SQLITE, file_of  # noqa: PLC0415

    file = file_of(place)
    if not file.exists():
        raise ConfigurationError(
            f"There is no {path_in_words(file)}: name the hub with --hub, the folder of its store "
            "with --data, or give the --url of its host."
        )
    with TemporaryDirectory(prefix="funchost-") as folder:
        copied = replace(place, folder=Path(folder))
        with broken_off_in_order():  # a large one takes a while, in which no loop runs
            back_up(file, file_of(copied), overwrites=False)
        async with _opened(SQLITE.name, copied) as store:
            yield store


async def unfinished_in(store: HubStore) -> AsyncIterator[Case]:
    """All of them, newest first. Raises `StorageError`."""
    token: str | None = None
    while True:
        page = await store.query(UNFINISHED, limit=PAGE, token=token)
        for case in await together([_loaded(store, row) for row in page.instances]):
            if case is not None:
                yield case
        token = page.token
        if token is None:
            return


async def _loaded(store: HubStore, row: Instance) -> Case | None:
    try:
        return await store.load(row.instance_id)
    except DamagedDataError as error:
        return unreadable(row.instance_id, str(error), name=row.name)


async def unfinished_in_file(file: Path, *, may_be_part: bool = False) -> AsyncIterator[Case]:
    """Those that an exported file holds; `-` is standard input. Raises `OSError`.

    If the end of an export is missing and the file may be no part, that is a case of its own: what
    nobody has seen is not found out.
    """
    come = Wholeness()
    number = 0
    with sys.stdin.buffer if file == STDIN else file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip() and (case := _case_of(line, number)) is not None:
                yield case
            if (reason := _missing_before(line, come)) is not None:
                yield _without_code(f"line {number}", Fate.UNKNOWN, reason)
    if not (come.is_whole or may_be_part):
        yield _without_code(f"line {number + 1}", Fate.UNKNOWN, _NO_END)


def _missing_before(line: bytes, come: Wholeness) -> str | None:
    """What is wrong with the lines up to this one, if it is the end of an export."""
    try:
        come.see(line)
    except InvalidArgumentError as error:
        return str(error)
    return None


async def unfinished_at(url: str, key: str | None, hub: str | None) -> AsyncIterator[Case]:
    """Those that a host of the hub exports. Raises what its client does."""
    asked = OrchestrationQuery(runtime_status=sorted(UNFINISHED.statuses))
    async with RemoteClient(url, key or None, hub=hub) as client:
        number = 0
        async for line in client.export_instances(asked):
            number += 1
            if (case := _case_of(line, number)) is not None:
                yield case


def _case_of(line: bytes, number: int) -> Case | None:
    instance_id = instance_id_of(line) or f"line {number}"
    try:
        snapshot = from_line(line)
    except UnreadableError as error:
        return unreadable(instance_id, str(error))
    except InvalidArgumentError as error:
        return _without_code(instance_id, Fate.UNKNOWN, str(error))
    row = snapshot.instance
    return None if row.is_finished or ids.is_entity(row.instance_id) else snapshot


def unreadable(instance_id: str, reason: str, *, name: str = "") -> Rehearsed:
    """What is known of an instance that cannot be read."""
    return _without_code(instance_id, Fate.UNREADABLE, reason, name)


def _without_code(instance_id: str, fate: Fate, reason: str, name: str = "") -> Rehearsed:
    return Rehearsed(instance_id=instance_id, orchestrator=name, fate=fate, reason=reason)
