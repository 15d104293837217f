"""`funchost queues` with a real host: what it does, what it says, and its exit codes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import StartHost

    RunCli = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.process

FUNCTIONS = """
from funchost import FunctionApp

app = FunctionApp()

@app.queue_trigger("order", queue_name="orders", max_dequeue_count=2)
def take(order: str) -> None:
    raise ValueError(f"no {order}")
"""


def test_poisoned_messages_are_seen_tried_again_and_removed(
    tmp_path: Path, start_host: StartHost, run_cli: RunCli
) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "function_app.py").write_text(FUNCTIONS)
    url = start_host(app).url

    def queues(*words: str, exit_code: int = 0) -> str:
        done = run_cli("queues", *words, "--url", url)
        assert done.returncode == exit_code, done.stderr
        return done.stdout if exit_code == 0 else done.stderr

    def until_poisoned() -> None:
        while '"poisoned": 1' not in queues("list", "--json"):
            pass

    assert "is in the queue 'orders'" in queues("put", "orders", "boat")
    until_poisoned()
    head, row = queues("list").splitlines()
    assert head.split() == ["NAME", "MESSAGES", "IN", "WORK", "DELAYED", "OLDEST", "POISONED"]
    assert row.split() == ["orders", "0", "0", "0", "1"]
    _, poisoned = queues("peek", "orders-poison").splitlines()
    assert poisoned.split()[1] == "2"
    assert poisoned.endswith("boat  ValueError: no boat")
    (message,) = map(json.loads, queues("peek", "orders-poison", "--json").splitlines())
    assert message["attributes"]["funchost-function"] == "take"
    assert queues("redrive", "orders") == "1 messages are in the queue 'orders' again.\n"
    until_poisoned()
    assert queues("purge", "orders-poison") == "1 messages are gone.\n"
    assert queues("peek", "orders-poison").splitlines()[1:] == []
    assert "it is empty" in queues("put", "orders", "", exit_code=1)
    assert "'' is none" in queues("put", "", "a", exit_code=1)
    assert "'no queue' cannot be" in queues("redrive", "no queue", exit_code=1)
    assert "'..' cannot be" in queues("peek", "..", exit_code=1)
    assert "need a group" in queues("put", "work.fifo", "a", exit_code=1)
    assert "is in the queue" in queues("put", "work.fifo", "a", "--group", "g")
