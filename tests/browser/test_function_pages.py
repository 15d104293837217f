"""Functions in the dashboard: the list, the graph of their bindings, one of them, a run by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.conftest import PageOf
from tests.browser.hub_app import HOSTILE, hub_host
from tests.http.hosting import Host

JOINED = """
async (functions) => {
  const { graphOf } = await import("/dashboard/lib/bindings.js");
  const { edges } = graphOf(functions);
  const ends = new Set(edges.map(({ from }) => from));
  const isJoined = edges.some(({ from, to }) => from.includes("writes") && ends.has(to));
  return isJoined;
}
"""
LAYERS = """
async ([nodes, edges]) => {
  const { layOut } = await import("/dashboard/lib/layers.js");
  const size = { width: 10, height: 1, gapX: 0, gapY: 0 };
  const joined = edges.map(([from, to]) => ({ from, to }));
  const found = layOut(nodes.map((id) => ({ id })), joined, size);
  return Object.fromEntries([...found.places].map(([id, { x }]) => [id, x / 10]));
}
"""


@pytest_asyncio.fixture(loop_scope="session")
async def host() -> AsyncIterator[Host]:
    async with hub_host() as host:
        yield host


async def test_those_that_do_not_load_come_first_with_the_reason(
    host: Host, page_of: PageOf
) -> None:
    async with page_of(host, "/functions") as page:
        broken = page.get_by_role("region", name="Functions that do not load")
        await expect(broken).to_contain_text(HOSTILE)
        await broken.get_by_role("link", name="spoiled").click()
        await expect(page.get_by_text("It does not load.")).to_be_visible()


async def test_functions_are_listed_by_trigger_and_filtered(host: Host, page_of: PageOf) -> None:
    async with page_of(host, "/functions") as page:
        http = page.get_by_role("table", name="HTTP")
        await expect(http).to_contain_text("POST orders/{customer}")
        await expect(http).to_contain_text("orders")
        await expect(page.get_by_role("table", name="Timers")).to_contain_text("0 30 3 * * *")
        await page.get_by_label("Name, route or resource").fill("bills")
        await expect(http).to_have_count(0)
        await expect(page.get_by_role("table", name="Queues")).to_contain_text("bill")
        await expect(page).to_have_url(f"{host.origin}/dashboard/functions?text=bills")


async def test_the_graph_joins_functions_by_their_resources(host: Host, page_of: PageOf) -> None:
    async with page_of(host, "/functions?tab=graph") as page:
        graph = page.get_by_role("region", name="Functions and what they are bound to")
        nodes = graph.locator(".graph-node")
        chain = ["POST orders/{customer}", "take_order", "orders", "bill", "bills/{id}.txt"]
        places = []
        for label in chain:
            node = nodes.filter(has=page.get_by_text(label, exact=True))
            box = await node.bounding_box()
            assert box is not None
            places.append(box["x"])
        assert places == sorted(places)
        assert len(set(places)) == len(places)
        # those of the chain, of the timer, and of two other functions with routes
        await expect(graph.locator("svg > path")).to_have_count(len(chain) - 1 + 3)
        await expect(page.get_by_role("link", name="keep")).to_be_visible()
        await graph.get_by_role("link", name="take_order").click()
        await expect(page.get_by_role("heading", name="take_order")).to_be_visible()


async def test_the_layout_has_circles_and_long_ways(host: Host, page_of: PageOf) -> None:
    cases: list[tuple[list[str], list[tuple[str, str]], dict[str, int]]] = [
        (["a"], [], {"a": 0}),
        (["a", "b", "c"], [("a", "b"), ("b", "c"), ("a", "c")], {"a": 0, "b": 1, "c": 2}),
        (["a", "b"], [("a", "b"), ("b", "a")], {"a": 0, "b": 1}),
        (["a"], [("a", "a")], {"a": 0}),
        (
            ["a", "b", "c", "late"],
            [("a", "b"), ("b", "c"), ("late", "c")],
            {"a": 0, "b": 1, "c": 2, "late": 1},
        ),
        (
            ["a", "b", "c", "d", "x", "y"],
            [("a", "b"), ("b", "c"), ("c", "d"), ("x", "y"), ("y", "d")],
            {"a": 0, "b": 1, "c": 2, "d": 3, "x": 1, "y": 2},
        ),
    ]
    async with page_of(host, "/functions") as page:
        for nodes, edges, expected in cases:
            assert await page.evaluate(LAYERS, [nodes, edges]) == expected, edges


@pytest.mark.parametrize(
    ("written", "read", "is_joined"),
    [
        ("labels/{id}.txt", "labels/{name}", True),
        ("labels/{id}.txt", "labels", True),
        ("labels/{id}.txt", "labels/{name}.txt", True),
        ("labels/{id}.txt", "labels/{name}.csv", False),
        ("labels/{id}.txt", "label/{name}", False),
        ("labels/a+b.txt", "labels/a+{rest}", True),
    ],
)
async def test_files_are_joined_where_each_that_is_written_is_read(
    host: Host, page_of: PageOf, written: str, read: str, *, is_joined: bool
) -> None:
    writer = {"type": "blob", "direction": "out", "name": "a", "path": written}
    reader = {"type": "blobTrigger", "direction": "in", "name": "b", "path": read}
    functions = [
        {"name": name, "config": {"bindings": [binding]}}
        for name, binding in (("writes", writer), ("reads", reader))
    ]
    async with page_of(host, "/functions") as page:
        assert await page.evaluate(JOINED, functions) is is_joined


async def test_an_http_function_gets_a_request_and_its_answer_is_shown(
    host: Host, page_of: PageOf
) -> None:
    async with page_of(host, "/functions/greet") as page:
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_text("The route needs a value for name.")).to_be_visible()
        await expect(page.get_by_text("for title")).to_have_count(0)
        await page.get_by_label("name", exact=True).fill("A&B ü")
        await page.get_by_label("Query").fill("from=me")
        await page.get_by_label("Body").fill('{"id": "7"}')
        await page.get_by_role("button", name="Send").click()
        answer = page.locator(".answer")
        await expect(answer).to_contain_text("201")
        await expect(answer.locator("pre")).to_have_text('<b>A&B ü</b> me {"id": "7"}')


async def test_how_long_runs_take_is_said_as_a_bound_and_how_often_of_the_last_minute(
    host: Host, page_of: PageOf
) -> None:
    assert (await host.call("POST", "/api/greet/ann")).status == 201
    async with page_of(host, "/functions") as page:
        http = page.get_by_role("table", name="HTTP")
        row = http.get_by_role("row").filter(has=page.get_by_role("link", name="greet"))
        await expect(row).to_contain_text("≈")
        for each in await page.get_by_role("table").all():  # one below the other
            await expect(each.get_by_role("columnheader", name="Last minute")).to_have_count(1)
        edges = "all => new Set(all.map(each => Math.round(each.getBoundingClientRect().x))).size"
        assert await page.locator("th:nth-child(4)").evaluate_all(edges) == 1
        await page.get_by_role("link", name="greet").click()
        await expect(page.locator(".tile", has_text="In the last minute")).to_contain_text("1")
        await expect(page.locator(".tile", has_text="95 % within")).to_contain_text("≈")


async def test_of_a_very_long_answer_the_beginning_is_shown(host: Host, page_of: PageOf) -> None:
    async with page_of(host, "/functions/flood") as page:
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator(".answer")).to_contain_text("Only the beginning is shown")
        await expect(page.locator(".answer pre")).to_contain_text("xxx")


async def test_other_functions_run_by_hand_in_the_background(host: Host, page_of: PageOf) -> None:
    async with page_of(host, "/functions/by_hand") as page:
        await page.get_by_label("Input").fill("hello")
        await page.get_by_role("button", name="Run").click()
        await expect(page.get_by_text("by_hand runs in the background")).to_be_visible()
        await page.goto("/dashboard/functions/Counter")
        await expect(page.get_by_role("link", name="Its entities")).to_be_visible()
        await expect(page.get_by_role("button", name="Run")).to_have_count(0)


async def test_an_orchestration_is_started(host: Host, page_of: PageOf) -> None:
    async with page_of(host, "/functions/waiting") as page:
        await page.get_by_label("Id of the instance").fill("mine")
        await page.get_by_role("button", name="Start").click()
        await expect(page).to_have_url(f"{host.origin}/dashboard/instances/mine")
    await host.until("mine", "Running")


async def test_a_function_that_is_not_there_says_so(host: Host, page_of: PageOf) -> None:
    async with page_of(host, "/functions/nope") as page:
        await expect(page.get_by_text("No function has the name 'nope'.")).to_be_visible()
