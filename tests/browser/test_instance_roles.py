"""The page of an instance for who may look, and for who may change."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Page, expect

from host.http.keys import KeyKind
from tests.browser.conftest import PageOf
from tests.browser.stories import demo_host, waiting_order
from tests.http.hosting import Host


@pytest_asyncio.fixture(loop_scope="session")
async def locked(tmp_path: Path) -> AsyncIterator[Host]:
    async with demo_host(key_file=tmp_path / "keys.json") as host:
        yield host


async def key_of_role(host: Host, role: str) -> str:
    master = {"x-functions-key": host.keys[KeyKind.MASTER]}
    made = await host.call("POST", f"/admin/host/systemkeys/{role}?role={role}", headers=master)
    return str((await made.json())["value"])


async def sign_in(page: Page, key: str) -> None:
    await page.get_by_label("Key").fill(key)
    await page.get_by_role("button", name="Sign in").click()


async def test_who_may_read_sees_all_and_changes_nothing(locked: Host, page_of: PageOf) -> None:
    await waiting_order(locked, "order-1")
    async with page_of(locked, "/instances/order-1?tab=history&event=4") as page:
        await sign_in(page, await key_of_role(locked, "read"))
        await expect(page.locator(".why")).to_contain_text("Approval")
        await expect(page.locator(".chosen-box")).to_contain_text("look_up_price")
        await expect(page.get_by_role("button", name="Fork from here")).to_have_count(0)
        await expect(page.locator(".page-actions")).to_have_text(
            "Your key may look, and change nothing."
        )


async def test_who_may_read_gets_no_form_to_start_by_a_link(locked: Host, page_of: PageOf) -> None:
    async with page_of(locked, "/instances?start=1") as page:
        await sign_in(page, await key_of_role(locked, "read"))
        await expect(page.get_by_text("There are no instances yet")).to_be_visible()
        await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_who_may_operate_acts_and_exports(locked: Host, page_of: PageOf) -> None:
    await waiting_order(locked, "order-1")
    async with page_of(locked, "/instances/order-1", accept_downloads=True) as page:
        await sign_in(page, await key_of_role(locked, "operate"))
        await page.get_by_role("button", name="Raise event").click()
        await page.get_by_label("Data").fill('{"by": "Ann"}')
        await page.get_by_role("button", name="Raise", exact=True).click()
        await locked.hub.wait_for_instance_completion("order-1")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await page.get_by_role("button", name="More").click()
        async with page.expect_download() as started:
            await page.get_by_role("link", name="Export").click()
        line = json.loads((await (await started.value).path()).read_text())
        assert line["instance"]["instance_id"] == "order-1"
