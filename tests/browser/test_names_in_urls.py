"""Names that no URL holds: browsers take `.` and `..` out of a path, and would ask for another."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, Request, expect

from tests.browser.conftest import PageOf
from tests.browser.hub_app import hub_host
from tests.http.hosting import Host

NAMES = [".", ".."]


@pytest_asyncio.fixture(loop_scope="session")
async def host() -> AsyncIterator[Host]:
    async with hub_host() as host:
        yield host


def changes_of(page: Page) -> list[str]:
    """What the page asks the host to change, as it comes."""
    changes: list[str] = []

    def on_request(request: Request) -> None:
        if request.method != "GET":
            changes.append(request.url)

    page.on("request", on_request)
    return changes


@pytest.mark.parametrize("name", NAMES)
async def test_no_request_goes_to_something_else(host: Host, page_of: PageOf, name: str) -> None:
    await host.start("waiting", instance_id="one")
    async with page_of(host, "/instances/one") as page:
        changes = changes_of(page)
        dialog, alert = page.get_by_role("dialog"), page.get_by_role("alert")
        refusal = f"'{name}' cannot stand in a URL"

        await page.get_by_role("button", name="Raise event").click()
        await dialog.get_by_label("Name of the event").fill(name)
        await dialog.get_by_role("button", name="Raise").click()
        await expect(alert).to_contain_text(refusal)

        await page.goto("/dashboard/functions/waiting")
        await page.get_by_label("Id of the instance").fill(name)
        await page.get_by_role("button", name="Start").click()
        await expect(alert).to_contain_text(refusal)

        await page.goto("/dashboard/instances?start=waiting")
        await dialog.get_by_label("Instance id").fill(name)
        await dialog.get_by_role("button", name="Start", exact=True).click()
        await expect(alert).to_contain_text(refusal)

        await page.goto("/dashboard/functions/greet")
        await page.get_by_label("name", exact=True).fill(name)
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator(".answer, .error-text")).to_contain_text(refusal)

        await page.goto("/dashboard/queues")
        await page.get_by_role("button", name="Put a message…").click()
        await dialog.get_by_label("Queue").fill(name)
        await dialog.get_by_label("Message").fill("x")
        await dialog.get_by_role("button", name="Put it").click()
        await expect(alert).to_contain_text(refusal)

        await page.goto(f"/dashboard/entities?name={name}")
        await expect(page.get_by_text(refusal)).to_be_visible()
        await page.goto(f"/dashboard/compare?a=one&b={name}")
        await expect(alert).to_contain_text(refusal)
        assert changes == []


@pytest.mark.parametrize("name", NAMES)
async def test_the_palette_leads_to_no_such_page(host: Host, page_of: PageOf, name: str) -> None:
    async with page_of(host, "/hosts") as page:
        await expect(page.get_by_role("heading", name="Hosts")).to_be_visible()
        await page.keyboard.press("Control+k")
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("combobox").fill(f"{name}x")
        await expect(dialog.get_by_role("option", name="by its id")).to_be_visible()
        await dialog.get_by_role("combobox").fill(name)
        await expect(dialog.get_by_role("option", name="by its id")).to_have_count(0)
