"""Does a dashboard stay responsive in a browser, with 100,000 instances and 2,000 changes a second?

A host of its own runs five-activity sequences at that pace. Three pages are open in a headless
Chromium: two lists of instances, and the overview. `timer_late_*` is by how much a timer of 50 ms
comes late in a page, `long_tasks` are those that keep a page busy for more than 50 ms (of all
three), and `next_page_*` is from the click on *Older* until other rows are there.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
from playwright.async_api import Page, async_playwright

from benchmarks.dashboards import EVENTS_EACH, full_host
from tests.browser.chromium import find_chromium

PAGES = ("/instances", "/", "/instances")
AT_ONCE = 17
EACH_S = 0.1
CLICKS = 10
REST_S = 0.7

_PROBE = """() => {
  window.late = []; window.long = [];
  let last = performance.now();
  setInterval(() => {
    const now = performance.now(); window.late.push(now - last - 50); last = now;
  }, 50);
  new PerformanceObserver((list) => list.getEntries().forEach(
    (each) => window.long.push(each.duration))).observe({ type: "longtask" });
}"""
_FIRST_ROW = "tbody tr td a"


async def measure() -> dict[str, Any]:
    async with _host() as url, _changes(url) as done, async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox"]
        )
        pages = [await _opened(await browser.new_page(), f"{url}/dashboard{at}") for at in PAGES]
        began, before = time.perf_counter(), len(done)
        clicks = sorted([await _next_page(pages[0]) for _ in range(CLICKS)])
        changes = (len(done) - before) * AT_ONCE * EVENTS_EACH / (time.perf_counter() - began)
        late = sorted([each for page in pages for each in await page.evaluate("window.late")])
        long = [each for page in pages for each in await page.evaluate("window.long")]
        await browser.close()
    return {
        "benchmark": "a dashboard in a browser",
        "changes_per_second": round(changes),
        "timer_late_p95_ms": round(late[int(len(late) * 0.95)], 1),
        "timer_late_max_ms": round(late[-1], 1),
        "long_tasks": len(long),
        "longest_task_ms": round(max(long, default=0)),
        "next_page_p50_ms": round(statistics.median(clicks)),
        "next_page_max_ms": round(clicks[-1]),
    }


async def _opened(page: Page, url: str) -> Page:
    await page.goto(url)
    await page.wait_for_selector("h1")
    await page.evaluate(_PROBE)
    return page


async def _next_page(page: Page) -> float:
    """How many ms until the next page of the list is seen."""
    await asyncio.sleep(REST_S)
    first = await page.locator(_FIRST_ROW).first.text_content()
    began = time.perf_counter()
    await page.get_by_role("button", name="Older").first.click()
    is_other = f"(first) => document.querySelector('{_FIRST_ROW}')?.textContent !== first"
    await page.wait_for_function(is_other, arg=first)
    return (time.perf_counter() - began) * 1000


@asynccontextmanager
async def _changes(url: str) -> AsyncIterator[list[None]]:
    """Sequences are run at the pace meanwhile; as many entries as there were runs of `AT_ONCE`."""
    done: list[None] = []

    async def run() -> None:
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            while True:
                began = time.perf_counter()
                async with session.get(f"{url}/api/work/{AT_ONCE}"):
                    done.append(None)
                await asyncio.sleep(max(0.0, EACH_S - (time.perf_counter() - began)))

    running = asyncio.create_task(run())
    try:
        yield done
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def _host() -> AsyncIterator[str]:
    """The URL of a host in a process of its own, on a hub that is full."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.dashboard_page", "--serve"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        await process.communicate(b"\n")


async def _serve() -> None:
    with TemporaryDirectory() as folder:
        async with full_host(Path(folder) / "hub") as url:
            print(url, flush=True)
            await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        asyncio.run(_serve())
    else:
        print(json.dumps(asyncio.run(measure())))
