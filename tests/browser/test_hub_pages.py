"""Hosts, jobs, quarantine, keys and the audit in the dashboard; how the pages of the hub look."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import expect

from bindings import EntityId
from host.engine.job_records import Chosen, JobAction, new_job
from host.engine.jobs import JOB
from host.storage.protocol import InstanceFilter, NamedLock, NamedRecord
from tests.browser.axe import violations
from tests.browser.conftest import PageOf
from tests.browser.hub_app import HOSTILE, hub_host
from tests.http.hosting import Host
from tests.kit.hub import until

DAY = timedelta(days=1)
PATHS = [
    "/entities",
    "/entities/Counter/ann",
    "/functions",
    "/functions?tab=graph",
    "/functions/take_order",
    "/schedules",
    "/queues",
    "/queues/orders",
    "/limits",
    "/quarantine",
    "/hosts",
    "/jobs",
    "/audit",
    "/keys",
]

BEYOND = """() => [...document.querySelectorAll(".table td, .table button")]
  .filter((each) => each.getBoundingClientRect().right > innerWidth)
  .map((each) => each.textContent)"""
"""What of the tables is out of sight to the right."""


@pytest_asyncio.fixture(loop_scope="session")
async def host() -> AsyncIterator[Host]:
    async with hub_host() as host:
        yield host


async def quarantined(host: Host, *names: str) -> None:
    parts = host.engine.parts
    for name in names:
        await host.start("waiting", None, name)
        await host.hub.wait_for_instance_start(name)
        row = await parts.store.get(name)
        assert row is not None
        await parts.quarantine.put(row, f"It ends hosts. {HOSTILE}", parts.clock.now())


async def test_what_is_in_quarantine_is_redriven_alone_and_together(
    host: Host, page_of: PageOf
) -> None:
    await quarantined(host, "one", "two", "three")
    await host.start("waiting", None, "free")
    async with page_of(host, "/quarantine") as page:
        rows = page.get_by_role("table", name="Instances in quarantine").locator("tbody tr")
        await expect(rows).to_have_count(3)
        await expect(rows.first).to_contain_text(f"It ends hosts. {HOSTILE}")
        await page.get_by_role("button", name="Redrive one").click()
        await page.get_by_role("dialog").get_by_role("button", name="Redrive").click()
        await expect(rows).to_have_count(2)
        await page.get_by_role("button", name="Redrive all 2…").click()
        await page.get_by_role("dialog").get_by_role("button", name="Redrive all").click()
        await expect(page.get_by_role("heading", name="Job")).to_be_visible()
        await expect(page.locator("main")).to_contain_text("completed")
        await expect(page.locator("main")).to_contain_text("2 of 2")
    listed = await (await host.call("GET", "instances?onlyQuarantined=true")).json()
    assert listed == []


async def test_jobs_are_listed_with_how_far_they_are(host: Host, page_of: PageOf) -> None:
    for number in range(3):
        await host.start("waiting", None, f"i{number}")
        await host.hub.wait_for_instance_start(f"i{number}")
    response = await host.call("POST", "batch/terminate?name=waiting")
    job_id = (await response.json())["jobId"]
    async with page_of(host, "/jobs") as page:
        row = page.get_by_role("table", name="Jobs").locator("tbody tr")
        await expect(row).to_contain_text("terminate")
        await expect(row).to_contain_text("3 of 3")
        await row.get_by_role("link").click()
        await expect(page).to_have_url(f"{host.origin}/dashboard/jobs/{job_id}")
        await page.goto("/dashboard/jobs/8203968106138606d2dd4690b380")
        await expect(page.get_by_text("This host does not have this job")).to_be_visible()


async def test_a_job_that_another_host_leads_is_cancelled(host: Host, page_of: PageOf) -> None:
    store, clock = host.engine.parts.store, host.engine.parts.clock
    page_of_job = (Chosen("i0", "e0", "r0"),)
    job = new_job(JobAction.TERMINATE, InstanceFilter(id_prefix="i"), clock.now())
    job = msgspec.structs.replace(job, page=page_of_job, matched=1)
    lock = NamedLock(name=f"job#{job.job_id}", owner="another", expires_at=clock.now() + DAY)
    assert await store.hold_lock(lock, clock.now())
    record = NamedRecord(kind=JOB, key=job.job_id, stamp="s", data=msgspec.json.encode(job))
    assert await store.change_record(record, after=None)
    async with page_of(host, f"/jobs/{job.job_id}") as page:
        await expect(page.locator("main")).to_contain_text("running")
        await page.get_by_role("button", name="Cancel").click()
        await page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
        await expect(page.get_by_text("The job does no more.")).to_be_visible()
    assert (await host.engine.jobs.find(job.job_id)).is_cancelling


async def test_an_entity_in_quarantine_leads_to_its_page(host: Host, page_of: PageOf) -> None:
    await host.hub.signal_entity(EntityId("Counter", "ann"), "add")
    parts = host.engine.parts

    async def is_there() -> bool:
        return await host.hub.get_entity(EntityId("Counter", "ann")) is not None

    await until(is_there)
    row = await parts.store.get("@counter@ann")
    assert row is not None
    await parts.quarantine.put(row, "It ends hosts.", parts.clock.now())
    async with page_of(host, "/quarantine") as page:
        await page.get_by_role("link", name="@counter@ann").click()
        await expect(page).to_have_url(f"{host.origin}/dashboard/entities/counter/ann")


async def test_hosts_are_shown_with_their_functions_and_what_is_wrong(
    host: Host, page_of: PageOf
) -> None:
    host.problems.append(f"the store is gone {HOSTILE}")
    async with page_of(host, "/hosts") as page:
        row = page.get_by_role("table", name="Hosts").locator("tbody tr")
        await expect(row).to_contain_text("1.2.3")
        await expect(page.get_by_label("What is wrong with this host")).to_contain_text(HOSTILE)
        await row.get_by_role("button").click()
        await expect(page.get_by_role("dialog")).to_contain_text("echo")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_a_host_without_keys_says_so(host: Host, page_of: PageOf) -> None:
    async with page_of(host, "/keys") as page:
        await expect(page.get_by_text("This host has no keys")).to_be_visible()


async def test_the_audit_says_who_changed_what(host: Host, page_of: PageOf) -> None:
    await host.start("waiting", None, "one")
    await host.call("POST", "instances/one/suspend?reason=tired")
    await host.call("POST", "instances/nobody/suspend")
    async with page_of(host, "/audit") as page:
        rows = page.get_by_role("table", name="Audit").locator("tbody tr")
        await expect(rows).to_have_count(2)
        await expect(rows.first).to_contain_text("refused")
        await page.get_by_label("On what").fill("one")
        await expect(rows).to_have_count(1)
        await expect(rows.first).to_contain_text("suspendInstance")
        await expect(rows.first).to_contain_text("loopback")
        await expect(page).to_have_url(f"{host.origin}/dashboard/audit?target=one")
        async with page.expect_download() as download:
            await page.get_by_role("link", name="Export").click()
        file = await (await download.value).path()
        lines = file.read_text().splitlines()
    assert [json.loads(each)["target"] for each in lines] == ["one"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_fit_a_phone_and_those_who_see_otherwise(
    host: Host, page_of: PageOf, scheme: str
) -> None:
    await host.call("POST", "/admin/queues/orders", data="x" * 400)
    await host.call("POST", "/admin/queues/orders-poison", data="x")
    await host.hub.signal_entity(EntityId("Counter", "ann"), "add")
    await quarantined(host, "one")
    await host.call("POST", "batch/resume?all=true")
    async with page_of(host, width=360, height=740, scheme=scheme) as page:
        for path in PATHS:
            await page.goto(f"/dashboard{path}")
            await expect(page.locator("h1")).to_be_visible()
            await expect(page.locator(".spinner")).to_have_count(0)
            assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
            assert await page.evaluate(BEYOND) == [], path
            assert await violations(page) == [], path
