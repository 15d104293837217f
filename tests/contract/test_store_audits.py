"""The audit in each store: newest first, page by page, kept for a while, and lost by no trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from bindings.errors import InvalidArgumentError
from host.engine.audit import (
    AUDIT,
    KEPT,
    MAX_OWED,
    RETRY_S,
    AuditEntry,
    AuditFilter,
    AuditLog,
    forget_old,
)
from host.errors import StorageUnavailableError
from host.storage.memory import MemoryStore
from host.storage.protocol import HubStore, NamedRecord
from tests.contract.builders import NOW, ManualClock, at
from tests.kit.hub import until

ALL = AuditFilter()


def entry(when: datetime, target: str = "i", **fields: str) -> AuditEntry:
    said = {"who": "ops", "what": "terminateInstance", "outcome": "done"} | fields
    return AuditEntry(at=when, target=target, status=202, **said)


async def written(store: HubStore, clock: ManualClock, *entries: AuditEntry) -> AuditLog:
    log = AuditLog(store, clock)
    for each in entries:
        await log.write(each)
    return log


def targets(entries: Sequence[AuditEntry]) -> list[str]:
    return [each.target for each in entries]


async def newest(log: AuditLog, wanted: AuditFilter = ALL) -> list[str]:
    return targets((await log.page(wanted, limit=10, token=None)).entries)


async def test_entries_come_back_as_they_were_the_newest_first(
    store: HubStore, clock: ManualClock
) -> None:
    first = entry(at(1), "first", detail="reason=x", address="10.0.0.1")
    log = await written(store, clock, entry(at(2), "second"), first, entry(at(1.5), "between"))
    page = await log.page(ALL, limit=10, token=None)
    assert targets(page.entries) == ["second", "between", "first"]
    assert page.entries[-1] == first
    assert page.token is None


async def test_pages_have_each_entry_once_whatever_is_added(
    store: HubStore, clock: ManualClock
) -> None:
    log = await written(store, clock, *(entry(at(number), str(number)) for number in range(7)))
    found: list[str] = []
    token: str | None = None
    while True:
        page = await log.page(ALL, limit=3, token=token)
        found += targets(page.entries)
        await log.write(entry(at(100), "new"))
        token = page.token
        if token is None:
            break
    assert found == ["6", "5", "4", "3", "2", "1", "0"]


async def test_entries_of_one_moment_are_all_there(store: HubStore, clock: ManualClock) -> None:
    log = await written(store, clock, *(entry(NOW, str(number)) for number in range(5)))
    assert sorted(await newest(log)) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (AuditFilter(who="OPS"), ["order-3", "order-1"]),
        (AuditFilter(what="purge"), ["order-2"]),
        (AuditFilter(target="DER-1"), ["order-1"]),
        (AuditFilter(since=at(2)), ["order-3", "order-2"]),
        (AuditFilter(until=at(2)), ["order-2", "order-1"]),
        (AuditFilter(since=at(2), until=at(2)), ["order-2"]),
        (AuditFilter(who="nobody"), []),
    ],
)
async def test_entries_are_found_by_what_they_say(
    store: HubStore, clock: ManualClock, wanted: AuditFilter, found: list[str]
) -> None:
    log = await written(
        store,
        clock,
        entry(at(1), "order-1"),
        entry(at(2), "order-2", who="night", what="purgeInstance"),
        entry(at(3), "order-3"),
    )
    assert await newest(log, wanted) == found
    assert [each async for page in log.all(wanted) for each in targets(page)] == found


@pytest.mark.parametrize("token", ["", "x", "1" * 18, "9" * 18 + ".zzzzzzzzzzzz", "ä"])
async def test_a_token_that_is_none_is_refused(clock: ManualClock, token: str) -> None:
    log = AuditLog(MemoryStore(clock.now), clock)
    with pytest.raises(InvalidArgumentError, match="token"):
        await log.page(ALL, limit=10, token=token)


async def test_what_was_kept_for_long_enough_goes_and_nothing_else(
    store: HubStore, clock: ManualClock
) -> None:
    old = [entry(NOW - KEPT - timedelta(seconds=number), f"old{number}") for number in (1, 2)]
    log = await written(store, clock, *old, entry(NOW - KEPT + timedelta(seconds=1), "young"))
    await store.put_record(NamedRecord(kind="other", key="9" * 18, stamp="s", data=b"{}"))
    assert await forget_old(store, NOW) == 2
    assert await newest(log) == ["young"]
    assert await store.record("other", "9" * 18) is not None
    assert await forget_old(store, NOW) == 0


async def test_what_cannot_be_read_hides_nothing_else(store: HubStore, clock: ManualClock) -> None:
    log = await written(store, clock, entry(at(1), "there"))
    await store.put_record(NamedRecord(kind=AUDIT, key="0" * 18, stamp="s", data=b"what?"))
    assert await newest(log) == ["there"]


# ---- trouble -----------------------------------------------------------------------------------


class AwayStore(MemoryStore):
    """A store that is away until it is told to be back."""

    is_away = True

    async def put_record(self, record: NamedRecord) -> None:
        if self.is_away:
            raise StorageUnavailableError("It is away.")
        await super().put_record(record)


@pytest.fixture
def away(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> AwayStore:
    monkeypatch.setattr("host.engine.audit.PATIENCE_S", 0.01)
    monkeypatch.setattr("host.engine.audit.STOP_S", 0.01)
    return AwayStore(clock.now)


async def test_an_entry_that_the_store_does_not_take_is_stored_later(
    away: AwayStore, clock: ManualClock
) -> None:
    log = await written(away, clock, entry(at(1), "kept"))
    away.is_away = False

    async def is_stored() -> bool:
        await clock.advance(timedelta(seconds=RETRY_S))
        return await newest(log) == ["kept"]

    await until(is_stored)
    await log.stop()


async def test_a_stop_waits_for_what_is_being_stored(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.engine.audit.PATIENCE_S", 0.01)
    gate = asyncio.Event()

    class SlowStore(MemoryStore):
        async def put_record(self, record: NamedRecord) -> None:
            await gate.wait()
            await super().put_record(record)

    log = await written(SlowStore(clock.now), clock, entry(at(1), "slow"))
    stop = asyncio.create_task(log.stop())
    await asyncio.sleep(0)
    gate.set()
    await stop
    assert await newest(log) == ["slow"]


async def test_what_a_stop_cannot_store_the_log_says(
    away: AwayStore, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    log = await written(away, clock, entry(at(1), "lost"))
    await log.stop()
    assert "ops did terminateInstance lost" in caplog.text


async def test_while_the_store_is_away_so_many_wait_and_more_are_logged(
    away: AwayStore,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("host.engine.audit.PATIENCE_S", 0)
    log = AuditLog(away, clock)
    await asyncio.gather(*(log.write(entry(at(number))) for number in range(MAX_OWED)))
    assert "has no room" not in caplog.text
    await log.write(entry(at(1), "too-much"))
    assert "has no room for this: ops did terminateInstance too-much" in caplog.text
    away.is_away = False
    await log.stop()
