"""Queues, limits and schedules in the dashboard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.conftest import PageOf
from tests.browser.hub_app import HOSTILE, hub_host
from tests.http.hosting import Host, running_host
from tests.kit.hub import until


@pytest_asyncio.fixture(loop_scope="session")
async def host() -> AsyncIterator[Host]:
    async with hub_host() as host:
        yield host


async def put(host: Host, queue: str, body: str) -> None:
    assert (await host.call("POST", f"/admin/queues/{queue}", data=body)).status == 201


async def queues(host: Host) -> dict[str, Any]:
    found = await (await host.call("GET", "/admin/queues")).json()
    return {each["name"]: each for each in found}


async def confirm(page: Page, action: str) -> None:
    await page.get_by_role("dialog").get_by_role("button", name=action, exact=True).click()


async def test_a_message_is_put_shown_and_purged(host: Host, page_of: PageOf) -> None:
    async with page_of(host, "/queues") as page:
        await expect(page.get_by_text("No queue has anything yet")).to_be_visible()
        await page.get_by_role("button", name="Put a message…").click()
        await page.get_by_label("Queue", exact=True).fill("idle")
        await page.get_by_label("Message", exact=True).fill(HOSTILE)
        await confirm(page, "Put it")
        await page.get_by_role("link", name="idle").click()
        await expect(page.locator(".payload pre")).to_have_text(HOSTILE)
        await page.get_by_role("button", name="Purge").click()
        await confirm(page, "Delete all messages")
        await expect(page.get_by_text("Nothing lies in idle")).to_be_visible()


async def test_what_no_queue_takes_says_why(host: Host, page_of: PageOf) -> None:
    async with page_of(host, "/queues") as page:
        await page.get_by_role("button", name="Put a message…").click()
        for label, text, missing in (
            ("Queue", "letters.fifo", "Say into which queue."),
            ("Message", "x", "it is empty"),
            ("Delay in seconds", "1", "Say of which group it is"),
        ):
            await confirm(page, "Put it")
            await expect(page.get_by_role("alert")).to_contain_text(missing)
            await page.get_by_label(label, exact=True).fill(text)
        await page.get_by_label("Queue", exact=True).fill("no/such name")
        await page.get_by_label("Message", exact=True).fill("x")
        await confirm(page, "Put it")
        await expect(page.get_by_role("alert")).to_contain_text("no/such name")


async def test_poison_is_shown_with_its_queue_and_redriven(host: Host, page_of: PageOf) -> None:
    await put(host, "idle", "one")
    await put(host, "idle-poison", "bad one")
    async with page_of(host, "/queues") as page:
        row = page.get_by_role("row", name="idle")
        await row.get_by_role("link", name="1", exact=True).click()
        await expect(page.locator(".payload pre")).to_have_text("bad one")
        await page.get_by_role("button", name="Redrive").click()
        await confirm(page, "Redrive")
        await expect(page.get_by_text("1 are back in idle.")).to_be_visible()
    assert (await queues(host))["idle"]["messages"] == 2


async def test_a_limit_shows_its_use_and_is_changed_and_taken_back(
    host: Host, page_of: PageOf
) -> None:
    for name in ("one", "two", "three"):
        await host.start("print_book", None, name)

    async def is_full() -> bool:
        found = await (await host.call("GET", "limits/press")).json()
        return bool(found["inUse"] == 2 and found["waiting"] == 1)

    await until(is_full)
    async with page_of(host, "/limits") as page:
        card = page.locator("section.card", has=page.get_by_role("heading", name="press"))
        await expect(card).to_contain_text("2 of 2")
        await card.get_by_role("button", name="Change… press").click()
        await page.get_by_label("At once").fill("0")
        await confirm(page, "Change it")
        await expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
        await page.get_by_label("At once").fill("3")
        await confirm(page, "Change it")
        await expect(card).to_contain_text("of 3")
        await expect(card).to_contain_text("Changed")
        await card.get_by_role("button", name="Take back press").click()
        await confirm(page, "Take back")
        await expect(card).to_contain_text("of 2")
        await expect(card.get_by_text("Changed")).to_have_count(0)


async def test_a_timer_is_paused_resumed_and_run(host: Host, page_of: PageOf) -> None:
    async with page_of(host, "/schedules") as page:
        row = page.get_by_role("table", name="Schedules").locator("tbody tr")
        await expect(row).to_contain_text("0 30 3 * * *")
        await expect(row).to_contain_text("Active")
        await page.get_by_role("button", name="Pause clean").click()
        await confirm(page, "Pause")
        await expect(row).to_contain_text("Paused")
        await page.get_by_role("button", name="Resume clean").click()
        await expect(row).to_contain_text("Active")
        await page.get_by_role("button", name="Run now clean").click()
        await confirm(page, "Run now")
        await expect(page.get_by_text("clean runs.")).to_be_visible()


async def test_without_timers_the_page_says_so(page_of: PageOf) -> None:
    async with running_host() as host, page_of(host, "/schedules") as page:
        await expect(page.get_by_text("No function has a timer")).to_be_visible()
