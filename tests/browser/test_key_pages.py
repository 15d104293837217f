"""The page of keys, and what who may only look is not offered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from host.http.keys import KeyKind
from tests.browser.conftest import PageOf
from tests.browser.hub_app import hub_host
from tests.http.hosting import Host


@pytest_asyncio.fixture(loop_scope="session")
async def locked(tmp_path: Path) -> AsyncIterator[Host]:
    async with hub_host(key_file=tmp_path / "keys.json") as host:
        yield host


def master(host: Host) -> dict[str, str]:
    return {"x-functions-key": host.keys[KeyKind.MASTER]}


async def sign_in(page: Page, key: str) -> None:
    await page.get_by_label("Key").fill(key)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("nav.side")).to_be_attached()


async def confirm(page: Page, action: str) -> None:
    await page.get_by_role("dialog").get_by_role("button", name=action, exact=True).click()


async def test_a_key_is_made_shown_once_renewed_and_deleted(locked: Host, page_of: PageOf) -> None:
    async with page_of(locked, "/keys") as page:
        await sign_in(page, locked.keys[KeyKind.MASTER])
        rows = page.get_by_role("table", name="Keys").locator("tbody tr")
        await expect(rows.filter(has_text="everything")).to_have_count(1)
        await page.get_by_role("button", name="Make a key…").click()
        await page.get_by_label("Name").fill("ann")
        await page.get_by_label("Role").select_option("operate")
        await confirm(page, "Make it")
        value = await page.locator("pre.secret").inner_text()
        await confirm(page, "I have it")
        answer = await locked.call("GET", "counts", headers={"x-functions-key": value})
        assert answer.status == 200
        await expect(rows.filter(has_text="ann")).to_contain_text("operate")
        assert value not in await page.content()
        await page.get_by_role("button", name="New value ann").click()
        await confirm(page, "Make a new value")
        assert await page.locator("pre.secret").inner_text() != value
        await confirm(page, "I have it")
        answer = await locked.call("GET", "counts", headers={"x-functions-key": value})
        assert answer.status == 401
        await page.get_by_role("button", name="Delete ann").click()
        await confirm(page, "Delete the key")
        await expect(rows.filter(has_text="ann")).to_have_count(0)


async def test_a_name_that_is_none_says_why(locked: Host, page_of: PageOf) -> None:
    async with page_of(locked, "/keys") as page:
        await sign_in(page, locked.keys[KeyKind.MASTER])
        await page.get_by_role("button", name="Make a key…").click()
        await page.get_by_label("Name").fill("-no name-")
        await confirm(page, "Make it")
        await expect(page.get_by_role("alert")).to_contain_text("A key's name has 1 to 64 letters")


@pytest.mark.parametrize(
    ("path", "read", "button"),
    [
        ("/entities", "Entities", "Signal…"),
        ("/queues", "idle", "Purge idle"),
        ("/limits", "press", "Change… press"),
        ("/functions/waiting", "Bindings", "Start"),
    ],
)
async def test_who_may_only_look_is_offered_no_changes(
    locked: Host, page_of: PageOf, path: str, read: str, button: str
) -> None:
    await locked.call("POST", "/admin/queues/idle", data="x", headers=master(locked))
    for role, expected in (("read", 0), ("operate", 1)):
        made = await locked.call(
            "POST", f"/admin/host/systemkeys/{role}r?role={role}", headers=master(locked)
        )
        async with page_of(locked, path) as page:
            await sign_in(page, str((await made.json())["value"]))
            await expect(page.locator("main").get_by_text(read, exact=True).first).to_be_visible()
            buttons = page.get_by_role("button", name=button, exact=True)
            await expect(buttons).to_have_count(expected)


async def test_who_may_not_see_keys_is_told_so(locked: Host, page_of: PageOf) -> None:
    async with page_of(locked, "/keys") as page:
        await sign_in(page, locked.keys[KeyKind.SYSTEM])
        await expect(page.get_by_text("Your key is not enough for this")).to_be_visible()
        await expect(page.get_by_role("button", name="Make a key…")).to_have_count(0)
