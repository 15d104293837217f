"""The overview of a hub and its histogram, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from host.engine.damaged import quarantine
from host.storage.kinds import StorePlace
from host.storage.sqlite.kind import SQLITE
from tests.http.hosting import Host, running_host
from tests.kit.manual_clock import ManualClock


@pytest.fixture(params=["memory", "sqlite"])
async def hub_host(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Host]:
    """A host on each kind of store."""
    if request.param == "memory":
        async with running_host() as host:
            yield host
        return
    place = StorePlace(hub="hub", folder=tmp_path)
    async with (
        SQLITE.opened(place, ManualClock()) as storage,
        running_host(storage=storage) as host,
    ):
        yield host


async def test_an_overview_says_how_the_hub_is(hub_host: Host) -> None:
    host = hub_host
    await host.ended("echo")
    waiting = await host.waiting()
    failing = [await host.ended("failing") for _ in range(2)]
    response = await host.call("GET", "overview")
    assert response.status == 200
    shown = await response.json()
    assert shown["counts"] == {"Running": 1, "Completed": 1, "Failed": 2}
    assert shown["oldestPending"] is None
    oldest = shown["oldestRunning"]
    assert oldest.pop("createdTime").endswith("Z")
    assert oldest == {"instanceId": waiting, "name": "waiting"}
    (group,) = shown["recentFailures"]
    assert (group["error"], group["count"]) == ("ValueError: no luck", 2)
    assert group["latest"].keys() == {"instanceId", "name", "lastUpdatedTime"}
    assert group["latest"]["instanceId"] == failing[-1]
    assert (shown["quarantined"], shown["hosts"]) == (0, 1)
    series = shown["series"]
    assert series["stepSeconds"] == 60
    assert (len(series["started"]), len(series["failed"])) == (60, 60)
    assert (sum(series["started"]), sum(series["failed"])) == (4, 2)


async def test_a_histogram_says_how_many_were_created_when(hub_host: Host) -> None:
    host = hub_host
    for _ in range(3):
        await host.ended("echo")
    await host.ended("failing")
    response = await host.call("GET", "histogram")
    assert response.status == 200
    shown = await response.json()
    assert len(shown["buckets"]) <= 60
    assert shown["from"] <= shown["to"]
    assert sum(each["counts"].get("Completed", 0) for each in shown["buckets"]) == 3
    assert sum(each["counts"].get("Failed", 0) for each in shown["buckets"]) == 1


async def test_a_histogram_takes_the_filters_of_a_count(hub_host: Host) -> None:
    host = hub_host
    for name in ("echo", "echo", "failing"):
        await host.ended(name)
    query = "name=echo&runtimeStatus=Completed&buckets=4&createdTimeFrom=2000-01-01"
    shown = await (await host.call("GET", f"histogram?{query}")).json()
    assert shown["from"] == "2000-01-01T00:00:00Z"
    assert [each["counts"] for each in shown["buckets"]] == [{}, {}, {}, {"Completed": 2}]
    assert 4 * shown["stepSeconds"] >= timedelta(days=20 * 365).total_seconds()


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("buckets=0", "not a positive number"),
        ("buckets=121", "up to 120 buckets"),
        ("buckets=many", "not a whole number"),
        ("createdTimeFrom=yesterday", "not a time"),
        ("createdTimeFrom=2002-01-01&createdTimeTo=2001-01-01", "createdTimeFrom is later"),
        ("createdTimeFrom=9000-01-01", "createdTimeFrom is later"),
        ("runtimeStatus=Happy", "Happy"),
    ],
)
async def test_a_histogram_that_cannot_be_says_why(host: Host, query: str, reason: str) -> None:
    response = await host.call("GET", f"histogram?{query}")
    assert response.status == 400
    assert reason in (await response.json())["ExceptionMessage"]


@pytest.mark.parametrize(
    "times",
    [
        "createdTimeTo=0001-01-01",
        "createdTimeTo=9999-12-31T23:59:59",
        "createdTimeFrom=0001-01-01&createdTimeTo=9999-12-31T23:59:59",
        "createdTimeFrom=0001-01-01&createdTimeTo=0001-01-01",
    ],
)
async def test_a_histogram_may_reach_to_the_ends_of_time(host: Host, times: str) -> None:
    await host.ended("echo")
    response = await host.call("GET", f"histogram?{times}")
    assert response.status == 200
    assert len((await response.json())["buckets"]) <= 60


async def test_who_is_quarantined_is_listed_and_counted(hub_host: Host) -> None:
    host = hub_host
    instance_id = await host.waiting()
    assert await (await host.call("GET", "quarantine")).json() == []
    await quarantine(host.engine.parts, instance_id, "It was too much.")
    response = await host.call("GET", "quarantine")
    assert response.status == 200
    (shown,) = await response.json()
    assert (shown["instanceId"], shown["input"]) == (instance_id, None)
    assert "It was too much." in shown["blockedReason"]
    assert (await (await host.call("GET", "overview")).json())["quarantined"] == 1
