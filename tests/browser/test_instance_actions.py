"""What can be done with an instance from its page: which buttons there are, and what they do."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from host.http.by_state import State
from host.http.management.operations import OPERATIONS
from tests.browser.conftest import PageOf
from tests.browser.stories import demo_host, ended, waiting_order
from tests.http import every_state
from tests.http.hosting import Host, running_host

LABELS = {
    "raiseEvent": "Raise event",
    "suspendInstance": "Suspend",
    "resumeInstance": "Resume",
    "rewindInstance": "Rewind",
    "redriveInstance": "Redrive",
    "terminateInstance": "Terminate",
    "setCustomStatus": "Set custom status",
    "purgeInstance": "Purge",
}
"""By operation: its button. A restart and a fork are possible in other ways than the table says."""
STATES = [state for state in State if state is not State.UNKNOWN]


@pytest_asyncio.fixture(loop_scope="session")
async def demo() -> AsyncIterator[Host]:
    async with demo_host() as host:
        yield host


def expected_buttons(state: State) -> set[str]:
    """By the records of the operations."""
    possible = {
        LABELS[each.id]
        for each in OPERATIONS
        if each.id in LABELS and each.by_state and each.by_state.answers[state] < 300
    }
    # what would change nothing has no button
    return possible - {"Suspend" if state is State.SUSPENDED else "Resume"}


async def do(page: Page, button: str, **fields: str | bool) -> None:
    """Press the button, fill in the dialog, and confirm it; wait until it is gone."""
    await open_dialog(page, button)
    dialog = page.get_by_role("dialog")
    for label, value in fields.items():
        field = dialog.get_by_label(label.replace("_", " "))
        if isinstance(value, bool):
            await field.set_checked(value)
        else:
            await field.fill(value)
    await dialog.locator("button[type=submit]").click()
    await expect(dialog).to_have_count(0)


async def open_dialog(page: Page, button: str) -> None:
    await expect(page.locator(".page-actions")).to_be_visible()
    if not await action(page, button).count():
        await page.get_by_role("button", name="More").click()
    await action(page, button).click()


def action(page: Page, button: str) -> Locator:
    return page.locator(".page-actions").get_by_role("button", name=button, exact=True)


async def status_of(host: Host, instance_id: str) -> dict[str, Any]:
    response = await host.call("GET", f"instances/{instance_id}")
    return dict(await response.json())


# ---- which there are -----------------------------------------------------------------------


async def test_the_buttons_are_those_of_the_state(page_of: PageOf) -> None:
    async with running_host(app=every_state.app()) as host:
        ids = {state: await every_state.in_state(host, state) for state in STATES}
        async with page_of(host) as page:
            for state, instance_id in ids.items():
                await page.goto(f"/dashboard/instances/{instance_id}")
                await page.get_by_role("button", name="More").click()
                await expect(page.get_by_role("link", name="Export")).to_be_visible()
                buttons = page.locator(".page-actions button")
                shown = {text.strip() for text in await buttons.all_inner_texts()}
                assert shown & set(LABELS.values()) == expected_buttons(state), state


# ---- what they do --------------------------------------------------------------------------


async def test_an_event_is_raised_with_its_data(demo: Host, page_of: PageOf) -> None:
    await waiting_order(demo, "order-1")
    async with page_of(demo, "/instances/order-1") as page:
        await open_dialog(page, "Raise event")
        await expect(page.get_by_label("Name of the event")).to_have_value("Approval")
        await page.get_by_label("Data").fill("{no json")
        await page.get_by_role("button", name="Raise", exact=True).click()
        await expect(page.get_by_role("alert")).to_contain_text("This is not JSON")
        await page.get_by_label("Data").fill('{"number": 12345678901234567890}')
        await page.get_by_role("button", name="Raise", exact=True).click()
        await demo.hub.wait_for_instance_completion("order-1")
        assert (await status_of(demo, "order-1"))["output"]["answer"] == {
            "number": 12345678901234567890
        }


async def test_it_is_held_resumed_and_ended(demo: Host, page_of: PageOf) -> None:
    await waiting_order(demo, "order-1")
    async with page_of(demo, "/instances/order-1", moves_time=True) as page:
        await do(page, "Suspend", Reason="a look")
        await demo.until("order-1", "Suspended")
        await page.get_by_role("button", name="Refresh").click()
        await expect(page.locator(".why")).to_contain_text("until it is resumed: a look")
        await do(page, "Resume")
        await demo.until("order-1", "Running")
        await page.get_by_role("button", name="Refresh").click()
        await expect(action(page, "Suspend")).to_be_visible()
        await do(page, "Terminate", Reason="enough")
        await demo.until("order-1", "Terminated")
        assert (await status_of(demo, "order-1"))["output"] == "enough"


async def test_a_custom_status_is_set(demo: Host, page_of: PageOf) -> None:
    await waiting_order(demo, "order-1")
    async with page_of(demo, "/instances/order-1") as page:
        await do(page, "Set custom status", Custom_status='{"seen": true}')
        await demo.hub.raise_event("order-1", "Approval", {})
        await demo.hub.wait_for_instance_completion("order-1")
        assert (await status_of(demo, "order-1"))["customStatus"] == {"seen": True}


async def test_a_failed_one_is_rewound(demo: Host, page_of: PageOf) -> None:
    await ended(demo, "settle_payment", "no card", "broken-1")
    async with page_of(demo, "/instances/broken-1") as page:
        await do(page, "Rewind", Reason="the bank is open")
        await demo.hub.wait_for_instance_completion("broken-1")
        history = await demo.hub.get_instance_history("broken-1")
        reasons = [
            each.get("Reason") for each in history if each["EventType"] == "ExecutionRewound"
        ]
        assert reasons == ["the bank is open"]


async def test_a_restart_leads_to_the_new_instance(demo: Host, page_of: PageOf) -> None:
    await ended(demo, "echo", "hello", "echo-1")
    async with page_of(demo, "/instances/echo-1") as page:
        await do(page, "Restart")
        await expect(page.get_by_role("heading", level=1)).not_to_contain_text("echo-1")
        await expect(page.locator(".facts-row")).to_contain_text("echo")


async def test_a_purged_one_is_gone(demo: Host, page_of: PageOf) -> None:
    await ended(demo, "echo", "hello", "echo-1")
    async with page_of(demo, "/instances/echo-1") as page:
        await do(page, "Purge")
        await expect(page).to_have_url(re.compile(r"/dashboard/instances(\?|$)"))
        assert (await demo.call("GET", "instances/echo-1")).status == 404


async def test_a_quarantined_one_is_redriven(page_of: PageOf) -> None:
    async with running_host(app=every_state.app()) as host:
        instance_id = await every_state.in_state(host, State.QUARANTINED)
        async with page_of(host, f"/instances/{instance_id}") as page:
            await expect(page.locator(".why")).to_contain_text("It ended three hosts.")
            await do(page, "Redrive")
            await host.until(instance_id, "Running")


async def test_a_fork_begins_after_the_event_that_was_chosen(demo: Host, page_of: PageOf) -> None:
    await ended(demo, "settle_payment", "no card", "broken-1")
    async with page_of(demo, "/instances/broken-1?tab=history&event=5") as page:
        await page.get_by_role("button", name="Fork from here").click()
        dialog = page.get_by_role("dialog")
        await expect(dialog.get_by_label("After event")).to_have_value("5")
        await dialog.get_by_label("Id of the new instance").fill("fork-1")
        await dialog.locator("button[type=submit]").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("fork-1")
        await demo.hub.wait_for_instance_completion("fork-1")
        history = await demo.hub.get_instance_history("fork-1")
        assert "after event 5" in json.dumps(history)


async def test_a_fork_from_the_start_may_have_another_input(demo: Host, page_of: PageOf) -> None:
    await ended(demo, "echo", "old", "echo-1")
    async with page_of(demo, "/instances/echo-1") as page:
        await do(
            page, "Fork", After_event="0", Id_of_the_new_instance="fork-2", Another_input='"new"'
        )
        await demo.hub.wait_for_instance_completion("fork-2")
        assert (await status_of(demo, "fork-2"))["output"] == "new"


async def test_what_the_host_refuses_stands_in_the_dialog(demo: Host, page_of: PageOf) -> None:
    await ended(demo, "echo", "old", "echo-1")
    async with page_of(demo, "/instances/echo-1") as page:
        await open_dialog(page, "Fork")
        await page.get_by_label("Id of the new instance").fill("echo-1")
        await page.get_by_role("dialog").locator("button[type=submit]").click()
        await expect(page.get_by_role("alert")).to_contain_text("echo-1")
        await page.get_by_role("button", name="Cancel").click()
        await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_an_export_is_a_file(demo: Host, page_of: PageOf) -> None:
    await ended(demo, "echo", "hello", "echo-1")
    async with page_of(demo, "/instances/echo-1", accept_downloads=True) as page:
        await page.get_by_role("button", name="More").click()
        async with page.expect_download() as started:
            await page.get_by_role("link", name="Export").click()
        download = await started.value
        assert download.suggested_filename == "echo-1.ndjson"
        path = await download.path()
        line = json.loads(path.read_text())
        assert (line["instance"]["instance_id"], line["exported"]) == ("echo-1", 1)


async def test_a_dialog_that_is_there_is_open(demo: Host, page_of: PageOf) -> None:
    """Else an Escape that comes at once would go to the page behind it."""
    await waiting_order(demo, "order-1")
    async with page_of(demo, "/instances/order-1") as page:
        found = await action(page, "Terminate").evaluate(
            """async (button) => {
              const there = new Promise((resolve) => new MutationObserver(() => {
                const dialog = document.querySelector("dialog");
                if (dialog !== null) resolve(dialog);
              }).observe(document.body, { childList: true, subtree: true }));
              button.click();
              return (await there).open;
            }"""
        )
        assert found is True


@pytest.mark.parametrize("button", ["Terminate", "Suspend"])
async def test_nothing_is_done_without_a_confirmation(
    demo: Host, page_of: PageOf, button: str
) -> None:
    await waiting_order(demo, "order-1")
    async with page_of(demo, "/instances/order-1") as page:
        await open_dialog(page, button)
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        assert (await status_of(demo, "order-1"))["runtimeStatus"] == "Running"
