"""The overview: what the hub does, at a glance."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.async_api import expect

from bindings import FunctionApp, OrchestrationContext
from tests.browser.axe import violations
from tests.browser.conftest import PageOf
from tests.http.hosting import Host, running_host

HOSTILE = "<img src=x onerror=alert(1)>"


async def test_it_shows_counts_failures_and_who_waits_the_longest(
    host: Host, page_of: PageOf
) -> None:
    waiting = await host.waiting()
    await host.ended("echo")
    for _ in range(3):
        await host.ended("failing")
    async with page_of(host) as page:
        await expect(page.locator(".tile", has_text="Failed")).to_contain_text("3")
        await expect(page.locator(".tile", has_text="Running")).to_contain_text("1")
        await expect(page.locator(".failure-count")).to_contain_text("3")
        await expect(page.locator(".failure-text")).to_have_text("ValueError: no luck")
        await expect(page.get_by_text("5 started, 3 of these failed")).to_be_visible()
        facts = page.locator(".card", has_text="Waiting the longest")
        await expect(facts.get_by_role("link", name=waiting)).to_be_visible()
        await expect(page.locator(".card", has_text="Leads").get_by_role("row")).to_have_count(2)
        await page.locator(".tile", has_text="Failed").click()
        await expect(page).to_have_url(f"{host.origin}/dashboard/instances?runtimeStatus=Failed")
        await expect(page.locator("tbody tr")).to_have_count(3)


async def test_an_error_that_is_markup_is_text(page_of: PageOf) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def hostile(context: OrchestrationContext) -> None:
        raise ValueError(f"{HOSTILE}\u202e")

    async with running_host(app=app) as host:
        await host.ended("hostile")
        async with page_of(host) as page:
            shown = page.locator(".failure-text")
            await expect(shown).to_contain_text(f"ValueError: {HOSTILE}\\u202e")
            assert await page.locator("img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/instances", "/instances?start=1", "/none"])
async def test_everybody_can_use_it(
    host: Host, page_of: PageOf, path: str, scheme: Literal["light", "dark"]
) -> None:
    await host.waiting()
    await host.ended("failing")
    async with page_of(host, path, scheme=scheme) as page:
        await page.wait_for_load_state("networkidle")
        assert await violations(page) == []
