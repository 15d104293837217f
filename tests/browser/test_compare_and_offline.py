"""Two runs side by side, and exported histories without their hub."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import FilePayload, Page, expect

from tests.browser.conftest import PageOf
from tests.browser.stories import demo_host, ended, waiting_order
from tests.http.hosting import Host


@pytest_asyncio.fixture(loop_scope="session")
async def demo() -> AsyncIterator[Host]:
    async with demo_host() as host:
        yield host


# ---- comparison ----------------------------------------------------------------------------


async def test_the_first_difference_is_marked(demo: Host, page_of: PageOf) -> None:
    for text, instance_id in (("1", "good"), ("no card", "bad"), ("1", "good-too")):
        await ended(demo, "settle_payment", text, instance_id)
    async with page_of(demo, "/compare?a=good&b=bad") as page:
        status = page.get_by_role("status").first
        await expect(status).to_contain_text("They part at row 1 of")
        await expect(page.locator(".compare-row.first")).to_contain_text("Execution started")
        row = page.locator(".compare-row", has_text="Activity failed")
        await expect(row).to_contain_text("RuntimeError")
        await row.click()
        await expect(page.locator(".compare-heads").last).to_contain_text("The card was refused")
        await page.get_by_label("Second").fill("good-too")
        await page.get_by_role("button", name="Compare").click()
        await expect(status).to_contain_text("The histories are the same")


async def test_an_id_that_nobody_has_is_named(demo: Host, page_of: PageOf) -> None:
    await ended(demo, "echo", "x", "here")
    async with page_of(demo, "/compare?a=here&b=nobody") as page:
        await expect(page.get_by_role("alert")).to_contain_text("There is no instance 'nobody'.")


ALIGN = """async ([left, right]) => {
  const { aligned, firstDifference } = await import("/dashboard/lib/align.js");
  const event = ([EventType, Name], place) =>
    ({ EventType, Name, EventId: -1, sequence: place + 1 });
  const rows = aligned(left.map(event), right.map(event));
  const shown = ({ left: a, right: b, isSame }) => [a?.sequence ?? 0, b?.sequence ?? 0, isSame];
  return [firstDifference(rows), rows.map(shown)];
}"""


async def test_what_one_side_alone_has_stands_by_itself(demo: Host, page_of: PageOf) -> None:
    names = [["TaskScheduled", each] for each in "abcdef"]
    async with page_of(demo, "/compare") as page:
        first, rows = await page.evaluate(
            ALIGN, [names, [*names[:2], ["TimerFired", ""], *names[3:]]]
        )
        assert first == 2
        assert rows == [
            [1, 1, True],
            [2, 2, True],
            [3, 0, False],
            [0, 3, False],
            [4, 4, True],
            [5, 5, True],
            [6, 6, True],
        ]
        first, rows = await page.evaluate(ALIGN, [names[:4], names])
        assert (first, rows[4:]) == (4, [[0, 5, False], [0, 6, False]])
        many = [["TaskScheduled", str(each)] for each in range(2000)]
        others = [["EventRaised", str(each)] for each in range(2000)]
        first, rows = await page.evaluate(ALIGN, [many, others])
        assert (first, len(rows)) == (0, 4000)


# ---- exported histories --------------------------------------------------------------------


async def exported(host: Host, instance_id: str) -> bytes:
    response = await host.call("GET", f"instances/{instance_id}/export")
    assert response.status == 200
    return await response.read()


async def drop(page: Page, content: bytes, name: str = "history.ndjson") -> None:
    file: FilePayload = {"name": name, "mimeType": "application/x-ndjson", "buffer": content}
    await page.locator("input[type=file]").set_input_files(file)


async def test_an_exported_history_is_shown_step_by_step(demo: Host, page_of: PageOf) -> None:
    await waiting_order(demo, "order-1")
    content = await exported(demo, "order-1")
    async with page_of(demo, "/offline") as page:
        asked: list[str] = []
        await expect(page.get_by_text("Drop an exported history here")).to_be_visible()
        page.on("request", lambda request: asked.append(request.method))
        await drop(page, content)
        await expect(page.locator(".offline-head")).to_contain_text("order-1")
        reserve = page.locator(".mark", has=page.locator("title", has_text="reserve"))
        await expect(reserve.locator(".state-failed")).to_have_count(2)
        await page.get_by_role("tab", name="Step by step").click()
        cards = page.locator(".steps .card")
        await expect(cards.nth(0)).to_contain_text("Execution started place_order")
        await expect(cards.nth(1)).to_contain_text("Activity scheduled look_up_price")
        await page.get_by_role("button", name="Next turn").click()
        await expect(cards.nth(0)).to_contain_text("Activity completed look_up_price")
        await expect(cards.nth(2)).to_contain_text("reserve")
        await page.get_by_label("Turn").press("End")
        await expect(cards.nth(2)).to_contain_text("Approval")
        await expect(cards.nth(2)).to_contain_text("courier did not answer")
        await page.get_by_role("tab", name="History").click()
        await expect(page.locator(".event-row").first).to_contain_text("Turn began")
        assert set(asked) <= {"GET"}


DROP = """(text) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([text], "dropped.ndjson"));
  const target = document.querySelector(".drop");
  target.dispatchEvent(new DragEvent("dragover", { dataTransfer: transfer, bubbles: true }));
  target.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
}"""


async def test_a_file_is_dropped_onto_the_page(demo: Host, page_of: PageOf) -> None:
    await ended(demo, "echo", "x", "echo-1")
    content = await exported(demo, "echo-1")
    async with page_of(demo, "/offline") as page:
        await expect(page.locator(".drop")).to_be_visible()
        await page.evaluate(DROP, content.decode())
        await expect(page.locator(".offline-head")).to_contain_text("echo-1")
        await expect(page.locator(".page-head")).to_contain_text("dropped.ndjson")


DEEDS = """async ([text, events, waiting]) => {
  const { deedsOf } = await import("/dashboard/lib/deeds.js");
  const { awaitsOf, readExport } = await import("/dashboard/lib/exported.js");
  const [line] = readExport(text);
  const shown = ({ kind, name, target, state, parts }) =>
    JSON.stringify([kind, name, target, state, parts.map((part) => part.state)]);
  const ofFile = deedsOf(line.events, { awaits: awaitsOf(line) });
  const ofHub = deedsOf(events, { waiting });
  return [ofFile.map(shown).sort(), ofHub.map(shown).sort()];
}"""


@pytest.mark.parametrize("name", ["place_order", "settle_payment", "count_down", "many_steps"])
async def test_an_export_tells_the_same_deeds_as_the_hub(
    demo: Host, page_of: PageOf, name: str
) -> None:
    if name == "place_order":
        await waiting_order(demo, "one")
    else:
        await ended(
            demo, name, {"settle_payment": "x", "count_down": 2, "many_steps": 7}[name], "one"
        )
    events = await history_of(demo, "one")
    waiting = (await (await demo.call("GET", "instances/one/why")).json())["waitingFor"]
    text = (await exported(demo, "one")).decode()
    async with page_of(demo, "/offline") as page:
        of_file, of_hub = await page.evaluate(DEEDS, [text, events, waiting])
        assert of_file == of_hub
        assert len(of_hub) > 1


async def history_of(host: Host, instance_id: str) -> list[dict[str, Any]]:
    response = await host.call("GET", f"instances/{instance_id}/history")
    events = (await response.json())["historyEvents"]
    return [event | {"sequence": place} for place, event in enumerate(events, 1)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "The file is empty."),
        (b"\x00\xff\xfe", "it is not JSON."),
        (b'{"a": 1}', "it names no format."),
        (b'{"format": 99, "instance": {}}', "it is of the format 99"),
        (b'{"format": 1, "instance_id": "x", "error": "torn <b>"}', "torn <b>"),
        (b'{"format": 1}', "it has no instance."),
        (b'{"format": 1, "instance": {"instance_id": "x"}, "history": [{}]}', "Line 1"),
        (b'{"format": 1, "instance": {"instance_id": "x"}, "history": 5}', "Line 1"),
    ],
)
async def test_what_is_no_export_is_said_to_be_none(
    demo: Host, page_of: PageOf, content: bytes, says: str
) -> None:
    async with page_of(demo, "/offline") as page:
        await drop(page, content)
        await expect(page.get_by_role("alert")).to_contain_text(says)
        await expect(page.get_by_text("Drop an exported history here")).to_be_visible()


async def test_an_export_that_was_cut_off_is_shown_with_a_warning(
    demo: Host, page_of: PageOf
) -> None:
    await waiting_order(demo, "order-1")
    lines = [json.loads(await exported(demo, "order-1"))]
    lines[0].pop("exported")
    content = json.dumps(lines[0]).encode() + b"\n{torn"
    async with page_of(demo, "/offline") as page:
        await drop(page, content)
        await expect(page.get_by_text("the export was cut off")).to_be_visible()
        await expect(page.get_by_role("alert")).to_contain_text("Line 2")
        await expect(page.locator(".offline-head")).to_contain_text("order-1")
