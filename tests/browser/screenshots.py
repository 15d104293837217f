"""Pictures of all pages of the dashboard, of the demo app: `make screenshots`.

Those that the docs show are written to docs/images, light; all of them, light, dark and on a
phone, to build/screenshots, to be looked at. What they are of stands in shots.py.
"""

from __future__ import annotations

import asyncio
import linecache
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Literal, TypeAlias

from playwright.async_api import Browser, Error, async_playwright, expect

from bindings import FunctionApp
from host.functions.model import BrokenFunction
from host.http.keys import KeyKind
from tests.browser.chromium import ADVICE, find_chromium
from tests.browser.shots import KEY_NAME, KEY_VALUE, SHOTS, Of, Shot
from tests.browser.stories import demo_host, ended, in_quarantine, waiting_order
from tests.http.hosting import Host, running_host

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
ALL = ROOT / "build" / "screenshots"
SHOP = "/srv/shop/function_app.py"
BROKEN = BrokenFunction(
    name="spoiled", directory=Path(), error="SyntaxError: '(' was never closed (spoiled.py, line 3)"
)
Scheme: TypeAlias = Literal["light", "dark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a page is looked at."""

    scheme: Scheme
    width: int
    height: int


LOOKS: Mapping[str, Look] = {
    "light": Look(scheme="light", width=1280, height=800),
    "dark": Look(scheme="dark", width=1280, height=800),
    "phone": Look(scheme="light", width=390, height=844),
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


async def make_keys(host: Host) -> None:
    """Keys of all kinds, and one that is known to who takes the pictures."""
    master = {"x-functions-key": host.keys[KeyKind.MASTER]}
    known = {"name": KEY_NAME, "value": KEY_VALUE}
    for verb, path, body in (
        ("PUT", f"/admin/host/systemkeys/{KEY_NAME}?role=admin", known),
        ("POST", "/admin/host/systemkeys/night-watch?role=read", None),
        ("POST", "/admin/functions/accept_order/keys/shop-window", None),
        ("POST", "/admin/functions/accept_order/keys/shop-window?grace=86400", None),
    ):
        response = await host.call(verb, path, json=body, headers=master)
        assert response.status in (200, 201), await response.text()


@asynccontextmanager
async def all_hosts() -> AsyncIterator[Mapping[Of, Host]]:
    """The hosts that the pictures are of."""
    with TemporaryDirectory() as folder:
        app, keys = shop_app(), Path(folder, "keys.json")
        async with (
            demo_host(app) as shop,
            demo_host(app, key_file=keys) as locked,
            running_host(app=FunctionApp(), broken=(BROKEN,)) as empty,
        ):
            await tell_stories(shop)
            await make_keys(locked)
            yield {"shop": shop, "locked": locked, "empty": empty}


async def main(names: list[str]) -> None:
    """Take those whose names begin so, or all."""
    executable = find_chromium()
    if executable is None:
        sys.exit(ADVICE)
    for folder in (IMAGES, ALL):
        folder.mkdir(parents=True, exist_ok=True)
    wanted = {name: shot for name, shot in SHOTS.items() if name.startswith(tuple(names) or "")}
    failed: list[str] = []
    async with all_hosts() as hosts, async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox"]
        )
        for name, shot in wanted.items():
            pictures = [(look, ALL / f"{name}-{kind}.png") for kind, look in LOOKS.items()]
            if shot.height is not None:
                look = Look(scheme="light", width=1100, height=shot.height)
                pictures.append((look, IMAGES / f"{name}.png"))
            for look, file in pictures:
                try:
                    await take(browser, hosts[shot.of].origin, shot, look, file)
                except (AssertionError, Error) as error:
                    failed.append(f"{file.stem}: {error}")
        await browser.close()
    if failed:
        sys.exit("\n".join(failed))


async def take(browser: Browser, origin: str, shot: Shot, look: Look, file: Path) -> None:
    """Take one picture: what is in sight for the docs and of dialogs, else the whole page."""
    context = await browser.new_context(
        base_url=origin,
        color_scheme=look.scheme,
        viewport={"width": look.width, "height": look.height},
        timezone_id="UTC",
    )
    context.set_default_timeout(10_000)
    page = await context.new_page()
    try:
        await page.goto(f"/dashboard{shot.path}")
        await page.locator(shot.sees).first.wait_for()
        await expect(page.locator(".spinner")).to_have_count(0)
        if shot.steps is not None:
            await shot.steps(page)
            await expect(page.locator(".spinner")).to_have_count(0)
            await page.evaluate("scrollTo(0, 0)")
            await page.mouse.move(0, 0)
        is_whole = file.parent == ALL and await page.locator("dialog").count() == 0
        await page.screenshot(path=file, full_page=is_whole)
    finally:
        await context.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
