"""What axe-core finds on the pages of instances: nothing serious, in either colours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.axe import violations
from tests.browser.conftest import PageOf
from tests.browser.stories import demo_host, ended, waiting_order
from tests.http.hosting import Host

TABS = ("Timeline", "History", "Data", "Tree", "Graph")


@pytest_asyncio.fixture(loop_scope="session")
async def demo() -> AsyncIterator[Host]:
    async with demo_host() as host:
        yield host


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_of_an_instance_is_for_everybody(
    demo: Host, page_of: PageOf, scheme: Literal["light", "dark"]
) -> None:
    await waiting_order(demo, "order-1")
    await ended(demo, "settle_payment", "no card", "payment-1")
    async with page_of(demo, "/instances/order-1", scheme=scheme) as page:
        for tab in TABS:
            await page.get_by_role("tab", name=tab).click()
            await expect(page.get_by_role("tab", name=tab, selected=True)).to_be_visible()
            assert await violations(page) == [], tab
        await page.get_by_role("button", name="Raise event").click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        assert await violations(page) == []
        await page.goto("/dashboard/instances/payment-1")
        await expect(page.locator(".failure").first).to_be_visible()
        assert await violations(page) == []
        await page.goto("/dashboard/compare?a=order-1&b=payment-1")
        await expect(page.locator(".compare-row.first")).to_be_visible()
        assert await violations(page) == []
        await page.goto("/dashboard/offline")
        await expect(page.locator(".drop")).to_be_visible()
        assert await violations(page) == []
