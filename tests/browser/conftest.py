"""A Chromium for all tests of this folder, and pages of it that look at a host of the test.

All tests share an event loop, since they share the browser. A page fails its test when it
writes an error to its console (a violation of the content security policy is one), when a script
of it fails, when the host answers 5xx, and when it asks anybody but the host.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal, TypeAlias

import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    Response,
    async_playwright,
    expect,
)

from tests.browser.chromium import ADVICE, find_chromium
from tests.http.hosting import Host, running_host

TIMEOUT_MS = 10_000
expect.set_options(timeout=TIMEOUT_MS)
PageOf: TypeAlias = Callable[..., AbstractAsyncContextManager[Page]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser" in item.path.as_posix():
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def chromium() -> str:
    found = find_chromium()
    if found is None:
        pytest.fail(ADVICE)
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def host() -> AsyncIterator[Host]:
    """A host on loopback, without keys, on the memory store."""
    async with running_host() as host:
        yield host


@pytest.fixture
def page_of(browser: Browser) -> PageOf:
    """Opens pages: `async with page_of(host, "/instances") as page`."""

    @asynccontextmanager
    async def opened(
        host: Host,
        path: str = "/",
        *,
        scheme: Literal["light", "dark"] = "light",
        width: int = 1280,
        height: int = 800,
        moves_time: bool = False,
        expected_errors: tuple[str, ...] = (),
        **options: Any,
    ) -> AsyncIterator[Page]:
        """`expected_errors`: parts of what may stand in the console of this page.

        `moves_time`: the page's timers go by `page.clock`, as the test moves it.
        """
        context = await browser.new_context(
            base_url=host.origin,
            color_scheme=scheme,
            viewport={"width": width, "height": height},
            timezone_id="UTC",
            **options,
        )
        context.set_default_timeout(TIMEOUT_MS)
        page = await context.new_page()
        if moves_time:
            await page.clock.install()
        faults = watch(page, host.origin, expected_errors)
        try:
            await page.goto(f"/dashboard{path}")
            yield page
            assert not faults, faults
        finally:
            await context.close()

    return opened


def watch(page: Page, origin: str, expected: tuple[str, ...]) -> list[str]:
    """What the page does that none may do, as it comes."""
    faults: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        # What the host refuses shows as its status, below; the page itself says it in words.
        is_refusal = message.text.startswith("Failed to load resource")
        if message.type == "error" and not is_refusal and not _is_in(message.text, expected):
            faults.append(f"console: {message.text}")

    def on_request(request: Request) -> None:
        if not request.url.startswith((f"{origin}/", "data:", "blob:")):
            faults.append(f"another origin is asked: {request.url}")

    def on_response(response: Response) -> None:
        if response.status >= 500:
            faults.append(f"{response.status}: {response.url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: faults.append(f"script: {error}"))
    page.on("request", on_request)
    page.on("response", on_response)
    return faults


def _is_in(text: str, expected: tuple[str, ...]) -> bool:
    return any(each in text for each in expected)
