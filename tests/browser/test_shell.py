"""What surrounds the pages: navigation, looks, time zone, deep links, what is not there."""

from __future__ import annotations

from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import PageOf
from tests.http.hosting import Host

EACH_MS = 6_000
"""Longer than a page waits until it reads again."""


async def shows_in_time(page: Page, locator: Locator, text: str) -> None:
    """The host may answer from what it read two seconds ago: then the next reading shows it."""
    while text not in (await locator.text_content() or ""):
        await page.clock.run_for(EACH_MS)


async def test_the_overview_counts_by_status(host: Host, page_of: PageOf) -> None:
    await host.ended("echo")
    await host.ended("failing")
    async with page_of(host, moves_time=True) as page:
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        await expect(page.locator(".tile", has_text="Completed")).to_contain_text("1")
        await host.ended("echo")
        await shows_in_time(page, page.locator(".tile", has_text="Completed"), "2")


async def test_the_root_leads_to_the_dashboard(host: Host, page_of: PageOf) -> None:
    async with page_of(host) as page:
        await page.goto("/")
        await expect(page).to_have_url(f"{host.origin}/dashboard/")
        await expect(page.get_by_role("link", name="Overview")).to_be_visible()


async def test_an_unknown_page_says_so_and_leads_back(host: Host, page_of: PageOf) -> None:
    async with page_of(host, "/no/such.page") as page:
        await expect(page.get_by_text("There is no such page")).to_be_visible()
        await page.get_by_role("link", name="To the overview").click()
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()


async def test_colours_are_those_of_the_system_until_somebody_chooses(
    host: Host, page_of: PageOf
) -> None:
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    async with page_of(host, scheme="dark") as page:
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        assert await page.evaluate(ground) == "rgb(15, 18, 23)"
        await page.get_by_label("Colours").select_option("light")
        assert await page.evaluate(ground) == "rgb(246, 247, 249)"
        await page.reload()
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        assert await page.evaluate(ground) == "rgb(246, 247, 249)"


async def test_a_paused_page_stands_still(host: Host, page_of: PageOf) -> None:
    async with page_of(host, moves_time=True) as page:
        tile = page.locator(".tile", has_text="Completed")
        await expect(tile).to_contain_text("0")
        await page.get_by_role("button", name="Live").click()
        await expect(page.get_by_role("button", name="Paused")).to_be_visible()
        await page.wait_for_load_state("networkidle")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await host.ended("echo")
        await page.clock.run_for(EACH_MS)
        assert asked == []
        await page.get_by_role("button", name="Paused").click()
        await shows_in_time(page, tile, "1")


async def test_a_host_that_does_not_answer_is_not_called_live(host: Host, page_of: PageOf) -> None:
    async with page_of(host, moves_time=True) as page:
        await expect(page.get_by_role("button", name="Live")).to_be_visible()
        await page.route("**/runtime/**", lambda route: route.abort())
        await page.clock.run_for(EACH_MS)
        await expect(page.get_by_role("button", name="No answer")).to_be_visible()
        await page.unroute("**/runtime/**")
        await page.clock.run_for(EACH_MS)
        await expect(page.get_by_role("button", name="Live")).to_be_visible()


async def test_on_a_phone_the_navigation_is_behind_a_button(host: Host, page_of: PageOf) -> None:
    async with page_of(host, width=360, height=740) as page:
        await expect(page.get_by_role("link", name="Overview")).to_be_hidden()
        await page.get_by_role("button", name="Pages").click()
        await expect(page.get_by_role("link", name="Overview")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360


async def test_an_emoji_stays_one_and_what_hides_is_spelled(host: Host, page_of: PageOf) -> None:
    async with page_of(host) as page:
        for text, shown in (
            ("a\u200db \u202eno", "a\\u200db \\u202eno"),
            ("\U0001f469\u200d\U0001f469\u200d\U0001f467", None),
            ("\u2764\ufe0f", None),
            ("1\ufe0f \U0001f469\u200d", "1\\ufe0f \U0001f469\\u200d"),
        ):
            found = await page.evaluate(
                "text => import('/dashboard/lib/visible.js').then(({visible}) => visible(text))",
                text,
            )
            assert found == (shown or text)
