"""A host that dies between a row and the end of its activity: the row is there once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kit.app_folders import make_app

if TYPE_CHECKING:
    from tests.integration.conftest import StartHost

__all__ = ["make_app"]

MakeApp = Callable[[Mapping[str, str]], Path]

APP = """
    import os
    import signal
    from pathlib import Path
    from uuid import uuid4

    from funchost import FunctionApp, HttpRequest, OrchestrationContext, Out
    from pydantic import BaseModel, model_serializer

    app = FunctionApp("anonymous")
    RUNS = Path(__file__).with_name("runs.txt")

    class Deadly(BaseModel):
        @model_serializer
        def kill_at_first(self):
            if len(RUNS.read_text().split()) == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return {}

    @app.activity_trigger("order")
    @app.blob_output("second", path="ends/second")  # its value is read as it is written
    @app.table_output("first", table_name="rows", partition_key="p", row_key="first")
    def save(order: str, first: Out[dict], second: Out[Deadly]) -> str:
        run = str(uuid4())
        with RUNS.open("a") as runs:
            runs.write(f"{run}\\n")
        first.set({"run": run})
        second.set(Deadly())
        return order

    @app.orchestration_trigger()
    def lead(context: OrchestrationContext):
        return (yield context.call_activity("save", "x"))

    @app.route("rows")
    @app.table_input("rows", table_name="rows", partition_key="p")
    def rows(req: HttpRequest, rows: list[dict]):
        return rows
"""


@pytest.mark.process
def test_a_row_of_an_activity_is_there_once_though_its_host_was_killed(
    start_host: StartHost, make_app: MakeApp
) -> None:
    app = make_app({"function_app.py": APP})
    host = start_host(app)
    with suppress(OSError, HTTPException):  # the host may be gone before its answer
        host.request("POST", "/runtime/webhooks/durabletask/orchestrators/lead/one")
    assert host.process.wait() == -signal.SIGKILL

    host = start_host(app)

    assert host.finished("one")["output"] == "x"
    first, second = (app / "runs.txt").read_text().split()
    assert first != second
    assert host.request("GET", "/api/rows").json == [
        {"PartitionKey": "p", "RowKey": "first", "run": first}
    ]
