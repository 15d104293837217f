"""Which pictures of the dashboard are taken (screenshots.py): a page more is a line more here."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from playwright.async_api import FilePayload, Page, Route

Steps: TypeAlias = Callable[[Page], Awaitable[None]]
Of: TypeAlias = Literal["shop", "locked", "empty"]
TABLE = "tbody tr"
KEY_NAME, KEY_VALUE = "ann", "a-key-of-the-pictures-with-forty-three-chars"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One picture: of which page of which host, when this can be seen, after these steps.

    The hosts: a shop with instances in all states; the same with keys, to which nobody is signed
    in yet; and one with nothing in it. `height` is that of the picture for the docs, in pixels;
    None if they do not show it.
    """

    path: str
    sees: str
    steps: Steps | None = None
    height: int | None = None
    of: Of = "shop"


def press(*names: str, then: str = "dialog h2") -> Steps:
    """Press these buttons, and wait for what comes of it."""

    async def steps(page: Page) -> None:
        for name in names:
            await page.get_by_role("button", name=re.compile(rf"^{re.escape(name)}")).first.click()
        await page.locator(then).first.wait_for()

    return steps


async def open_retries(page: Page) -> None:
    """Show the bar of the activity that was tried three times."""
    await page.locator(".mark .state-failed").first.click()


async def open_fork(page: Page) -> None:
    """Ask for a fork of the event that is chosen."""
    await page.get_by_role("button", name="Fork from here").click()


async def with_children(page: Page) -> None:
    """Show what the children called."""
    await page.get_by_label("What its children called, too").check()
    await page.locator(".node", has_text="wrap").wait_for()


async def open_palette(page: Page) -> None:
    """Look for something."""
    await page.keyboard.press("Control+k")
    await page.get_by_role("dialog").get_by_role("combobox").fill("order")
    await page.get_by_role("option", name="order-4711").wait_for()


async def open_shortcuts(page: Page) -> None:
    """List the keys."""
    await page.keyboard.press("?")
    await page.locator(".shortcuts").wait_for()


async def open_menu(page: Page) -> None:
    """Open the navigation, where it is behind a button."""
    button = page.get_by_role("button", name="Pages")
    if await button.is_visible():
        await button.click()


async def open_more(page: Page) -> None:
    """Open the list of what is done rarely."""
    await page.get_by_role("button", name="More").click()
    await page.locator(".more-list").wait_for()


async def send_without_id(page: Page) -> None:
    """Send a request without what its route needs."""
    await page.get_by_role("button", name="Send").click()
    await page.get_by_text("The route needs").wait_for()


async def send(page: Page) -> None:
    """Send a request, and see its answer."""
    await page.get_by_label("id", exact=True).fill("4711")
    await page.get_by_role("button", name="Send").click()
    await page.locator(".answer").wait_for()


async def open_export(page: Page) -> None:
    """Look at an exported history."""
    url = "/runtime/webhooks/durabletask/instances/payment-12/export"
    content = await (await page.request.get(url)).body()
    file: FilePayload = {"name": "payment-12.ndjson", "mimeType": "text/plain", "buffer": content}
    await page.locator("input[type=file]").set_input_files(file)
    await page.get_by_role("tab", name="Step by step").click()


async def without_host(page: Page) -> None:
    """See a page whose host does not answer any more."""

    async def refused(route: Route) -> None:
        await route.abort()

    await page.route("**/runtime/**", refused)
    await page.locator(".error-box").first.wait_for()


async def sign_in_empty(page: Page) -> None:
    """Sign in with nothing."""
    await page.get_by_role("button", name="Sign in").click()
    await page.locator(".error-text").wait_for()


async def sign_in(page: Page) -> None:
    """Sign in as who may do everything, and see the keys."""
    await page.get_by_label("Key").fill(KEY_VALUE)
    await page.get_by_role("button", name="Sign in").click()
    await page.locator(TABLE).first.wait_for()


async def make_key(page: Page) -> None:
    """Ask for a new key."""
    await sign_in(page)
    await page.get_by_role("button", name="Make a key…").click()
    await page.locator("dialog h2").wait_for()


SHOTS: Mapping[str, Shot] = {
    "overview": Shot(path="/", sees=".small-table"),
    "overview-empty": Shot(path="/", sees=".tile", of="empty"),
    "overview-lost": Shot(path="/", sees=".small-table", steps=without_host),
    "menu": Shot(path="/", sees=".small-table", steps=open_menu),
    "instances": Shot(path="/instances", sees=TABLE),
    "instances-filtered": Shot(
        path="/instances?runtimeStatus=Running&runtimeStatus=Failed&last=3600", sees=TABLE
    ),
    "instances-custom-times": Shot(
        path="/instances?createdTimeFrom=2020-01-01T00:00:00Z", sees=TABLE
    ),
    "instances-none": Shot(path="/instances?text=nothing-like-it", sees=".empty-title"),
    "instances-wrong": Shot(path="/instances?tag=no-colon", sees="[role=alert]"),
    "instances-no-page": Shot(path="/instances?after=old", sees="[role=alert]"),
    "instances-empty": Shot(path="/instances", sees=".empty-title", of="empty"),
    "instances-columns": Shot(path="/instances", sees=TABLE, steps=press("Columns")),
    "instances-bulk": Shot(path="/instances", sees=TABLE, steps=press("All found")),
    "instances-view": Shot(path="/instances", sees=TABLE, steps=press("Save view")),
    "start": Shot(path="/instances?start=deliver", sees="dialog .schema-form"),
    "functions": Shot(path="/functions", sees=TABLE),
    "functions-none": Shot(path="/functions?text=zzz", sees=".empty-title"),
    "functions-broken": Shot(path="/functions", sees=".broken", of="empty"),
    "functions-graph": Shot(path="/functions?tab=graph", sees=".graph-node", height=620),
    "function": Shot(path="/functions/announce_return", sees=TABLE, steps=send),
    "function-missing": Shot(path="/functions/announce_return", sees=TABLE, steps=send_without_id),
    "function-activity": Shot(path="/functions/reserve", sees=".tile"),
    "function-start": Shot(path="/functions/deliver", sees=".schema-form"),
    "function-broken": Shot(path="/functions/spoiled", sees=".error-box", of="empty"),
    "entities": Shot(path="/entities", sees=TABLE),
    "entities-empty": Shot(path="/entities", sees=".empty-title", of="empty"),
    "entities-signal": Shot(path="/entities", sees=TABLE, steps=press("Signal…")),
    "entity": Shot(path="/entities/Stock/warehouse", sees=".payload"),
    "entity-none": Shot(path="/entities/Stock/nowhere", sees=".facts"),
    "schedules": Shot(path="/schedules", sees=TABLE),
    "schedules-run": Shot(path="/schedules", sees=TABLE, steps=press("Run now")),
    "schedules-empty": Shot(path="/schedules", sees=".empty-title", of="empty"),
    "queues": Shot(path="/queues", sees=TABLE),
    "queues-empty": Shot(path="/queues", sees=".empty-title", of="empty"),
    "queues-put": Shot(path="/queues", sees=TABLE, steps=press("Put a message", "Put it")),
    "queue": Shot(path="/queues/returns", sees=".payload"),
    "limits": Shot(path="/limits", sees=".meter"),
    "limits-change": Shot(path="/limits", sees=".meter", steps=press("Change")),
    "limits-empty": Shot(path="/limits", sees=".empty-title", of="empty"),
    "quarantine": Shot(path="/quarantine", sees=TABLE),
    "quarantine-empty": Shot(path="/quarantine", sees=".empty-title", of="empty"),
    "hosts": Shot(path="/hosts", sees=TABLE),
    "hosts-functions": Shot(path="/hosts", sees=TABLE, steps=press("2 functions")),
    "jobs": Shot(path="/jobs", sees=TABLE),
    "jobs-empty": Shot(path="/jobs", sees=".empty-title", of="empty"),
    "job": Shot(path="/jobs", sees=TABLE, steps=lambda page: page.locator("td a").first.click()),
    "audit": Shot(path="/audit", sees=TABLE),
    "audit-empty": Shot(path="/audit", sees=".empty-title", of="empty"),
    "keys-none": Shot(path="/keys", sees=".empty-title"),
    "login": Shot(path="/", sees=".login", of="locked"),
    "login-empty": Shot(path="/", sees=".login", steps=sign_in_empty, of="locked"),
    "keys": Shot(path="/keys", sees=".login", of="locked", steps=sign_in),
    "keys-make": Shot(path="/keys", sees=".login", of="locked", steps=make_key),
    "palette": Shot(path="/functions", sees=TABLE, steps=open_palette),
    "shortcuts": Shot(path="/functions", sees=TABLE, steps=open_shortcuts),
    "no-such-page": Shot(path="/no/such", sees=".empty-title"),
    "instance-waits": Shot(path="/instances/order-4711", sees=".timeline-lanes", height=740),
    "instance-attempts": Shot(
        path="/instances/order-4711", sees=".timeline-lanes", steps=open_retries
    ),
    "instance-more": Shot(path="/instances/order-4711", sees=".timeline-lanes", steps=open_more),
    "instance-event": Shot(
        path="/instances/order-4711", sees=".timeline-lanes", steps=press("Raise event")
    ),
    "instance-failed": Shot(path="/instances/payment-12", sees=".timeline-lanes", height=700),
    "instance-quarantine": Shot(path="/instances/order-13", sees=".why-bad"),
    "instance-pending": Shot(path="/instances/delivery-3", sees=".why"),
    "instance-none": Shot(path="/instances/nobody", sees=".empty-title"),
    "instance-history": Shot(path="/instances/order-4711?tab=history", sees=".event-row"),
    "instance-fork": Shot(
        path="/instances/payment-12?tab=history&event=5",
        sees=".event-row",
        steps=open_fork,
    ),
    "instance-data": Shot(path="/instances/order-4711?tab=data", sees=".payload"),
    "instance-tree": Shot(path="/instances/order-4711?tab=tree", sees=".tree-line"),
    "instance-graph": Shot(
        path="/instances/order-4711?tab=graph", sees=".node", steps=with_children
    ),
    "instance-long": Shot(path="/instances/import-9", sees=".timeline-lanes"),
    "compare": Shot(
        path="/compare?a=payment-11&b=payment-12", sees=".compare-row.first", height=640
    ),
    "compare-none": Shot(path="/compare", sees=".empty-title"),
    "offline": Shot(path="/offline", sees=".drop"),
    "offline-steps": Shot(path="/offline", sees=".drop", steps=open_export),
}
