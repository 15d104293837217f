"""Hosts, jobs, quarantine, keys and the audit in the dashboard; how the pages of the hub look."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.conftest import PageOf
from tests.browser.hub_app import HOSTILE, hub_host
from tests.http.hosting import Host

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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
async def test_each_page_fits_a_phone(host: Host, page_of: PageOf, path: str, scheme: str) -> None:
    await host.call("POST", "/admin/queues/orders", data="x" * 400)
    async with page_of(host, path, width=360, height=740, scheme=scheme) as page:
        await expect(page.locator("h1")).to_be_visible()
        await expect(page.locator(".spinner")).to_have_count(0)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
