"""The page of one instance: what it is, why it waits, its timeline, history, tree and graph."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.conftest import PageOf
from tests.browser.stories import demo_host, ended, waiting_order
from tests.http.hosting import Host

EACH_MS = 6_000
"""Longer than a page waits until it reads again."""
LONG_MS = 60_000
"""A history of 10,000 events is read in ten pages, whatever else the machine does."""
MOST_DRAWN = 150
"""A page of 10,000 events has no more rows or bars than what is in sight, and some."""


@pytest_asyncio.fixture(loop_scope="session")
async def demo() -> AsyncIterator[Host]:
    async with demo_host() as host:
        yield host


async def no_wider_than(page: Page, width: int) -> None:
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


# ---- what it is ----------------------------------------------------------------------------


async def test_it_says_what_the_instance_is_and_why_it_waits(demo: Host, page_of: PageOf) -> None:
    await waiting_order(demo, "order-1")
    async with page_of(demo, "/instances/order-1") as page:
        facts = page.locator(".facts-row")
        await expect(facts).to_contain_text("place_order")
        await expect(facts).to_contain_text("2 children")
        why = page.locator(".why")
        await expect(why).to_contain_text("It waits for the event Approval since")
        await expect(why).to_contain_text("It waits for a timer until")
        await expect(page.locator(".pill", has_text="Running")).to_be_visible()


async def test_a_failure_has_its_causes_and_their_tracebacks(demo: Host, page_of: PageOf) -> None:
    await ended(demo, "settle_payment", "no card", "broken-1")
    async with page_of(demo, "/instances/broken-1") as page:
        failure = page.locator(".failure").first
        await expect(failure).to_contain_text("TaskFailedError")
        await expect(failure).to_contain_text("because of")
        await expect(failure).to_contain_text("The card was refused: no card")
        await expect(failure).to_contain_text("function_app.py")
        await expect(failure).to_contain_text("ValueError")


async def test_one_that_is_not_there_is_said_to_be_gone(demo: Host, page_of: PageOf) -> None:
    async with page_of(demo, "/instances/nobody") as page:
        await expect(page.get_by_text("There is no such instance")).to_be_visible()


async def test_a_generation_says_how_many_there_were(demo: Host, page_of: PageOf) -> None:
    await ended(demo, "count_down", 3, "countdown")
    async with page_of(demo, "/instances/countdown") as page:
        await expect(page.locator(".fact", has_text="Generation")).to_contain_text("4th")


async def test_it_is_kept_up_to_date(demo: Host, page_of: PageOf) -> None:
    await waiting_order(demo, "order-1")
    async with page_of(demo, "/instances/order-1", moves_time=True) as page:
        await expect(page.locator(".why")).to_contain_text("Approval")
        await demo.hub.raise_event("order-1", "Approval", {"by": "Ann"})
        await demo.hub.wait_for_instance_completion("order-1")
        await page.clock.run_for(EACH_MS)
        await expect(page.locator(".pill", has_text="Completed")).to_be_visible()
        await expect(page.locator(".why")).to_have_count(0)
        await page.clock.run_for(EACH_MS)
        await page.get_by_role("tab", name="Data").click()
        await expect(page.locator(".card", has_text="Output")).to_contain_text("Ann")


# ---- timeline ------------------------------------------------------------------------------


async def test_bars_show_attempts_and_open_to_details(demo: Host, page_of: PageOf) -> None:
    await waiting_order(demo, "order-1")
    async with page_of(demo, "/instances/order-1") as page:
        reserve = page.locator(".mark", has=page.locator("title", has_text="reserve"))
        await expect(reserve.locator(".state-failed")).to_have_count(2)
        await expect(reserve.locator(".state-completed")).to_have_count(1)
        await reserve.locator(".state-failed").first.click()
        box = page.get_by_role("complementary", name="activity")
        await expect(box).to_contain_text("3 attempts")
        await expect(box).to_contain_text("the warehouse is busy, try 2")
        await expect(box).to_contain_text('"reserved"')


async def test_the_timeline_zooms_and_moves_by_keys_wheel_and_buttons(
    demo: Host, page_of: PageOf
) -> None:
    await ended(demo, "many_steps", 50, "steps")
    async with page_of(demo, "/instances/steps") as page:
        shown = page.locator(".timeline-tools > .muted")
        await expect(shown).not_to_contain_text(" of ")
        await page.get_by_role("button", name="Zoom in").click()
        await expect(shown).to_contain_text(" of ")
        view = page.locator(".timeline-overview .in-view")
        before = await view.get_attribute("x")
        box = page.locator(".timeline-box")
        await box.press("ArrowRight")
        await expect(view).not_to_have_attribute("x", before or "")
        zoomed = await view.get_attribute("width")
        await box.hover()
        await page.keyboard.down("Control")
        await page.mouse.wheel(0, -300)
        await page.keyboard.up("Control")
        await expect(view).not_to_have_attribute("width", zoomed or "")
        await box.press("0")
        await expect(shown).not_to_contain_text(" of ")
        await box.press("ArrowDown")
        await expect(page.get_by_role("complementary", name="execution")).to_be_visible()


async def test_a_long_wait_does_not_hide_the_work(demo: Host, page_of: PageOf) -> None:
    await waiting_order(demo, "order-1")
    async with page_of(demo, "/instances/order-1", moves_time=True) as page:
        retried = page.locator(".mark", has=page.locator("title", has_text="reserve"))
        await expect(retried).to_be_visible()
        await page.clock.fast_forward("24:00:00")
        await expect(page.locator(".idle-label")).to_contain_text("d")
        width = "each => each.getBBox().width"
        squeezed = await retried.evaluate(width)
        await page.get_by_label("Squeeze idle time").uncheck()
        assert await retried.evaluate(width) < squeezed


# ---- history -------------------------------------------------------------------------------


async def test_the_history_is_filtered_by_kind_and_text(demo: Host, page_of: PageOf) -> None:
    await waiting_order(demo, "order-1")
    async with page_of(demo, "/instances/order-1?tab=history") as page:
        rows = page.locator(".event-row")
        await page.get_by_label("Show").select_option("failed")
        await expect(rows).to_have_count(3)
        await page.get_by_label("Only events with this text").fill("nowhere")
        await expect(rows).to_have_count(0)
        await page.get_by_label("Only events with this text").fill("nobody answered")
        await expect(rows).to_have_count(1)
        await rows.click()
        details = page.locator(".chosen-box")
        await expect(details).to_contain_text("TimeoutError")
        await expect(details).to_contain_text("function_app.py")
        await page.reload()
        await expect(page.locator(".chosen-box")).to_contain_text("TimeoutError")


async def test_ten_thousand_events_are_no_burden(demo: Host, page_of: PageOf) -> None:
    await ended(demo, "many_steps", 5000, "many")
    async with page_of(demo, "/instances/many") as page:
        await expect(page.locator(".facts-row")).to_contain_text("10,053 events", timeout=LONG_MS)
        await expect(page.locator(".timeline-tools")).to_contain_text("5,001 bars")
        assert await page.locator(".timeline-lanes .mark").count() < 40 * MOST_DRAWN
        await page.get_by_role("tab", name="History").click()
        await expect(page.locator(".event-tools [role=status]")).to_contain_text(
            "10,053 of 10,053 events"
        )
        assert await page.locator(".event-row").count() < MOST_DRAWN
        await page.locator(".event-box").press("End")
        await expect(page.locator(".event-row.chosen")).to_contain_text("Execution ended")
        assert await page.locator(".event-row").count() < MOST_DRAWN
        await page.get_by_label("Only events with this text").fill("4999")
        await expect(page.locator(".event-tools [role=status]")).to_contain_text(
            "2 of 10,053 events"
        )


# ---- tree and graph ------------------------------------------------------------------------


async def test_the_tree_opens_down_to_grandchildren_and_up_to_parents(
    demo: Host, page_of: PageOf
) -> None:
    await waiting_order(demo, "order-1")
    async with page_of(demo, "/instances/order-1?tab=tree") as page:
        tree = page.get_by_role("tree")
        packs = tree.get_by_role("treeitem").filter(has_text="pack").last
        await packs.get_by_role("button", name="Open").click()
        # With its status it has a link, and its name stands alone.
        await expect(tree.get_by_text("print_label", exact=True)).to_be_visible()
        await tree.get_by_role("link").last.click()
        await expect(page.locator(".facts-row")).to_contain_text("print_label")
        await page.get_by_role("tab", name="Tree").click()
        await expect(tree).to_contain_text("place_order")
        await expect(tree.locator(".self")).to_contain_text("print_label")


async def test_the_graph_has_a_node_for_each_function(demo: Host, page_of: PageOf) -> None:
    await waiting_order(demo, "order-1")
    async with page_of(demo, "/instances/order-1?tab=graph") as page:
        node = page.locator(".node")
        await expect(node.filter(has_text="look_up_price")).to_contain_text("activity · \u00d7 3")
        await expect(node.filter(has_text="call_courier")).to_contain_text("1 failed")
        await expect(node.filter(has_text="Approval")).to_contain_text("event")
        await expect(node.filter(has_text="wrap")).to_have_count(0)
        await page.get_by_label("What its children called, too").check()
        await expect(node.filter(has_text="wrap")).to_contain_text("activity · \u00d7 4")


# ---- looks ---------------------------------------------------------------------------------


async def test_on_a_phone_nothing_is_wider_than_the_screen(demo: Host, page_of: PageOf) -> None:
    await waiting_order(demo, "order-1")
    async with page_of(demo, "/instances/order-1", width=360, height=740) as page:
        await expect(page.locator(".timeline-lanes")).to_be_visible()
        await no_wider_than(page, 360)
        for tab in ("History", "Data", "Tree", "Graph"):
            await page.get_by_role("tab", name=tab).click()
            await expect(page.get_by_role("tabpanel")).to_be_visible()
            await no_wider_than(page, 360)


async def test_on_a_phone_the_values_of_events_are_in_sight(demo: Host, page_of: PageOf) -> None:
    await waiting_order(demo, "order-1")
    async with page_of(demo, "/instances/order-1?tab=history", width=360, height=740) as page:
        event = page.locator(".event-row", has_text="Execution started")
        for each in await event.get_by_role("cell").all():
            await each.scroll_into_view_if_needed()
            await expect(each).to_be_in_viewport(ratio=1)
        await expect(event).to_contain_text("boat")
        box, last = page.locator(".event-box"), page.locator(".event-row", has_text="Timer created")
        await box.focus()
        await page.keyboard.press("End")
        await expect(last.last).to_be_in_viewport()


async def test_the_next_try_of_one_in_quarantine_is_said_once(demo: Host, page_of: PageOf) -> None:
    await waiting_order(demo, "order-1")
    parts = demo.engine.parts
    row = await parts.store.get("order-1")
    assert row is not None
    retry_at = datetime(2099, 1, 31, 14, 5, tzinfo=UTC)
    reason = "A host ended. It is tried again at 2099-01-31T14:05:00Z. If its code does, mend it."
    await parts.quarantine.put(row, reason, parts.clock.now(), retry_at=retry_at)
    async with page_of(demo, "/instances/order-1") as page:
        why = page.locator(".why-bad")
        await expect(why).to_contain_text("It is tried again at 2099-01-31 14:05:00.")
        await expect(why).to_have_text(re.compile("A host ended. If its code does, mend it."))
        assert (await why.inner_text()).count("2099") == 1


async def test_whatever_functions_give_is_shown_as_text(demo: Host, page_of: PageOf) -> None:
    hostile = {
        "<script>alert(1)</script>": "<img src=x onerror=alert(2)>",
        "hidden": "a\u202eb\u0000c\u2028d",
        "number": 12345678901234567890,
        "long": "x" * 100_000,
    }
    name = "<b>&\u202e"
    await ended(demo, "echo", hostile, "hostile")
    await ended(demo, "settle_payment", "<script>alert(3)</script>\u202e", "hostile-failure")
    await demo.start("echo", name, "hostile-tags")
    async with page_of(demo, "/instances/hostile?tab=data") as page:
        alerts: list[str] = []
        page.on("dialog", lambda dialog: alerts.append(dialog.message))
        card = page.locator(".card", has_text="Input")
        await expect(card).to_contain_text("<script>alert(1)</script>")
        await expect(card).to_contain_text("<img src=x onerror=alert(2)>")
        await expect(card).to_contain_text("12345678901234567890")
        await expect(card).to_contain_text("Show more")
        assert "\u202e" not in await page.locator("#main").inner_text()
        for tab in ("Timeline", "History", "Tree", "Graph"):
            await page.get_by_role("tab", name=tab).click()
            await expect(page.get_by_role("tabpanel")).to_be_visible()
        await page.goto("/dashboard/instances/hostile-failure")
        await expect(page.locator(".failure").first).to_contain_text("<script>alert(3)</script>")
        assert "\u202e" not in await page.locator("#main").inner_text()
        assert await page.locator("#main script, #main img").count() == 0
        assert alerts == []
