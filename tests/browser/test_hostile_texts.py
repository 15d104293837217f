"""Characters that nobody sees, or that turn a text round, are spelled out on every page."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest_asyncio
from playwright.async_api import Page, Route, expect

from bindings import EntityId
from tests.browser.conftest import PageOf
from tests.browser.hub_app import hub_host
from tests.http.hosting import WEBHOOKS, Host
from tests.kit.hub import until

MARKS = "\u202e\u061c\u00ad\u180e\u034f\u200b\u2066\U000e0041\ufe0f\u3164"
NAME = f"n{MARKS}m"
SPELLED = r"\u202e\u061c\u00ad\u180e\u034f\u200b\u2066\u{e0041}\ufe0f\u3164"

FOUND = r"""() => {
  const hidden = /[\p{Default_Ignorable_Code_Point}\u2028\u2029]/u;
  const found = hidden.test(document.title) ? [document.title] : [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { data } = walker.currentNode;
    if (hidden.test(data)) found.push(data);
  }
  const shown = ["title", "aria-label", "aria-description", "aria-valuetext", "placeholder", "alt",
    "label", "download"];
  for (const element of document.querySelectorAll("*")) {
    for (const name of shown) if (hidden.test(element.getAttribute(name) ?? "")) found.push(name);
  }
  return found;
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def host() -> AsyncIterator[Host]:
    async with hub_host() as host:
        yield host


async def assert_seen(page: Page, where: str) -> None:
    await expect(page.get_by_text(SPELLED).first).to_be_attached()
    assert await page.evaluate(FOUND) == [], where


async def planted(host: Host) -> None:
    """An instance, an entity that it has locked, a failure and an audit, all of that name."""
    await host.hub.signal_entity(EntityId("Counter", NAME), "add", 1)
    await host.start("keep", NAME, quote(NAME))

    async def is_locked() -> bool:
        found = await host.hub.get_entity_lock(EntityId("Counter", NAME))
        return found is not None and found.holder is not None

    await until(is_locked)
    await host.call("POST", f"instances/{quote(NAME)}/raiseEvent/{quote(NAME)}", json=NAME)
    await host.call("POST", f"instances/{quote(NAME)}/suspend?reason={quote(NAME)}")
    parts = host.engine.parts
    await host.start("waiting", NAME, quote(f"{NAME}2"))
    await host.hub.wait_for_instance_start(f"{NAME}2")
    row = await parts.store.get(f"{NAME}2")
    assert row is not None
    await parts.quarantine.put(row, NAME, parts.clock.now())


async def test_names_of_the_hub_are_seen(host: Host, page_of: PageOf) -> None:
    await planted(host)
    part = quote(NAME, safe="")
    async with page_of(host, "/entities") as page:
        for path in (
            "/entities",
            f"/entities/Counter/{part}",
            "/instances",
            *(f"/instances/{part}?tab={tab}" for tab in ("timeline", "history", "data", "tree")),
            f"/instances/{part}?tab=graph",
            f"/instances/{part}2",
            f"/instances/{part}-gone",
            f"/compare?a={part}&b={part}2",
            "/quarantine",
            "/audit",
        ):
            await page.goto(f"/dashboard{path}")
            await assert_seen(page, path)
        await page.goto(f"/dashboard/entities/Counter/{part}")
        await page.get_by_role("button", name="Unlock by force…").click()
        await expect(page.get_by_role("dialog")).to_contain_text(SPELLED)
        await assert_seen(page, "unlock")
        await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        await page.keyboard.press("Control+k")
        await page.get_by_role("dialog").get_by_role("combobox").fill("n")
        await expect(page.get_by_role("option", name=SPELLED).first).to_be_visible()
        await assert_seen(page, "palette")


MARKED = frozenset(
    [
        "name",
        "key",
        "queueName",
        "schedule",
        "timeZone",
        "file",
        "version",
        "appVersion",
        "target",
        "who",
        "what",
        "detail",
        "from",
        "reason",
        "lastError",
        "groupId",
        "id",
        "body",
        "keyName",
        "hub",
        "jobId",
        "instanceId",
        "action",
        "error",
        "errors",
        "functions",
        "waitingReason",
        "host",
        "url",
        "invoke_url_template",
    ]
)


def marked(value: Any, *, is_name: bool = False) -> Any:
    """An answer of the host with the marks in all that names something."""
    if isinstance(value, dict):
        return {name: marked(each, is_name=name in MARKED) for name, each in value.items()}
    if isinstance(value, list):
        return [marked(each, is_name=is_name) for each in value]
    return f"{value}{MARKS}" if is_name and isinstance(value, str) else value


async def with_marks(route: Route) -> None:
    response = await route.fetch()
    if response.status != 200 or route.request.method != "GET":
        await route.fulfill(response=response)
        return
    await route.fulfill(response=response, body=json.dumps(marked(await response.json())))


async def test_whatever_a_host_may_answer_is_seen(host: Host, page_of: PageOf) -> None:
    await host.http.request("POST", "/admin/queues/orders-poison?", data="x")
    await host.http.request("POST", "/admin/queues/orders", data="x")
    await host.start("print_book")
    await host.call("POST", "batch/suspend?name=print_book")
    async with page_of(host, "/hosts") as page:
        await page.route(
            lambda url: (WEBHOOKS in url or "/admin/" in url) and "/events" not in url, with_marks
        )
        for path in (
            "/",
            "/functions",
            "/functions/bill",
            "/schedules",
            "/queues",
            "/limits",
            "/hosts",
            "/jobs",
            "/audit",
        ):
            await page.goto(f"/dashboard{path}")
            await expect(page.locator("main").get_by_text(SPELLED).first).to_be_attached()
            await assert_seen(page, path)
        await page.unroute_all(behavior="ignoreErrors")
