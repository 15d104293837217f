"""Blob functions on real host processes that die in the middle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kit.app_folders import make_app

if TYPE_CHECKING:
    from tests.integration.conftest import StartHost

__all__ = ["make_app"]

MakeApp = Callable[[Mapping[str, str]], Path]
APP = """
from pathlib import Path
from time import sleep
from funchost import FunctionApp, Out

app = FunctionApp()
here = Path(__file__).parent

@app.blob_trigger("text", path="incoming/{name}.txt")
@app.blob_output("upper", path="done/{name}.txt")
def shout(text: str, upper: Out[str]) -> None:
    with (here / "runs").open("a") as runs:
        runs.write(text + "\\n")
    if text == "slow" and not (here / "go").exists():
        sleep(60)
    upper.set(text.upper())
"""


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.process
def test_a_blob_whose_host_is_killed_runs_again_and_what_was_done_does_not(
    make_app: MakeApp, start_host: StartHost
) -> None:
    app = make_app({"function_app.py": APP})
    incoming = app / ".funchost" / "blobs" / "incoming"
    done = app / ".funchost" / "blobs" / "done"
    incoming.mkdir(parents=True)
    (incoming / "one.txt").write_text("one")
    (incoming / "slow.txt").write_text("slow")
    host = start_host(app)
    while not (done / "one.txt").exists() or "slow" not in lines(app / "runs"):
        assert host.request("GET", "/healthz").status == 200
    while host.request("GET", "/admin/functions/shout").json.get("listener") != {"waiting": "1"}:
        pass  # until that one is done is written down
    host.process.kill()
    host.process.wait()
    (incoming / "two.txt").write_text("two")
    (app / "go").touch()
    host = start_host(app)
    while len(list(done.glob("*.txt"))) < 3:
        assert host.request("GET", "/healthz").status == 200
    assert sorted(lines(app / "runs")) == ["one", "slow", "slow", "two"]
    assert (done / "slow.txt").read_text() == "SLOW"
