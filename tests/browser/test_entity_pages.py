"""Entities in the dashboard: the list, one of them, and what can be done with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import expect

from bindings import EntityId
from tests.browser.conftest import PageOf
from tests.browser.hub_app import HOSTILE_KEY, hub_host
from tests.http.hosting import Host
from tests.kit.hub import until


@pytest_asyncio.fixture(loop_scope="session")
async def host() -> AsyncIterator[Host]:
    async with hub_host() as host:
        yield host


async def state_of(host: Host, key: str) -> Any:
    found = await host.hub.get_entity(EntityId("Counter", key))
    return None if found is None else found.state


async def added(host: Host, key: str, number: int = 1) -> None:
    await host.hub.signal_entity(EntityId("Counter", key), "add", number)

    async def is_done() -> bool:
        return await state_of(host, key) is not None

    await until(is_done)


async def locked(host: Host, key: str, instance_id: str) -> None:
    await host.start("keep", key, instance_id)

    async def is_done() -> bool:
        found = await host.hub.get_entity_lock(EntityId("Counter", key))
        askers = [] if found is None else [found.holder, *found.waiters]
        return instance_id in {asker.instance_id for asker in askers if asker is not None}

    await until(is_done)


async def test_the_list_is_filtered_by_what_stands_in_the_url(host: Host, page_of: PageOf) -> None:
    for key in ("ann", "anton", "bob"):
        await added(host, key)
    await locked(host, "bob", "holder")
    async with page_of(host, "/entities") as page:
        rows = page.get_by_role("table", name="Entities").locator("tbody tr")
        await expect(rows).to_have_count(3)
        await page.get_by_label("Entity", exact=True).select_option("Counter")
        await page.get_by_label("Key begins with").fill("an")
        await expect(rows).to_have_count(2)
        await expect(page).to_have_url(
            f"{host.origin}/dashboard/entities?name=Counter&keyPrefix=an"
        )
        await page.get_by_label("Key is").fill("ann")
        await expect(rows).to_have_count(1)
        await page.goto("/dashboard/entities?onlyLocked=true")
        await expect(page.get_by_label("Only locked")).to_be_checked()
        await expect(rows).to_have_count(1)
        await expect(rows).to_contain_text("holder")


async def test_tags_are_shown_and_lead_to_all_that_have_them(host: Host, page_of: PageOf) -> None:
    await added(host, "plain")
    for key in ("ann", "bob"):
        await added(host, key)
        await host.hub.signal_entity(EntityId("Counter", key), "tag", {"town": "<b>Rome</b>"})
    async with page_of(host, "/entities/Counter/ann") as page:
        await page.get_by_role("link", name="town:<b>Rome</b>").click()
        rows = page.get_by_role("table", name="Entities").locator("tbody tr")
        await expect(rows).to_have_count(2)
        await expect(page.get_by_label("Tags", exact=True)).to_have_value("town:<b>Rome</b>")
        await expect(rows.first).to_contain_text("town:<b>Rome</b>")
        await page.get_by_label("Tags", exact=True).fill("town")
        await expect(page.get_by_text("region:north")).to_be_visible()
        await page.get_by_label("Tags", exact=True).fill("")
        await expect(rows).to_have_count(3)


async def test_a_long_list_comes_page_by_page(host: Host, page_of: PageOf) -> None:
    for number in range(60):
        await added(host, f"e{number:02}")
    async with page_of(host, "/entities") as page:
        rows = page.get_by_role("table", name="Entities").locator("tbody tr")
        await expect(rows).to_have_count(50)
        await page.get_by_role("button", name="Older").click()
        await expect(rows).to_have_count(10)
        await page.get_by_role("button", name="Newer").click()
        await expect(rows).to_have_count(50)


async def test_an_entity_is_signalled_and_deleted(host: Host, page_of: PageOf) -> None:
    await added(host, "ann", 3)
    async with page_of(host, "/entities/Counter/ann") as page:
        state = page.locator(".payload pre")
        await expect(state).to_have_text("3")
        await page.get_by_role("button", name="Signal…").click()
        await page.get_by_label("Operation").fill("add")
        await page.get_by_label("Input").fill("{")
        await page.get_by_role("button", name="Send the signal").click()
        await expect(page.get_by_role("alert")).to_contain_text("This is not JSON")
        await page.get_by_label("Input").fill("4")
        await page.get_by_role("button", name="Send the signal").click()
        await expect(state).to_have_text("7")
        await page.get_by_role("button", name="Delete").click()
        await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        await expect(page.get_by_text("It has none.")).to_be_visible()


async def test_a_new_entity_begins_with_a_signal(host: Host, page_of: PageOf) -> None:
    async with page_of(host, "/entities") as page:
        await expect(page.get_by_text("No entities are found")).to_be_visible()
        await page.get_by_role("button", name="Signal…").click()
        await page.get_by_label("Key", exact=True).fill("new")
        await page.get_by_label("Operation").fill("add")
        await page.get_by_role("button", name="Send the signal").click()
        await expect(page.get_by_role("link", name="new")).to_be_visible()


async def test_a_lock_shows_who_has_it_and_who_waits_and_is_taken_by_force(
    host: Host, page_of: PageOf
) -> None:
    await locked(host, "ann", "holder")
    await locked(host, "ann", "second")
    await host.hub.signal_entity(EntityId("Counter", "ann"), "add", 1)
    async with page_of(host, "/entities/Counter/ann") as page:
        lock = page.get_by_role("table", name="Lock")
        await expect(page.get_by_text("A signal waits for the end of the section.")).to_be_visible()
        await expect(lock.locator("tbody tr").first).to_contain_text("holder")
        await expect(lock.locator("tbody tr").last).to_contain_text("second")
        await page.get_by_role("button", name="Unlock by force…").click()
        await expect(page.get_by_role("dialog")).to_contain_text("holder goes on without this lock")
        await page.get_by_role("dialog").get_by_role("button", name="Unlock").click()
        await expect(lock.locator("tbody tr")).to_have_count(1)
        await expect(lock).to_contain_text("second")


async def test_who_waits_for_a_lock_says_who_has_it(host: Host, page_of: PageOf) -> None:
    await locked(host, "ann", "holder")
    await locked(host, "ann", "second")
    async with page_of(host, "/instances/second") as page:
        await expect(page.locator(".why")).to_contain_text("'holder' has locked @counter@ann since")


async def test_the_storage_is_cleaned(host: Host, page_of: PageOf) -> None:
    await added(host, "ann")
    async with page_of(host, "/entities") as page:
        await page.get_by_role("button", name="Clean up…").click()
        await page.get_by_label("Only those that did nothing").fill("0")
        await page.get_by_role("dialog").get_by_role("button", name="Clean up").click()
        await expect(page.get_by_role("status").filter(has_text="0 removed")).to_be_visible()
    assert await state_of(host, "ann") == 1


@pytest.mark.parametrize("key", [HOSTILE_KEY, "a&b=c%20 d+e", ""])
async def test_any_key_is_shown_as_text_and_leads_to_its_entity(
    host: Host, page_of: PageOf, key: str
) -> None:
    await added(host, key, 42)
    async with page_of(host, "/entities") as page:
        await page.locator("tbody a").click()
        await expect(page.locator(".payload pre")).to_have_text("42")
        part = quote(key, safe="") if key else "$"
        await page.goto(f"/dashboard/entities/Counter/{part}")
        await expect(page.locator(".payload pre")).to_have_text("42")
        assert await page.locator("main img").count() == 0


@pytest.mark.parametrize("key", [".", ".."])
async def test_a_key_that_no_url_holds_reaches_no_other_entity(
    host: Host, page_of: PageOf, key: str
) -> None:
    await host.hub.signal_entity(EntityId.parse(f"@counter@{key}"), "add", 5)  # an older version
    await added(host, "", 1)
    async with page_of(host, "/entities") as page:
        rows = page.get_by_role("table", name="Entities").locator("tbody tr")
        await expect(rows).to_have_count(2)
        await expect(rows.locator("a[href]")).to_have_count(1)
        await rows.filter(has=page.get_by_text(key, exact=True)).focus()
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(f"{host.origin}/dashboard/entities")
        await page.get_by_role("button", name="Signal…").click()
        await page.get_by_label("Key", exact=True).fill(key)
        await page.get_by_label("Operation").fill("add")
        await page.get_by_role("button", name="Send the signal").click()
        await expect(page.get_by_role("alert")).to_contain_text(f"'{key}' cannot stand in a URL")
    assert await state_of(host, "") == 1


async def test_an_entity_that_is_not_there_says_so(host: Host, page_of: PageOf) -> None:
    async with page_of(host, "/entities/Counter/nobody") as page:
        await expect(page.get_by_text("There is no such entity")).to_be_visible()
