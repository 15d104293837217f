"""What axe-core finds on the pages of instances: nothing serious, in either colours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import expect

from bindings import FunctionApp, OrchestrationContext
from tests.browser.axe import violations
from tests.browser.conftest import PageOf
from tests.browser.stories import demo_host, ended, waiting_order
from tests.http.hosting import Host, running_host

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


async def test_a_tree_is_for_everybody_while_its_children_are_read(
    demo: Host, page_of: PageOf
) -> None:
    await waiting_order(demo, "order-1")
    async with page_of(demo, "/") as page:
        await page.route("**/instances?*", lambda _: None)  # never answered
        await page.goto("/dashboard/instances/order-1?tab=tree")
        await expect(page.get_by_role("treeitem")).to_have_count(3)
        assert await violations(page) == []


async def test_a_failure_is_read_from_left_to_right_and_a_long_one_is_folded(
    page_of: PageOf,
) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def fails(context: OrchestrationContext, text: str) -> None:
        try:
            raise KeyError("the first cause")
        except KeyError as error:
            raise ValueError(text) from error

    async with running_host(app=app) as host:
        await ended(host, "fails", "no luck", "short")
        await ended(host, "fails", "line\n" * 20_000, "long")
        async with page_of(host, "/instances/short") as page:
            causes = page.locator(".failure-line")
            await expect(causes).to_have_count(2)
            for each in await causes.all():
                box = await each.bounding_box()
                assert box is not None
                assert box["width"] > 500
            await page.goto("/dashboard/instances/long")
            await expect(causes).to_have_count(2)
            assert await page.evaluate("document.documentElement.scrollHeight") < 4000
            await expect(page.get_by_role("button", name="Show more").first).to_be_visible()
