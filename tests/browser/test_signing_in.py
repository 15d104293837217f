"""Signing in and out, as a person does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest_asyncio
from playwright.async_api import expect

from host.clock import SystemClock
from host.http.browser_sessions import LIFETIME
from host.http.keys import KeyKind
from tests.browser.conftest import PageOf
from tests.http.hosting import Host, running_host


@pytest_asyncio.fixture(loop_scope="session")
async def locked(tmp_path: Path) -> AsyncIterator[Host]:
    async with running_host(tmp_path / "keys.json") as host:
        yield host


async def test_a_key_opens_the_dashboard_until_one_signs_out(locked: Host, page_of: PageOf) -> None:
    async with page_of(locked, "/instances?runtimeStatus=Failed") as page:
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_text("the field is empty")).to_be_visible()
        await page.get_by_label("Key").fill("w" * 43)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_text("There is no such key.")).to_be_visible()
        await page.get_by_label("Key").fill(locked.keys[KeyKind.SYSTEM])
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_text("operate · ")).to_be_visible()
        assert page.url.endswith("/dashboard/instances?runtimeStatus=Failed")
        assert await page.evaluate("document.cookie") == ""
        await page.reload()
        await expect(page.get_by_text("operate · ")).to_be_visible()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_label("Key")).to_be_visible()
        await page.reload()
        await expect(page.get_by_label("Key")).to_be_visible()


async def test_who_is_signed_in_with_a_key_that_ends_is_asked_again(
    locked: Host, page_of: PageOf
) -> None:
    master = {"x-functions-key": locked.keys[KeyKind.MASTER]}
    path = "/admin/host/systemkeys/mine"
    made = await locked.call("POST", f"{path}?role=read", headers=master)
    async with page_of(locked, moves_time=True) as page:
        await page.get_by_label("Key").fill(str((await made.json())["value"]))
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        await locked.call("DELETE", path, headers=master)
        await page.clock.run_for(6_000)
        await expect(page.get_by_label("Key")).to_be_visible()


class LaterClock(SystemClock):
    """The machine's clock, or a later one."""

    later = timedelta()

    def now(self) -> datetime:
        return super().now() + self.later


async def test_a_session_that_is_over_asks_for_the_key_and_goes_on_where_one_was(
    tmp_path: Path, page_of: PageOf
) -> None:
    clock = LaterClock()
    async with (
        running_host(tmp_path / "keys.json", clock=clock) as host,
        page_of(host, "/instances?runtimeStatus=Failed", moves_time=True) as page,
    ):
        await page.get_by_label("Key").fill(host.keys[KeyKind.SYSTEM])
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", name="Instances")).to_be_visible()
        clock.later = LIFETIME - timedelta(minutes=1)
        await page.clock.run_for(6_000)
        await expect(page.get_by_role("heading", name="Instances")).to_be_visible()
        clock.later = LIFETIME
        await page.clock.run_for(6_000)
        await page.get_by_label("Key").fill(host.keys[KeyKind.SYSTEM])
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", name="Instances")).to_be_visible()
        assert page.url.endswith("/dashboard/instances?runtimeStatus=Failed")
