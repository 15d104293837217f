"""The command palette and the keys that work on every page."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from bindings import EntityId
from tests.browser.conftest import PageOf
from tests.browser.hub_app import hub_host
from tests.http.hosting import Host
from tests.kit.hub import until


@pytest_asyncio.fixture(loop_scope="session")
async def host() -> AsyncIterator[Host]:
    async with hub_host() as host:
        yield host


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("quar", "/quarantine"),
        ("take_or", "/functions/take_order"),
        ("entities of cou", "/entities?name=Counter"),
        ("order-1", "/instances/order-17"),
        ("no such instance", "/instances/no%20such%20instance"),
    ],
)
async def test_it_leads_anywhere(host: Host, page_of: PageOf, text: str, path: str) -> None:
    await host.start("waiting", None, "order-17")
    async with page_of(host, "/hosts") as page:
        await expect(page.get_by_role("heading", name="Hosts")).to_be_visible()
        await page.keyboard.press("Control+k")
        box = page.get_by_role("dialog").get_by_role("combobox")
        await expect(box).to_be_focused()
        await box.fill(text)
        named = path.rpartition("=" if "=" in path else "/")[2]
        if "no such" not in text:  # what the host is asked for is there a moment later
            option = page.get_by_role("option", name=re.compile(re.escape(named), re.IGNORECASE))
            await expect(option.first).to_have_attribute("aria-selected", "true")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(f"{host.origin}/dashboard{path}")
        await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_arrows_choose_what_is_opened(host: Host, page_of: PageOf) -> None:
    async with page_of(host, "/hosts") as page:
        await page.get_by_role("button", name="Go to…").click()
        options = page.get_by_role("dialog").get_by_role("option")
        await expect(options.first).to_have_attribute("aria-selected", "true")
        await page.keyboard.press("ArrowDown")
        await expect(options.nth(1)).to_have_attribute("aria-selected", "true")
        await page.keyboard.press("ArrowUp")
        await page.keyboard.press("ArrowUp")
        await expect(options.last).to_have_attribute("aria-selected", "true")


async def test_an_entity_is_found_by_its_key(host: Host, page_of: PageOf) -> None:
    ann = EntityId("Counter", "ann")
    await host.hub.signal_entity(ann, "add")

    async def is_there() -> bool:
        return await host.hub.get_entity(ann) is not None

    await until(is_there)
    async with page_of(host, "/hosts") as page:
        await page.get_by_role("button", name="Go to…").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("combobox").fill("counter@a")
        await dialog.get_by_role("option", name="counter@ann").click()
        await expect(page.locator(".payload pre")).to_have_text("1")


async def test_it_offers_the_buttons_of_the_page(host: Host, page_of: PageOf) -> None:
    async with page_of(host, "/entities") as page:
        await expect(page.get_by_role("button", name="Clean up…")).to_be_visible()
        await page.keyboard.press("Control+k")
        await page.get_by_role("dialog").get_by_role("combobox").fill("clean")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Clean the storage")).to_be_visible()


async def test_keys_lead_to_pages_but_not_while_somebody_writes(
    host: Host, page_of: PageOf
) -> None:
    async with page_of(host, "/functions") as page:
        await expect(page.get_by_role("tab", name="List")).to_be_visible()
        await page.keyboard.press("/")
        await page.keyboard.type("gq?p")
        await expect(page.get_by_label("Name, route or resource")).to_have_value("gq?p")
        await page.evaluate("document.activeElement.blur()")
        await page.keyboard.press("?")
        await expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await page.keyboard.press("p")
        await expect(page.get_by_role("button", name="Paused")).to_be_visible()
        await page.keyboard.type("gq")
        await expect(page.get_by_role("heading", name="Queues")).to_be_visible()


async def test_what_is_typed_before_the_palette_is_there_is_no_shortcut(
    host: Host, page_of: PageOf
) -> None:
    async with page_of(host, "/hosts") as page:
        await expect(page.get_by_role("heading", name="Hosts")).to_be_visible()
        await page.keyboard.press("Control+k")
        await page.keyboard.press("p")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await expect(page.get_by_role("button", name="Paused")).to_have_count(0)


async def test_letters_can_be_switched_off(host: Host, page_of: PageOf) -> None:
    async with page_of(host, "/hosts") as page:
        await expect(page.get_by_role("heading", name="Hosts")).to_be_visible()
        await page.keyboard.press("Control+k")
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("combobox").fill("keyboard")
        await dialog.get_by_role("option", name="Keyboard shortcuts").click()
        await page.get_by_label("Letters do something").uncheck()
        await page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        await page.keyboard.type("gq?")
        await expect(page.get_by_role("heading", name="Hosts")).to_be_visible()
        await expect(dialog).to_have_count(0)
