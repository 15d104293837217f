"""Retention: what was finished for long enough is deleted, by one host of a hub."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bindings import EntityId, FunctionApp, OrchestrationContext, RuntimeStatus, when_any
from host.engine.audit import AuditEntry, AuditFilter
from host.engine.retention import DEFAULT, pause_of, periods_of
from host.errors import StorageError
from host.storage.protocol import InstanceFilter
from tests.contract.builders import NOW
from tests.engine.test_entities import counters
from tests.kit.hub import Host, Hub, open_hub, until

APP = FunctionApp()
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
COMPLETED, FAILED, TERMINATED, CANCELED = (
    RuntimeStatus.COMPLETED,
    RuntimeStatus.FAILED,
    RuntimeStatus.TERMINATED,
    RuntimeStatus.CANCELED,
)


@APP.orchestration_trigger()
async def ends(context: OrchestrationContext) -> None:
    pass


@APP.orchestration_trigger()
async def fails(context: OrchestrationContext) -> None:
    raise ValueError("no luck")


@APP.orchestration_trigger()
async def listens(context: OrchestrationContext) -> Any:
    return await context.wait_for_external_event("go")


@APP.orchestration_trigger()
async def leaves(context: OrchestrationContext) -> None:
    await context.call_sub_orchestrator(ends, instance_id="early")
    late = context.call_sub_orchestrator(listens, instance_id="late")
    await when_any([late, context.call_sub_orchestrator(ends, instance_id="other")])


async def start(hub: Hub, retention: Mapping[RuntimeStatus, timedelta | None]) -> Host:
    return await hub.start(APP, retention=retention)


async def one_of_each(host: Host) -> None:
    await host.run(ends, instance_id="completed")
    await host.run(fails, instance_id="failed")
    await host.begin(listens, instance_id="terminated")
    await host.client.terminate_instance("terminated")
    await host.finished("terminated")
    await host.begin(listens, instance_id="runs")
    await host.started("runs")


async def left(hub: Hub) -> set[str]:
    page = await hub.store.query(InstanceFilter(), limit=1000)
    return {row.instance_id for row in page.instances}


async def pass_hours(hub: Hub, count: int) -> None:
    await hub.clock.advance(HOUR, steps=count)


ALL = {"completed", "failed", "terminated", "runs"}


async def test_each_is_kept_for_as_long_as_is_said_of_how_it_ended(hub: Hub) -> None:
    host = await start(hub, {COMPLETED: DAY, FAILED: 2 * DAY, TERMINATED: None})
    await one_of_each(host)
    await pass_hours(hub, 23)
    assert await left(hub) == ALL
    await pass_hours(hub, 3)
    assert await left(hub) == ALL - {"completed"}
    await pass_hours(hub, 24)
    assert await left(hub) == {"terminated", "runs"}
    await pass_hours(hub, 24)
    assert await left(hub) == {"terminated", "runs"}


async def test_in_a_new_hub_finished_instances_are_kept_for_thirty_days(hub: Hub) -> None:
    host = await start(hub, {})
    await one_of_each(host)
    hub.clock.jump(30 * DAY - 2 * HOUR)
    await pass_hours(hub, 1)
    assert await left(hub) == ALL
    await pass_hours(hub, 3)
    assert await left(hub) == {"runs"}


async def test_the_audit_is_kept_for_ninety_days_also_where_all_else_is_kept_for_ever(
    hub: Hub,
) -> None:
    host = await start(hub, dict.fromkeys((COMPLETED, FAILED, TERMINATED), None))
    entry = AuditEntry(at=hub.clock.now(), who="ops", what="purgeInstance")
    await host.engine.audit.write(entry)

    async def kept() -> int:
        return len((await host.engine.audit.page(AuditFilter(), limit=10, token=None)).entries)

    hub.clock.jump(89 * DAY)
    await pass_hours(hub, 2)
    assert await kept() == 1
    hub.clock.jump(DAY)
    await pass_hours(hub, 2)
    assert await kept() == 0


async def test_in_an_older_hub_they_are_kept_and_the_start_says_so(
    hub: Hub, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub.store, "_made_at", None)
    with caplog.at_level(logging.INFO):
        host = await start(hub, {FAILED: DAY})
        await one_of_each(host)
        hub.clock.jump(100 * DAY)
        await pass_hours(hub, 2)
    assert await left(hub) == ALL - {"failed"}
    told = [each.message for each in caplog.records if "older than retention" in each.message]
    assert len(told) == 1


async def test_an_instance_is_as_old_as_its_last_change(hub: Hub) -> None:
    host = await start(hub, {COMPLETED: DAY})
    await host.begin(listens, instance_id="it")
    await host.started("it")
    await pass_hours(hub, 48)
    await host.client.raise_event("it", "go", 1)
    await host.finished("it")
    await pass_hours(hub, 23)
    assert await left(hub) == {"it"}
    await pass_hours(hub, 3)
    assert await left(hub) == set()


async def test_what_is_imported_is_kept_from_then_on(hub: Hub, tmp_path: Path) -> None:
    """It is old already where it comes from, and would be gone within the hour."""
    host = await start(hub, {COMPLETED: DAY, FAILED: DAY})
    async with open_hub("memory", tmp_path) as old:
        source = await old.start(APP)
        await source.run(ends, instance_id="it")
        lines = [line async for line in source.client.export_instances()]
    hub.clock.jump(60 * DAY)
    await host.run(fails, instance_id="failed")
    said = [x.status async for x in host.client.import_instances(lines)]
    assert said == ["imported"]
    await pass_hours(hub, 23)
    assert await left(hub) == {"it", "failed"}
    await pass_hours(hub, 3)
    assert await left(hub) == set()


async def test_children_go_when_they_are_old_themselves(hub: Hub) -> None:
    host = await start(hub, {COMPLETED: DAY})
    await host.run(leaves, instance_id="parent")
    await pass_hours(hub, 12)
    await host.client.raise_event("late", "go", 1)
    await host.finished("late")
    await pass_hours(hub, 14)
    assert await left(hub) == {"late"}
    await pass_hours(hub, 12)
    assert await left(hub) == set()


async def test_who_was_started_anew_is_not_deleted_in_place_of_who_was_old(hub: Hub) -> None:
    host = await start(hub, {COMPLETED: DAY})
    await host.run(ends, instance_id="it")

    async def start_anew(method: str, _: tuple[Any, ...]) -> None:
        if method == "purge":
            host.store.before = None
            await host.run(ends, instance_id="it")

    host.store.before = start_anew
    await pass_hours(hub, 26)
    assert host.store.calls["purge"] == 1
    assert await left(hub) == {"it"}


async def test_one_host_at_a_time_looks_for_what_is_old(hub: Hub) -> None:
    hosts = [await start(hub, {COMPLETED: DAY}) for _ in range(3)]
    await pass_hours(hub, 10)
    assert sum(host.store.calls["query"] > 0 for host in hosts) == 1
    await hosts[0].stop()
    await pass_hours(hub, 10)
    assert sum(host.store.calls["query"] > 0 for host in hosts) == 2


async def test_what_a_store_failed_is_deleted_later(hub: Hub) -> None:
    host = await start(hub, {COMPLETED: DAY})
    await one_of_each(host)
    for method in ("made_at", "hold_lock", "query", "purge"):
        host.store.fail(method, StorageError("away"), times=2)
    await pass_hours(hub, 40)
    assert await left(hub) == ALL - {"completed"}


async def test_what_was_deleted_is_counted_in_the_log(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    host = await start(hub, {COMPLETED: DAY, FAILED: DAY})
    for number in range(250):
        await host.begin(ends, instance_id=f"i{number}")
    await host.run(fails)
    await host.rest()
    with caplog.at_level(logging.INFO):
        await pass_hours(hub, 26)
    told = [each.message for each in caplog.records if "Retention" in each.message]
    assert told == ["Retention deleted 251 instances: 250 Completed, 1 Failed."]


async def test_without_retention_nothing_is_deleted(hub: Hub) -> None:
    host = await hub.start(APP)
    await one_of_each(host)
    hub.clock.jump(1000 * DAY)
    await pass_hours(hub, 5)
    assert await left(hub) == ALL


def test_what_is_not_said_is_the_default_of_a_hub_that_knows_when_it_was_made() -> None:
    assert periods_of({}, NOW) == dict.fromkeys((COMPLETED, FAILED, CANCELED, TERMINATED), DEFAULT)
    assert periods_of({}, None) == {}
    assert periods_of({COMPLETED: None, FAILED: DAY}, None) == {FAILED: DAY}
    assert periods_of({COMPLETED: None}, NOW).keys() == {FAILED, CANCELED, TERMINATED}
    assert periods_of({COMPLETED: timedelta(days=999_999)}, None) == {}


@pytest.mark.parametrize(
    ("period", "expected"),
    [(timedelta(seconds=1), 1.0), (timedelta(minutes=10), 60.0), (30 * DAY, 3600.0)],
)
def test_it_is_looked_for_every_tenth_of_the_shortest_time(
    period: timedelta, expected: float
) -> None:
    assert pause_of([period, 400 * DAY]) == expected


# ---- entities ---------------------------------------------------------------------------------


async def entities_left(hub: Hub) -> set[str]:
    page = await hub.store.query(InstanceFilter(entities=True), limit=1000)
    return {row.instance_id for row in page.instances}


async def one_full_and_one_empty(host: Host) -> None:
    for key, *operations in (("full", "add"), ("empty", "add", "forget")):
        for operation in operations:
            await host.client.signal_entity(EntityId("tally", key), operation, 1)
    await host.rest()


async def test_entities_without_a_state_are_removed_when_they_are_old(each_hub: Hub) -> None:
    hub = each_hub
    host = await hub.start(counters(), retention={}, retention_of_entities=DAY)
    await one_full_and_one_empty(host)
    await pass_hours(hub, 23)
    assert await entities_left(hub) == {"@tally@full", "@tally@empty"}

    async def is_gone() -> bool:
        await pass_hours(hub, 1)  # a sweep that waits for its thread comes again hours later
        return await entities_left(hub) == {"@tally@full"}

    await until(is_gone)


async def test_entities_are_kept_for_ever_if_that_is_said(hub: Hub) -> None:
    host = await hub.start(counters(), retention={COMPLETED: DAY}, retention_of_entities=None)
    await one_full_and_one_empty(host)
    hub.clock.jump(100 * DAY)
    await pass_hours(hub, 4)
    assert await entities_left(hub) == {"@tally@full", "@tally@empty"}


async def test_where_nothing_finished_is_deleted_empty_entities_go_all_the_same(hub: Hub) -> None:
    for_ever = dict.fromkeys([COMPLETED, FAILED, TERMINATED, CANCELED], None)
    host = await hub.start(counters(), retention=for_ever)
    await one_full_and_one_empty(host)
    hub.clock.jump(31 * DAY)
    await pass_hours(hub, 4)
    assert await entities_left(hub) == {"@tally@full"}
