"""functionTimeout in host.json, on a real host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import StartHost

pytestmark = pytest.mark.process

FUNCTIONS = """
import asyncio

from bindings import FunctionApp

app = FunctionApp()

@app.route("never")
async def never(req):
    await asyncio.Event().wait()

@app.activity_trigger()
async def never_works() -> None:
    await asyncio.Event().wait()

@app.orchestration_trigger()
async def hopes(context):
    await context.call_activity(never_works)
"""


def test_what_takes_too_long_fails_and_says_why(tmp_path: Path, start_host: StartHost) -> None:
    (tmp_path / "function_app.py").write_text(FUNCTIONS)
    settings = {"version": "2.0", "functionTimeout": "00:00:01"}
    (tmp_path / "host.json").write_text(json.dumps(settings))
    host = start_host(tmp_path, "--storage", "memory")
    started = host.request("POST", "/runtime/webhooks/durabletask/orchestrators/hopes").json
    assert host.request("GET", "/api/never").status == 500
    host.wait_until_logged("The function 'never' did not end within 0:00:01")
    end = host.finished(started["id"])
    assert end["runtimeStatus"] == "Failed"
    assert "The function 'never_works' did not end within 0:00:01" in end["output"]
