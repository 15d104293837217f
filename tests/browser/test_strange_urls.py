"""Whatever stands in a URL: it is ignored or refused in words, and no page breaks."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Page, expect

from host.http.dashboard import files
from tests.browser.conftest import PageOf
from tests.browser.hub_app import hub_host
from tests.http.hosting import Host

STATIC = Path(files.__file__).parent / "static"
PAGES: dict[str, Sequence[str]] = {
    "/": (),
    "/instances": [
        "start",
        "order",
        "runtimeStatus",
        "last",
        "createdTimeFrom",
        "createdTimeTo",
        "text",
        "name",
        "instanceIdPrefix",
        "tag",
        "after",
        "page",
    ],
    "/instances/one": ["tab", "group", "text", "event"],
    "/compare": ("a", "b"),
    "/offline": (),
    "/entities": ["name", "key", "keyPrefix", "tag", "onlyLocked", "withoutState", "after", "page"],
    "/entities/Counter/k": (),
    "/functions": ("tab", "text"),
    "/functions/greet": (),
    "/schedules": (),
    "/queues": (),
    "/queues/orders": ("tab",),
    "/limits": (),
    "/quarantine": (),
    "/hosts": (),
    "/jobs": ("after", "page"),
    "/jobs/none": (),
    "/audit": ("who", "what", "target", "after", "page"),
}
"""The parameters that each page reads."""
VALUES = [
    "..",
    "1e308",
    "%00",
    "%F0%9F%98%80%E2%80%AE",
    "constructor",
    "x" * 3000,
]


@pytest_asyncio.fixture(loop_scope="session")
async def host() -> AsyncIterator[Host]:
    async with hub_host() as host:
        await host.start("waiting", instance_id="one")
        yield host


async def assert_whole(page: Page, query: str) -> None:
    """Go there, as a link of the page would, and see that the page stands."""
    await page.evaluate(
        "(query) => { history.pushState(null, '', `${location.pathname}?${query}`);"
        " dispatchEvent(new PopStateEvent('popstate')); }",
        query,
    )
    await expect(page.locator("#main > *").first).to_be_attached()
    assert await page.get_by_text("This page is broken").count() == 0, query


async def test_no_value_of_a_parameter_breaks_a_page(host: Host, page_of: PageOf) -> None:
    async with page_of(host) as page:
        for path, names in PAGES.items():
            strange = ["&".join(f"{name}={value}" for name in names) for value in VALUES]
            alone = [f"{name}=abc" for name in names]
            doubled = "&".join(f"{name}=a&{name}=b" for name in [*names, "__proto__", "tab"])
            await page.goto(f"/dashboard{path}?{doubled}")
            await expect(page.locator("#main > *").first).to_be_attached()
            await expect(page.locator("#main .spinner")).to_have_count(0)
            for query in [*strange, *alone, doubled] if names else [doubled]:
                await assert_whole(page, query)


async def test_all_parameters_that_pages_read_are_tried() -> None:
    """Those that stand in the scripts as members of what `useQuery` gives."""
    known = {name for names in PAGES.values() for name in names}
    written = set()
    for script in [*STATIC.glob("pages/**/*.js"), *STATIC.glob("parts/*.js")]:
        text = script.read_text(encoding="utf-8")
        if "useQuery(" in text or "setParams" in text:
            written |= set(re.findall(r"\bparams\.(\w+)", text))
            for found in re.findall(
                r"const \[?\{([^}]*)\}(?:, setParams\])? = (?:useQuery\(|params;)", text
            ):
                written |= set(re.findall(r"(?:^|,)\s*(\w+)", found))
    assert written - {"filters"} <= known


async def test_a_span_that_is_none_is_ignored(host: Host, page_of: PageOf) -> None:
    async with page_of(host, "/instances?last=abc") as page:
        await expect(page.get_by_role("link", name="one")).to_be_visible()
    async with page_of(host, "/entities?name=a&name=b") as page:
        await expect(page.get_by_label("Entity", exact=True)).to_have_value("a")
    async with page_of(host, "/instances?createdTimeFrom=abc") as page:
        await expect(page.get_by_role("alert").first).to_contain_text("createdTimeFrom")
