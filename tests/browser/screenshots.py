"""Pictures of all pages of the dashboard, of the demo app: `make screenshots`.

Those that the docs show are written to docs/images, light; all of them, light, dark and on a
phone, to build/screenshots, to be looked at. A page more is a line more in `SHOTS`.
"""

from __future__ import annotations

import asyncio
import linecache
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal, TypeAlias

from playwright.async_api import Browser, Page, async_playwright

from bindings import FunctionApp
from tests.browser.chromium import ADVICE, find_chromium
from tests.browser.stories import demo_host, ended, in_quarantine, waiting_order
from tests.http.hosting import Host

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
ALL = ROOT / "build" / "screenshots"
SHOP = "/srv/shop/function_app.py"
Steps: TypeAlias = Callable[[Page], Awaitable[None]]
Scheme: TypeAlias = Literal["light", "dark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One picture: of which page, when this can be seen, after these steps.

    `height` is that of the picture for the docs, in pixels; None if they do not show it.
    """

    path: str
    sees: str
    steps: Steps | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a page is looked at."""

    scheme: Scheme
    width: int
    height: int


LOOKS: Mapping[str, Look] = {
    "light": Look(scheme="light", width=1200, height=800),
    "dark": Look(scheme="dark", width=1200, height=800),
    "phone": Look(scheme="light", width=360, height=740),
}


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


SHOTS: Mapping[str, Shot] = {
    "overview": Shot(path="/", sees=".tile"),
    "instances": Shot(path="/instances", sees=".table"),
    "functions": Shot(path="/functions", sees="tbody tr"),
    "functions-graph": Shot(path="/functions?tab=graph", sees=".graph-node", height=620),
    "function": Shot(path="/functions/announce_return", sees="tbody tr"),
    "entities": Shot(path="/entities", sees="tbody tr"),
    "entity": Shot(path="/entities/Stock/warehouse", sees=".payload"),
    "schedules": Shot(path="/schedules", sees="h1"),
    "queues": Shot(path="/queues", sees="tbody tr"),
    "queue": Shot(path="/queues/returns", sees=".payload"),
    "limits": Shot(path="/limits", sees=".meter"),
    "quarantine": Shot(path="/quarantine", sees="tbody tr"),
    "hosts": Shot(path="/hosts", sees="tbody tr"),
    "jobs": Shot(path="/jobs", sees="tbody tr"),
    "audit": Shot(path="/audit", sees="h1"),
    "keys": Shot(path="/keys", sees="#main h1"),
    "palette": Shot(path="/functions", sees="tbody tr", steps=open_palette),
    "instance-waits": Shot(path="/instances/order-4711", sees=".timeline-lanes", height=740),
    "instance-attempts": Shot(
        path="/instances/order-4711", sees=".timeline-lanes", steps=open_retries
    ),
    "instance-failed": Shot(path="/instances/payment-12", sees=".timeline-lanes", height=700),
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
    "offline": Shot(path="/offline", sees=".drop"),
}


def shop_app() -> FunctionApp:
    """The demo app as if it stood in /srv/shop: pictures show tracebacks, which name it."""
    source = (Path(__file__).parent / "demo" / "function_app.py").read_text()
    linecache.cache[SHOP] = (len(source), None, source.splitlines(keepends=True), SHOP)
    module = ModuleType("function_app")
    sys.modules["function_app"] = module
    exec(compile(source, SHOP, "exec"), vars(module))
    app = vars(module)["app"]
    assert isinstance(app, FunctionApp)
    return app


async def tell_stories(host: Host) -> None:
    """Make the instances that the pictures are of."""
    await waiting_order(host, "order-4711")
    await ended(host, "settle_payment", "Ann", "payment-11")
    await ended(host, "settle_payment", "Ann", "payment-12")
    await ended(host, "many_steps", 3000, "import-9")
    for number in range(4):
        await host.start("deliver", "a parcel", f"delivery-{number}")
    await in_quarantine(host, "order-13")
    for order_id in ("4700", "4702"):
        await host.call("POST", "/admin/queues/returns", data=order_id)
    await host.call("POST", "/admin/queues/returns-poison", data="47O3")
    await host.call("POST", "batch/suspend?instanceIdPrefix=delivery-3")


async def main(names: list[str]) -> None:
    """Take those of these names, or all."""
    executable = find_chromium()
    if executable is None:
        sys.exit(ADVICE)
    for folder in (IMAGES, ALL):
        folder.mkdir(parents=True, exist_ok=True)
    wanted = {name: shot for name, shot in SHOTS.items() if not names or name in names}
    async with demo_host(shop_app()) as host, async_playwright() as playwright:
        await tell_stories(host)
        browser = await playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox"]
        )
        for name, shot in wanted.items():
            for kind, look in LOOKS.items():
                await take(browser, host.origin, shot, look, ALL / f"{name}-{kind}.png")
            if shot.height is not None:
                look = Look(scheme="light", width=1100, height=shot.height)
                await take(browser, host.origin, shot, look, IMAGES / f"{name}.png")
        await browser.close()


async def take(browser: Browser, origin: str, shot: Shot, look: Look, file: Path) -> None:
    """Take one picture: what is in sight for the docs, else the whole page."""
    context = await browser.new_context(
        base_url=origin,
        color_scheme=look.scheme,
        viewport={"width": look.width, "height": look.height},
        timezone_id="UTC",
    )
    page = await context.new_page()
    await page.goto(f"/dashboard{shot.path}")
    await page.locator(shot.sees).first.wait_for()
    await page.wait_for_function("!document.querySelector('.spinner')")
    if shot.steps is not None:
        await shot.steps(page)
    await page.screenshot(path=file, full_page=file.parent == ALL)
    await context.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
