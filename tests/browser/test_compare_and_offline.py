"""Two runs side by side, and exported histories without their hub."""

from __future__ import annotations

import asyncio
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


async def test_on_a_phone_one_stands_above_the_other(demo: Host, page_of: PageOf) -> None:
    for text, instance_id in (("1", "good"), ("no card", "bad")):
        await ended(demo, "settle_payment", text, instance_id)
    async with page_of(demo, "/compare?a=good&b=bad", width=360, height=740) as page:
        cells = page.locator(".compare-row.first .compare-cell")
        await expect(cells).to_have_count(2)
        upper, lower = [await each.bounding_box() for each in await cells.all()]
        assert upper is not None
        assert lower is not None
        assert upper["y"] < lower["y"]
        assert upper["x"] == lower["x"]
        assert upper["width"] > 280


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


def one_export(**changes: Any) -> dict[str, Any]:
    """An export of an instance that ran one activity, with some members changed."""
    time = "2026-01-01T00:00:00Z"
    event = {"type": 4, "timestamp": time, "task_id": 0, "name": "x"} | changes.pop("event", {})
    batch = {"events": [{"type": 12, "timestamp": time}, event]} | changes.pop("batch", {})
    row = {
        "instance_id": "a",
        "name": "n",
        "status": "Failed",
        "created_at": time,
        "updated_at": time,
        "execution_id": "e",
    }
    history = [{"execution_id": "e", "number": 1, "batch": batch}]
    return {"format": 1, "exported": 1, "instance": row | changes, "history": history}


def causes(number: int) -> dict[str, Any]:
    failure: dict[str, Any] = {"error_type": "E", "message": "innermost"}
    for _ in range(number):
        failure = {"error_type": "E", "message": "outer", "cause": failure}
    return failure


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": {"a": 1}}, "its instance has no valid 'name'"),
        ({"instance_id": ["a"]}, "its instance has no valid 'instance_id'"),
        ({"created_at": "+275760-09-13T00:00:00Z"}, "its instance has no valid 'created_at'"),
        ({"output": {}}, "its instance has no valid 'output'"),
        ({"failure": causes(800)}, "its instance has no valid 'failure'"),
        ({"event": {"name": {}}}, "an event of turn 1 has no valid 'name'"),
        ({"event": {"timestamp": "soon"}}, "an event of turn 1 has no valid 'timestamp'"),
        ({"event": {"task_id": "0"}}, "an event of turn 1 has no valid 'task_id'"),
        ({"event": {"type": 15, "input": 5}}, "an event of turn 1 has no valid 'input'"),
        ({"batch": {"events": []}}, "turn 1 has no events"),
        ({"batch": {"awaited": [{}]}}, "turn 1 has no valid 'awaited'"),
    ],
)
async def test_an_export_of_another_form_is_refused_in_words(
    demo: Host, page_of: PageOf, changes: dict[str, Any], says: str
) -> None:
    async with page_of(demo, "/offline") as page:
        await drop(page, json.dumps(one_export(**changes)).encode())
        await expect(page.get_by_role("alert")).to_contain_text(says)


async def test_of_many_causes_the_first_are_shown(demo: Host, page_of: PageOf) -> None:
    async with page_of(demo, "/offline") as page:
        await drop(page, json.dumps(one_export(failure=causes(90))).encode())
        await expect(page.get_by_text("There is more behind it")).to_be_visible()
        await expect(page.locator(".failure-line")).to_have_count(30)


async def test_ids_that_no_url_holds_are_shown_without_a_link(demo: Host, page_of: PageOf) -> None:
    event = {"type": 7, "instance_id": "\ud800", "name": ".."}
    async with page_of(demo, "/offline?tab=history&event=2") as page:
        await drop(page, json.dumps(one_export(event=event)).encode())
        await expect(page.locator(".chosen-box")).to_contain_text(r"\ud800")
        await expect(page.locator(".chosen-box a[href]")).to_have_count(0)


async def test_times_that_are_nearer_than_numbers_tell_do_not_hang_the_page(
    demo: Host, page_of: PageOf
) -> None:
    def at(micros: int) -> str:
        return f"9999-12-31T23:59:5{micros // 1_000_000}.{micros % 1_000_000:06}Z"

    line = one_export(created_at=at(0), updated_at=at(9_000_000))
    events = line["history"][0]["batch"]["events"] = [
        {"type": 12, "timestamp": at(0)},
        {"type": 0, "timestamp": at(0), "name": "n"},
    ]
    for place in range(6):
        start = 10 + 430 * place
        events.append({"type": 4, "timestamp": at(start), "task_id": place, "name": "x"})
        events.append({"type": 5, "timestamp": at(start + 430), "task_id": place})
    events.append({"type": 1, "timestamp": at(9_000_000), "status": "Completed"})
    async with page_of(demo, "/offline", width=2600) as page:
        await drop(page, json.dumps(line).encode())
        await expect(page.get_by_label("Squeeze idle time")).to_be_checked()
        for _ in range(8):
            await page.get_by_role("button", name="Zoom in").click()
            await expect(page.locator(".timeline-axis text").first).to_be_attached()
        drawn = await page.locator(".timeline").evaluate("(each) => each.innerHTML")
        assert "NaN" not in drawn
        assert "Infinity" not in drawn


KEYS = """async (subjects) => {
  const { keyOf } = await import("/dashboard/lib/align.js");
  const key = (Name) => keyOf({ EventType: "TaskScheduled", Name }, new Map());
  return subjects.map((name) => key(name).split("\\n")[1]);
}"""


async def test_derived_ids_do_not_count_as_a_difference(demo: Host, page_of: PageOf) -> None:
    cases = {
        "a:0123abcd:0001": "…",
        "go of a:0123abcd:0001:4567cdef:0002 now": "go of … now",
        "a:0123abcd:0001@key": "…@key",
        ":01234567:abcd1234:abcd.": "….",
        "a:0123abc:0001 a:b": "a:0123abc:0001 a:b",
        ":" * 300_000: ":" * 300_000,  # a look at each pair would take minutes
    }
    async with page_of(demo, "/compare") as page, asyncio.timeout(30):
        assert await page.evaluate(KEYS, list(cases)) == list(cases.values())
