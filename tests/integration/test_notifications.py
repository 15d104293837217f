"""Notifications as the how-to says: its receiver, a real host, and what a kill leaves."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from host.testing.loading import loaded

if TYPE_CHECKING:
    from tests.integration.conftest import HostProcess, StartHost

    RunCli = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.process

PAGE = (Path(__file__).parents[2] / "docs/how-to/notifications.md").read_text(encoding="utf-8")
SECRET = {"WEBHOOK_SECRET": "of a test"}
APP = """
from funchost import FunctionApp, OrchestrationContext

app = FunctionApp()


@app.activity_trigger()
def work(number: int) -> int:
    return number


@app.orchestration_trigger()
async def chain(context: OrchestrationContext, number: int) -> int:
    for _ in range(3):
        number = await context.call_activity(work, number)
    return number


@app.orchestration_trigger()
async def fails(context: OrchestrationContext) -> None:
    raise ValueError("no stock")
"""


class Receiver:
    """The receiver of the page, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        (code,) = re.findall(r"`receiver\.py`:\n\n```python\n(.*?)```", PAGE, re.DOTALL)
        (folder / "receiver.py").write_text(code)
        self._process = subprocess.Popen(
            [sys.executable, "receiver.py"],
            cwd=folder,
            env={**SECRET, "PORT": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self._lines = self._process.stdout
        self.url = self._lines.readline().strip()
        self.told: Counter[str] = Counter()

    def wait_for(self, count: int) -> None:
        """Read until so much was told; the test's own timeout is the limit."""
        while self.told.total() < count:
            self.told[self._lines.readline().strip()] += 1

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._lines.close()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    found = Receiver(tmp_path)
    yield found
    found.end()


def app_of(folder: Path, url: str) -> Path:
    app = folder / "app"
    app.mkdir()
    (app / "function_app.py").write_text(APP)
    (settings,) = re.findall(r'```json\n(\{\n  "version".*?)```', PAGE, re.DOTALL)
    host = json.loads(settings)
    hook = host["extensions"]["durableTask"]["notifications"]["webhook"]
    hook["url"] = url
    hook["events"].append("started")
    (app / "host.json").write_text(json.dumps(host))
    return app


def begin(host: HostProcess, name: str, instance_id: str, input_: object = None) -> None:
    target = f"/runtime/webhooks/durabletask/orchestrators/{name}/{instance_id}"
    assert host.request("POST", target, input_).status == 202


def test_the_receiver_of_the_page_is_told_and_knows_who_tells(
    tmp_path: Path, receiver: Receiver, start_host: StartHost
) -> None:
    host = start_host(app_of(tmp_path, receiver.url), **SECRET)
    begin(host, "chain", "order-1", 1)
    begin(host, "fails", "order-2")
    receiver.wait_for(4)
    assert receiver.told == Counter(
        [
            "orchestration.started order-1",
            "orchestration.completed order-1",
            "orchestration.started order-2",
            "orchestration.failed order-2 no stock",
        ]
    )
    stranger = {"X-Funchost-Timestamp": "1772368215", "X-Funchost-Signature": "v1=0"}
    assert host.request("POST", receiver.url, {}, headers=stranger).status == 401
    assert host.stop() == 0
    assert "of a test" not in host.errors()


def test_who_is_killed_tells_the_rest_when_it_is_back(
    tmp_path: Path, receiver: Receiver, start_host: StartHost
) -> None:
    app, count = app_of(tmp_path, receiver.url), 60
    host = start_host(app, **SECRET)
    for number in range(count):
        begin(host, "chain", f"i{number}", number)
        if number == count // 2:
            receiver.wait_for(10)
    host.process.kill()
    host.process.wait()
    host = start_host(app, **SECRET)
    receiver.wait_for(2 * count)
    kinds = ("started", "completed")
    assert receiver.told == Counter(f"orchestration.{k} i{n}" for n in range(count) for k in kinds)


def test_a_receiver_that_is_away_does_not_keep_a_host_from_its_end(
    tmp_path: Path, start_host: StartHost, unused_tcp_port: int
) -> None:
    app = app_of(tmp_path, f"http://127.0.0.1:{unused_tcp_port}/hook/private")
    host = start_host(app, **SECRET)
    begin(host, "chain", "order-1", 1)
    assert host.finished("order-1")["runtimeStatus"] == "Completed"
    host.wait_until_logged("is not taken, and is sent again")
    assert host.stop() == 0
    assert "private" not in host.errors()


def test_a_host_without_the_secret_says_so_and_does_not_start(
    tmp_path: Path, start_host: StartHost
) -> None:
    app = app_of(tmp_path, "https://example.com/hook")
    with pytest.raises(AssertionError, match="the app setting 'WEBHOOK_SECRET' is missing"):
        start_host(app)


def test_who_sends_nothing_needs_neither_address_nor_secret(
    tmp_path: Path, run_cli: RunCli
) -> None:
    app = app_of(tmp_path, "%HOOK%")
    listed = run_cli("functions", "list", str(app))
    assert (listed.returncode, "chain" in listed.stdout) == (0, True), listed.stderr
    checked = run_cli("check", str(app))
    assert checked.returncode == 0, checked.stdout
    for name in ("HOOK", "WEBHOOK_SECRET"):
        assert f"the app setting '{name}' is missing or empty" in checked.stdout
    with loaded(app) as found:
        assert len(found.version.app.functions) == 3
