"""The loop of `when_any` in a real host: how long another client waits for /healthz at most.

First as it runs, then as it is replayed from its history by a host that was started anew after a
kill.
"""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

WIDTH = 8000
LIMIT_S = 120.0
LOOK_EVERY_S = 0.01
APP = """
from funchost import FunctionApp, when_any

app = FunctionApp()


@app.activity_trigger()
async def same(number: int) -> int:
    return number


@app.orchestration_trigger()
async def one_by_one(context, width: int) -> int:
    left = [context.call_activity(same, number) for number in range(width)]
    done = 0
    while left:
        winner = await when_any(left)
        left.remove(winner)
        done += winner.result
    context.set_custom_status("waiting")
    await context.wait_for_external_event("end")
    return done
"""
BASE = "/runtime/webhooks/durabletask"


def ask(port: int, method: str, path: str, body: Any = None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    headers = {"Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return json.loads(text) if text else answer.status


@contextmanager
def running_host(folder: Path, port: int) -> Iterator[None]:
    command = [sys.executable, "-m", "host", "start", str(folder), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: ask(port, "GET", "/healthz") is not None)
            yield
        finally:
            process.send_signal(signal.SIGKILL)


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        with suppress(OSError):
            if condition():
                return
        time.sleep(LOOK_EVERY_S)
    raise TimeoutError("It did not come about.")


@contextmanager
def slowest_health(port: int) -> Iterator[list[float]]:
    """How long /healthz took at most meanwhile, in seconds."""
    slowest, is_over = [0.0], threading.Event()

    def look() -> None:
        while not is_over.wait(LOOK_EVERY_S):
            began = time.perf_counter()
            ask(port, "GET", "/healthz")
            slowest[0] = max(slowest[0], time.perf_counter() - began)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield slowest
    finally:
        is_over.set()
        looking.join()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def measure(folder: Path) -> dict[str, Any]:
    port, figures = free_port(), dict[str, Any]()
    (folder / "function_app.py").write_text(APP)

    def state() -> Any:
        return ask(port, "GET", f"{BASE}/instances/it?showInput=false")

    with running_host(folder, port), slowest_health(port) as slowest:
        began = time.perf_counter()
        ask(port, "POST", f"{BASE}/orchestrators/one_by_one/it", WIDTH)
        wait_until(lambda: state()["customStatus"] == "waiting")
        figures["s"] = round(time.perf_counter() - began, 2)
        figures["slowest_healthz_ms"] = round(slowest[0] * 1000)
    with running_host(folder, port), slowest_health(port) as slowest:
        began = time.perf_counter()
        ask(port, "POST", f"{BASE}/instances/it/raiseEvent/end", 0)
        wait_until(lambda: state()["runtimeStatus"] == "Completed")
        figures["replay_s"] = round(time.perf_counter() - began, 2)
        figures["replay_slowest_healthz_ms"] = round(slowest[0] * 1000)
    return figures


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder))
    name = f"when_any in a loop over {WIDTH:,} activities, a host over HTTP"
    print(json.dumps({"benchmark": name, **figures}), flush=True)


if __name__ == "__main__":
    main()
