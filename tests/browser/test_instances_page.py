"""The list of instances: filters, pages, columns, views, actions on many, starting one."""

from __future__ import annotations

import asyncio
from typing import Any

from playwright.async_api import Page, Route, expect
from pydantic import BaseModel

from bindings import FunctionApp, OrchestrationContext
from tests.browser.conftest import PageOf
from tests.http.hosting import Host, running_host

LISTEN = """() => new Promise((isOpen) => {
  const source = new EventSource("/runtime/webhooks/durabletask/events");
  source.onopen = () => isOpen();
  window.told = new Promise((resolve) => {
    source.onmessage = () => { source.close(); resolve(true); };
  });
})"""
"""Listens to what the host tells, as the page does: `told` is resolved when something was."""


class Order(BaseModel):
    item: str
    count: int = 2
    express: bool = False
    more: dict[str, Any] = {}


def rows(page: Page) -> Any:
    return page.locator("tbody tr")


async def test_filters_are_in_the_url_and_a_link_brings_them_back(
    host: Host, page_of: PageOf
) -> None:
    await host.start("echo", 1, "one")
    await host.start("echo", 2, "two")
    await host.ended("failing")
    async with page_of(host, "/instances") as page:
        await expect(rows(page)).to_have_count(3)
        await page.get_by_role("button", name="Completed").click()
        await expect(rows(page)).to_have_count(2)
        await page.get_by_label("Id begins with").fill("tw")
        await expect(rows(page)).to_have_count(1)
        url = page.url
        assert "runtimeStatus=Completed" in url
        assert "instanceIdPrefix=tw" in url
        await page.goto(f"{host.origin}/dashboard/")
        await page.goto(url)
        await expect(rows(page)).to_have_count(1)
        await expect(page.get_by_label("Id begins with")).to_have_value("tw")
        await page.get_by_role("button", name="Failed").click()
        await page.get_by_label("Id begins with").fill("")
        await expect(rows(page)).to_have_count(3)
        await page.get_by_role("button", name="Clear").click()
        await page.get_by_label("Orchestrators").fill("failing, none")
        await expect(rows(page)).to_have_count(1)
        await expect(page.get_by_text("1 found")).to_be_visible()


async def test_by_tag_text_and_time(host: Host, page_of: PageOf) -> None:
    await host.call("POST", "orchestrators/echo/tagged?tag=team:a", json=1)
    await host.start("echo", 1, "plain")
    await host.ended("failing")
    async with page_of(host, "/instances") as page:
        await expect(rows(page)).to_have_count(3)
        await page.get_by_label("Tags").fill("team:a")
        await expect(rows(page)).to_have_count(1)
        await page.get_by_label("Tags").fill("")
        await page.get_by_label("Text in id, status or error").fill("no luck")
        await expect(rows(page)).to_have_count(1)
        await page.get_by_label("Text in id, status or error").fill("")
        await page.get_by_label("Created", exact=True).select_option("900")
        await expect(rows(page)).to_have_count(3)
        await page.get_by_label("Created", exact=True).select_option("custom")
        await page.get_by_label("to (UTC)").fill("nonsense")
        await page.get_by_label("to (UTC)").press("Enter")
        await expect(page.get_by_text("Such as 2026-01-31 14:05")).to_be_visible()
        await page.get_by_label("to (UTC)").fill("2020-01-31 14:05")
        await page.get_by_label("to (UTC)").press("Enter")
        await expect(page.get_by_text("No instance fits these filters")).to_be_visible()


async def test_the_histogram_zooms_by_mouse_and_by_keyboard(host: Host, page_of: PageOf) -> None:
    for number in range(4):
        await host.start("echo", number)
    async with page_of(host, "/instances?last=900") as page:
        bars = page.locator("svg.bars")
        await expect(bars).to_be_visible()
        box = await bars.bounding_box()
        assert box is not None
        await page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
        await page.mouse.down()
        await page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 20, steps=3)
        await page.mouse.up()
        await expect(page.get_by_text("No instance fits these filters")).to_be_visible()
        assert "createdTimeFrom=" in page.url
        await page.get_by_role("button", name="All times").click()
        await expect(rows(page)).to_have_count(4)
        await bars.focus()
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("Shift+ArrowRight")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="All times")).to_be_visible()


async def test_a_list_is_read_page_by_page_and_follows_what_happens(
    host: Host, page_of: PageOf
) -> None:
    for number in range(60):
        await host.start("echo", number)
    asked: list[str] = []
    async with page_of(host, "/instances", moves_time=True) as page:
        page.on("request", lambda request: asked.append(request.url))
        await expect(rows(page)).to_have_count(50)
        await page.get_by_role("button", name="Older").click()
        await expect(rows(page)).to_have_count(10)
        await page.get_by_role("button", name="Newer").click()
        await expect(rows(page)).to_have_count(50)
        await host.start("waiting", None, "the-new-one")
        await page.clock.run_for(6_000)
        await expect(page.get_by_role("link", name="the-new-one")).to_be_visible()
    lists = [url for url in asked if "/instances?" in url]
    assert lists
    assert all("showInput=false" in url and "showOutput=false" in url for url in lists)


async def test_which_page_is_shown_stands_in_the_url(host: Host, page_of: PageOf) -> None:
    for number in range(60):
        await host.start("echo", number)
    async with page_of(host, "/instances?last=900") as page:
        await page.get_by_role("button", name="Older").click()
        await expect(rows(page)).to_have_count(10)
        await page.reload()
        await expect(rows(page)).to_have_count(10)
        await expect(page.get_by_text("Page 2")).to_be_visible()
        await page.go_back()
        await expect(rows(page)).to_have_count(50)
        await page.go_forward()
        await expect(rows(page)).to_have_count(10)
        await page.get_by_role("button", name="Newer").click()
        await expect(rows(page)).to_have_count(50)
        await page.go_back()
        await expect(rows(page)).to_have_count(10)
        shared = page.url
        await page.get_by_label("Tags").fill("none:such")
        await expect(page.get_by_text("No instance fits these filters")).to_be_visible()
        assert "after=" not in page.url
    async with page_of(host, shared.removeprefix(f"{host.origin}/dashboard")) as page:
        await expect(rows(page)).to_have_count(10)
        await expect(page.get_by_role("button", name="Newer")).to_be_disabled()
        await page.get_by_role("button", name="First").click()
        await expect(rows(page)).to_have_count(50)


async def test_a_page_that_the_list_does_not_have_leads_to_the_first(
    host: Host, page_of: PageOf
) -> None:
    await host.start("echo", 1)
    for path in ("/instances", "/entities", "/jobs", "/audit"):
        for token in ("nonsense", "%00", "x" * 4001):
            async with page_of(host, f"{path}?after={token}") as page:
                await expect(page.get_by_role("alert")).to_contain_text("does not have")
                await page.get_by_role("button", name="To the first page").click()
                await expect(page.get_by_role("alert")).to_have_count(0)
                await expect(page).to_have_url(f"{host.origin}/dashboard{path}")


async def test_what_a_wrong_filter_does_not_find_is_not_shown(host: Host, page_of: PageOf) -> None:
    await host.start("echo", 1)
    async with page_of(host, "/instances") as page:
        await expect(rows(page)).to_have_count(1)
        await page.get_by_label("Tags").fill("no-colon")
        await expect(page.get_by_role("alert")).to_have_count(1)
        await expect(page.get_by_text("no-colon")).to_have_count(1)
        await expect(rows(page)).to_have_count(0)
        await expect(page.locator("svg.bars")).to_have_count(0)
        await page.get_by_label("Tags").fill("")
        await expect(rows(page)).to_have_count(1)
        await expect(page.locator("svg.bars")).to_be_visible()


async def test_the_bars_count_the_rows_as_soon_as_they_are_there(
    host: Host, page_of: PageOf
) -> None:
    await host.start("waiting", None, "one")
    async with page_of(host, "/instances", moves_time=True) as page:
        await expect(page.get_by_text("1 found")).to_be_visible()
        await page.clock.pause_at(await page.evaluate("Date.now() + 1000"))
        await host.start("waiting", None, "two")
        await page.clock.run_for(6_000)
        await expect(rows(page)).to_have_count(2)
        await expect(page.get_by_text("2 found")).to_be_visible()


async def test_what_happens_is_shown_sooner_where_the_host_tells_it(
    host: Host, page_of: PageOf
) -> None:
    async with page_of(host, "/instances", moves_time=True) as page:
        await expect(page.get_by_text("There are no instances yet")).to_be_visible()
        await page.clock.pause_at(await page.evaluate("Date.now() + 1000"))
        await page.evaluate(LISTEN)
        await host.start("echo", None, "told-of")
        await page.evaluate("told")
        for _ in range(3):  # in all less than the time after which it reads again anyhow
            await page.clock.run_for(1_100)
        await expect(page.get_by_role("link", name="told-of")).to_be_visible()


async def test_a_slow_answer_is_waited_for_however_much_happens_meanwhile(
    host: Host, page_of: PageOf
) -> None:
    held, is_free = [], asyncio.Event()

    async def hold(route: Route) -> None:
        held.append(route.request)
        await is_free.wait()
        await route.continue_()

    async with page_of(host, "/instances", moves_time=True) as page:
        await expect(page.get_by_text("There are no instances yet")).to_be_visible()
        await page.route("**/instances?*", hold)
        for number in range(3):
            await page.evaluate(LISTEN)
            await host.start("echo", None, f"told-of-{number}")
            await page.evaluate("told")
            await page.clock.run_for(6_000)
        assert len(held) == 1
        is_free.set()
        await expect(page.get_by_role("link", name="told-of-2")).to_be_visible()


async def test_rows_are_reached_by_keyboard(host: Host, page_of: PageOf) -> None:
    await host.start("echo", 1, "older")
    await host.start("echo", 1, "newer")
    async with page_of(host, "/instances") as page:
        await rows(page).first.focus()
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(f"{host.origin}/dashboard/instances/older")


async def test_columns_and_views_are_kept_in_the_browser(host: Host, page_of: PageOf) -> None:
    await host.ended("failing")
    await host.ended("echo")
    async with page_of(host, "/instances?runtimeStatus=Failed") as page:
        await page.get_by_role("button", name="Columns").click()
        await page.get_by_role("checkbox", name="Error").check()
        await page.get_by_role("checkbox", name="Duration").uncheck()
        await page.keyboard.press("Escape")
        await expect(rows(page)).to_contain_text("ValueError: no luck")
        await page.get_by_role("button", name="Save view").click()
        await page.get_by_label("Name").fill("broken")
        await page.get_by_role("button", name="Save", exact=True).click()
        await page.goto(f"{host.origin}/dashboard/instances")
        await expect(rows(page)).to_have_count(2)
        await expect(page.get_by_role("columnheader", name="Duration")).to_have_count(0)
        await page.get_by_label("Saved views").select_option("broken")
        await expect(rows(page)).to_have_count(1)
        await page.get_by_role("button", name="Forget view").click()
        await expect(page.get_by_label("Saved views")).to_have_count(0)


async def test_all_that_the_filters_find_are_counted_and_then_terminated(
    host: Host, page_of: PageOf
) -> None:
    waiting = [await host.waiting() for _ in range(3)]
    await host.ended("echo")
    async with page_of(host, "/instances?name=waiting") as page:
        await page.get_by_role("button", name="All found…").click()
        dialog = page.get_by_role("dialog")
        await expect(dialog.get_by_text("3 instances are meant now.")).to_be_visible()
        await dialog.get_by_label("What to do").select_option("purge")
        await expect(dialog.get_by_text("0 instances are meant now.")).to_be_visible()
        await dialog.get_by_label("What to do").select_option("terminate")
        await dialog.get_by_label("Reason").fill("enough")
        await dialog.get_by_role("button", name="Terminate").click()
        await expect(dialog.get_by_text("3 of 3 done.")).to_be_visible()
        await dialog.get_by_role("button", name="Close", exact=True).last.click()
    for instance_id in waiting:
        await host.until(instance_id, "Terminated")


async def test_those_that_are_ticked_are_suspended_and_no_others(
    host: Host, page_of: PageOf
) -> None:
    for name in ("one", "two"):
        await host.start("waiting", None, name)
    async with page_of(host, "/instances") as page:
        await page.get_by_label("Select one").check()
        await page.get_by_role("button", name="1 chosen…").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("What to do").select_option("suspend")
        await dialog.get_by_role("button", name="Suspend").click()
        await expect(page.get_by_text("Suspend: 1 were told.")).to_be_visible()
    await host.until("one", "Suspended")
    await host.until("two", "Running")


async def test_a_start_is_a_form_made_of_the_annotation(page_of: PageOf) -> None:
    app, taken = FunctionApp(), []

    @app.orchestration_trigger()
    async def buy(context: OrchestrationContext, order: Order) -> None:
        taken.append(order)

    @app.orchestration_trigger()
    async def untyped(context: OrchestrationContext) -> None:
        taken.append(context.get_input())

    async with running_host(app=app) as host, page_of(host, "/instances") as page:
        await page.get_by_role("button", name="Start", exact=True).click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Item").fill("tea")
        await dialog.get_by_label("Count").fill("3")
        await dialog.get_by_label("Express").check()
        await dialog.get_by_label("Instance id").fill("bought")
        await dialog.get_by_role("button", name="Start").click()
        await expect(page).to_have_url(f"{host.origin}/dashboard/instances/bought")
        await host.hub.wait_for_instance_completion("bought")
        await page.goto(f"{host.origin}/dashboard/instances?start=untyped")
        await dialog.get_by_label("Input (JSON)").fill('{"half')
        await expect(dialog.get_by_text("This is not JSON")).to_be_visible()
        await expect(dialog.get_by_role("button", name="Start")).to_be_disabled()
        await dialog.get_by_label("Input (JSON)").fill('{"a": [1, null]}')
        await dialog.get_by_label("Instance id").fill("second")
        await dialog.get_by_role("button", name="Start").click()
        await expect(page).to_have_url(f"{host.origin}/dashboard/instances/second")
        await host.hub.wait_for_instance_completion("second")
        await page.goto(f"{host.origin}/dashboard/instances?start=untyped")
        await dialog.get_by_label("Instance id").fill("no/slash")
        await dialog.get_by_role("button", name="Start").click()
        await expect(dialog.get_by_role("alert")).to_be_visible()
    assert taken == [Order(item="tea", count=3, express=True), {"a": [1, None]}]


async def test_what_instances_hold_is_text(page_of: PageOf) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def hostile(context: OrchestrationContext) -> None:
        context.set_custom_status("<script>x</script>\x1b[2J\u202e")
        await context.wait_for_external_event("go")

    async with running_host(app=app) as host:
        await host.start("hostile", None, "<b>bold")
        await host.hub.wait_for_instance_start("<b>bold")
        async with page_of(host, "/instances") as page:
            await expect(rows(page)).to_contain_text("<script>x</script>\\u001b[2J\\u202e")
            await expect(page.get_by_role("link", name="<b>bold")).to_be_visible()
            assert await page.locator("tbody b, tbody script").count() == 0


async def test_it_fits_a_phone(host: Host, page_of: PageOf) -> None:
    await host.start("echo", 1)
    async with page_of(host, "/instances", width=360, height=740) as page:
        await expect(rows(page)).to_have_count(1)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        cell = page.get_by_role("cell").filter(has_text="under 1 s")
        await expect(cell).to_have_attribute("data-label", "Duration")
        await cell.scroll_into_view_if_needed()
        await expect(cell).to_be_in_viewport(ratio=1)
