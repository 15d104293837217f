"""Hosts that share no folder and take the same keys, in real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import new_keys

if TYPE_CHECKING:
    from tests.integration.conftest import StartHost

    RunCli = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.process

FUNCTIONS = """
from bindings import FunctionApp

app = FunctionApp()

@app.route("guarded")
def guarded(req):
    return "come in"
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "function_app.py").write_text(FUNCTIONS)
    return folder


def test_hosts_that_share_no_folder_share_the_keys_of_a_setting(
    app: Path, tmp_path: Path, start_host: StartHost, run_cli: RunCli
) -> None:
    made = run_cli("keys", "new", str(tmp_path / "keys.json"))
    assert made.returncode == 0
    keys = new_keys(tmp_path)
    secret = (tmp_path / "keys.json").read_text()
    hosts = [
        start_host(
            app, "--address", "0.0.0.0", "--data", str(tmp_path / data), FUNCHOST_KEYS=secret
        )
        for data in ("one", "other")
    ]
    for host in hosts:
        url = f"{host.url.replace('0.0.0.0', '127.0.0.1')}/api/guarded"
        header = {"x-functions-key": keys["function (default)"]}
        assert host.request("GET", url, headers=header).status == 200
        assert host.request("GET", url).status == 401
        assert "new-keys.txt" not in "\n".join(host.output)
    assert list(tmp_path.glob("*/keys.json")) == []


def test_keys_are_never_made_over_others(tmp_path: Path, run_cli: RunCli) -> None:
    path = tmp_path / "keys.json"
    assert run_cli("keys", "new", str(path)).returncode == 0
    before = path.read_text()
    again = run_cli("keys", "new", str(path))
    assert again.returncode == 2
    assert again.stderr == f"{path} exists; remove it if its keys are to be valid no more.\n"
    assert path.read_text() == before


def test_shared_keys_that_cannot_be_used_are_refused_and_not_shown(app: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "host", "start", str(app), "--address", "0.0.0.0", "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "FUNCHOST_KEYS": "my-s3cret-key"},
    )
    assert ended.returncode == 2
    assert "The keys in the setting FUNCHOST_KEYS cannot be used" in ended.stderr
    assert "s3cret" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost"])
def test_found_d3_keys_that_are_given_are_required_on_loopback_too(
    app: Path, tmp_path: Path, address: str, start_host: StartHost, run_cli: RunCli
) -> None:
    made = run_cli("keys", "new", str(tmp_path / "keys.json"))
    assert made.returncode == 0
    keys = new_keys(tmp_path)
    host = start_host(app, "--address", address, FUNCHOST_KEYS_FILE=str(tmp_path / "keys.json"))
    url = f"{host.url}/api/guarded"
    forwarded = {"X-Forwarded-For": "203.0.113.9", "Host": "hub.example"}
    assert host.request("GET", url).status == 401
    assert host.request("GET", url, headers=forwarded).status == 401
    key = {"x-functions-key": keys["function (default)"]}
    assert host.request("GET", url, headers=forwarded | key).status == 200


def test_found_d3_keys_can_be_asked_for_on_loopback(app: Path, start_host: StartHost) -> None:
    host = start_host(app, "--keys")
    assert "new-keys.txt" in "\n".join(host.output)
    keys = new_keys(app / ".funchost")
    url = f"{host.url}/api/guarded"
    assert host.request("GET", url).status == 401
    assert host.request("GET", f"{host.url}/runtime/webhooks/durabletask/instances").status == 401
    key = {"x-functions-key": keys["function (default)"]}
    assert host.request("GET", url, headers=key).status == 200
    host.stop()
    again = start_host(app, "--keys")
    assert "new-keys.txt" not in "\n".join(again.output)
    url = f"{again.url}/api/guarded"
    assert again.request("GET", url, headers=key).status == 200
    assert again.request("GET", url).status == 401
