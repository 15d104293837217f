"""Tables, by decorators and by function.json, in each place: what is given, what is written."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.kit.binding_places import BindingPlace
from tests.kit.tables import make_table, new_name

MakeApp = Callable[[Mapping[str, str]], Path]

BODIES = """
    from __future__ import annotations

    from dataclasses import dataclass
    from typing import Any

    from pydantic import BaseModel, Field
    from funchost import HttpRequest, OrchestrationContext, Out, DurableClient

    class Order(BaseModel):
        customer: str = Field(alias="PartitionKey")
        number: str = Field(alias="RowKey")
        price: float = 0

    @dataclass
    class Note:
        text: str
        size: int

    def put(req: HttpRequest, row: Out[Any]) -> str:
        row.set(req.json())
        return "put"

    def replace(req: HttpRequest, row: Out[Any]) -> str:
        row.set(req.json())
        return "replaced"

    def fail(req: HttpRequest, row: Out[Any]) -> str:
        row.set({"RowKey": "of a failure"})
        raise OSError("no more")

    def twice(req: HttpRequest, first: Out[Note], second: Out[str]) -> str:
        first.set(Note("before", 6))
        second.set('{"RowKey": "1"}')
        return "twice"

    def one(req: HttpRequest, row: Order | None) -> Any:
        return row.model_dump() if row else ("none", 404)

    def text(req: HttpRequest, row: str) -> Any:
        return row or ("none", 404)

    def many(req: HttpRequest, rows: list[Order]) -> Any:
        return [each.number for each in rows]

    def everything(req: HttpRequest, rows) -> Any:
        return sorted(each["RowKey"] for each in rows)

    def save(order: dict[str, Any], written: Out[list[dict[str, Any]]]) -> str:
        written.set([{"RowKey": f"{order['id']}-{n}", "price": n} for n in range(3)])
        if order.get("fails"):
            raise OSError("no more")
        return order["id"]

    def lead(context: OrchestrationContext):
        return (yield context.call_activity("save", context.get_input()))
"""
DECORATED = """
    from funchost import FunctionApp
    import bodies

    app = FunctionApp("anonymous")
    at = dict(table_name="TABLE", connection=CONNECTION)

    app.table_output("row", partition_key="a", **at)(app.route("put", methods=["POST"])(bodies.put))
    app.table_output("row", partition_key="a", mode="upsert", **at)(app.route()(bodies.replace))
    app.table_output("row", partition_key="a", **at)(app.route()(bodies.fail))
    app.table_output("second", partition_key="a", **at)(
        app.table_output("first", partition_key="b", row_key="{Query.key}", **at)(
            app.route()(bodies.twice)
        )
    )
    app.table_input("row", partition_key="{pk}", row_key="{rk}", **at)(
        app.route("one/{pk}/{rk}")(bodies.one)
    )
    app.table_input("row", partition_key="{pk}", row_key="{rk}", **at)(
        app.route("text/{pk}/{rk}")(bodies.text)
    )
    app.table_input(
        "rows", partition_key="{pk}", take=2, filter="price ge {min} and RowKey ne '{not}'", **at
    )(app.route("many/{pk}")(bodies.many))
    app.table_input("rows", **at)(app.route()(bodies.everything))
    app.table_output("written", partition_key="{customer}", **at)(
        app.activity_trigger("order")(bodies.save)
    )
    app.orchestration_trigger()(bodies.lead)
"""
HTTP = {"type": "httpTrigger", "name": "req", "authLevel": "anonymous"}
ANSWER = {"type": "http", "name": "$return", "direction": "out"}
FOLDERS: dict[str, list[dict[str, Any]]] = {
    "put": [
        HTTP | {"route": "put", "methods": ["POST"]},
        ANSWER,
        {"type": "table", "direction": "out", "name": "row", "partitionKey": "a"},
    ],
    "replace": [
        HTTP,
        ANSWER,
        {
            "type": "table",
            "direction": "out",
            "name": "row",
            "partitionKey": "a",
            "mode": "upsert",
        },
    ],
    "fail": [
        HTTP,
        ANSWER,
        {"type": "table", "direction": "out", "name": "row", "partitionKey": "a"},
    ],
    "twice": [
        HTTP,
        ANSWER,
        {
            "type": "table",
            "direction": "out",
            "name": "first",
            "partitionKey": "b",
            "rowKey": "{Query.key}",
        },
        {"type": "table", "direction": "out", "name": "second", "partitionKey": "a"},
    ],
    "one": [
        HTTP | {"route": "one/{pk}/{rk}"},
        ANSWER,
        {"type": "table", "name": "row", "partitionKey": "{pk}", "rowKey": "{rk}"},
    ],
    "text": [
        HTTP | {"route": "text/{pk}/{rk}"},
        ANSWER,
        {"type": "table", "name": "row", "partitionKey": "{pk}", "rowKey": "{rk}"},
    ],
    "many": [
        HTTP | {"route": "many/{pk}"},
        ANSWER,
        {
            "type": "table",
            "name": "rows",
            "partitionKey": "{pk}",
            "take": 2,
            "filter": "price ge {min} and RowKey ne '{not}'",
        },
    ],
    "everything": [HTTP, ANSWER, {"type": "Table", "name": "rows"}],
    "save": [
        {"type": "activityTrigger", "name": "order"},
        {"type": "table", "direction": "out", "name": "written", "partitionKey": "{customer}"},
    ],
    "lead": [{"type": "orchestrationTrigger", "name": "context"}],
}


def folders(table: str, connection: str | None) -> Mapping[str, str]:
    where = {"tableName": table, "connection": connection}
    files = {}
    for name, bindings in FOLDERS.items():
        placed = [
            {"direction": "in", **each, **(where if each["type"].lower() == "table" else {})}
            for each in bindings
        ]
        config = {"scriptFile": "../bodies.py", "entryPoint": name, "bindings": placed}
        files[f"{name}/function.json"] = json.dumps(config)
    return files


@pytest.fixture(params=[True, False], ids=["decorated", "function.json"])
async def host(
    request: pytest.FixtureRequest, make_app: MakeApp, place: BindingPlace
) -> AsyncIterator[Tables]:
    """A host whose functions read and write one table."""
    name = new_name()
    if place.aws_url is not None:
        await make_table(place.aws_url, name)
    decorated = DECORATED.replace("TABLE", name).replace("CONNECTION", repr(place.connection))
    files = {"function_app.py": decorated} if request.param else folders(name, place.connection)
    async with place.serve(make_app({"bodies.py": BODIES, **files})) as (_, session):
        yield Tables(session)


class Tables:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def post(self, path: str, body: Any) -> tuple[int, str]:
        async with self._session.post(f"/api/{path}", json=body) as answer:
            return answer.status, await answer.text()

    async def get(self, path: str, **query: str) -> tuple[int, Any]:
        async with self._session.get(f"/api/{path}", params=query) as answer:
            return answer.status, await answer.json(content_type=None) if answer.ok else None

    async def rows(self) -> Any:
        return (await self.get("everything"))[1]

    async def run(self, value: Any) -> dict[str, Any]:
        path = "/runtime/webhooks/durabletask/orchestrators/lead"
        async with self._session.post(path, json=value) as answer:
            links = await answer.json()
        while True:
            async with self._session.get(links["statusQueryGetUri"]) as answer:
                state: dict[str, Any] = await answer.json()
            if state["runtimeStatus"] not in {"Pending", "Running"}:
                return state


async def test_what_is_written_is_given(host: Tables) -> None:
    assert await host.post("put", {"RowKey": "1", "price": 1.5, "tags": ["x"]}) == (200, "put")
    assert await host.get("one/a/1") == (
        200,
        {"customer": "a", "number": "1", "price": 1.5},
    )
    assert await host.get("text/a/1") == (
        200,
        {"PartitionKey": "a", "RowKey": "1", "price": 1.5, "tags": ["x"]},
    )
    assert (await host.get("one/a/2"))[0] == 404
    assert (await host.get("text/b/1"))[0] == 404


async def test_a_list_is_given_by_partition_filter_and_take(host: Tables) -> None:
    rows = [{"RowKey": str(n), "price": n} for n in range(5)]
    assert (await host.post("put", rows))[0] == 200
    assert (await host.post("put", {"PartitionKey": "c", "RowKey": "9", "price": 9}))[0] == 200
    assert (await host.get("many/a", min="2", **{"not": "3"}))[1] == ["2", "4"]
    assert (await host.get("many/a", min="0", **{"not": ""}))[1] == ["0", "1"]
    assert (await host.get("many/c", min="1e0", **{"not": "x' or RowKey ne 'y"}))[1] == ["9"]
    assert await host.rows() == ["0", "1", "2", "3", "4", "9"]


async def test_what_a_request_cannot_ask_for_is_its_fault(host: Tables) -> None:
    await host.post("put", {"RowKey": "1", "price": 0})
    for path, query in (
        ("many/a", {"min": "0 or RowKey eq '1'", "not": ""}),
        ("many/a", {"min": "'0'", "not": ""}),
        ("many/a", {"not": ""}),
        (f"one/a/{'x' * 1025}", {}),
    ):
        assert (await host.get(path, **query))[0] == 400, query


async def test_a_row_that_is_there_fails_the_call_unless_it_may_be_replaced(host: Tables) -> None:
    assert (await host.post("put", {"RowKey": "1", "price": 1}))[0] == 200
    status, text = await host.post("put", {"RowKey": "1", "price": 2})
    assert status == 409 and "'a' / '1' already" in text
    status, _ = await host.post("put", [{"RowKey": "0"}, {"RowKey": "1"}])
    assert status == 409
    status, _ = await host.post("put", [{"RowKey": "0"}, {"RowKey": "0"}])
    assert status == 409
    assert await host.rows() == ["1"]
    await host.post("replace", [{"RowKey": "1", "price": 3}, {"RowKey": "1", "price": 4}])
    assert (await host.get("one/a/1"))[1]["price"] == 4


async def test_what_is_no_row_writes_nothing(host: Tables) -> None:
    for row, status in (
        ({"price": 1}, 400),
        ({"RowKey": ""}, 400),
        ({"RowKey": 1}, 400),
        ({"RowKey": "1", "funchostId": "x"}, 400),
        ({"RowKey": "1", "price": 1e200}, 400),
        ({"RowKey": "1", "text": "x" * 500_000}, 413),
        ("no JSON", 400),
        (17, 400),
        ([{"RowKey": "1"}, {"RowKey": "2", "big": 10**39 + 1}], 400),
    ):
        assert (await host.post("put", row))[0] == status, row
    assert await host.rows() == []


async def test_a_function_that_fails_writes_nothing(host: Tables) -> None:
    assert (await host.post("fail", {}))[0] == 500
    assert await host.rows() == []


async def test_what_was_written_before_an_output_that_fails_stays(host: Tables) -> None:
    assert (await host.post("put", {"RowKey": "1"}))[0] == 200
    assert (await host.post("twice?key=0", {}))[0] == 409
    assert (await host.get("text/b/0"))[1] == {
        "PartitionKey": "b",
        "RowKey": "0",
        "text": "before",
        "size": 6,
    }
    assert (await host.post("twice?key=", {}))[0] == 400


async def test_an_activity_writes_its_rows(host: Tables) -> None:
    state = await host.run({"id": "x", "customer": "a"})
    assert state["output"] == "x"
    assert await host.rows() == ["x-0", "x-1", "x-2"]
    state = await host.run({"id": "x", "customer": "a"})
    assert state["runtimeStatus"] == "Failed"
    assert "'a' / 'x-0' already" in str(state["output"])
    state = await host.run({"id": "y", "customer": "a", "fails": True})
    assert state["runtimeStatus"] == "Failed"
    state = await host.run({"id": "y"})
    assert "No value for named parameter 'customer'" in str(state["output"])
    assert await host.rows() == ["x-0", "x-1", "x-2"]
