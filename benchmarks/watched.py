"""What metrics and traces cost: five-activity sequences on hosts with them and without, by turns.

The hosts are in this process, each on a store of its own, and work by turns, so that a machine that
becomes slower meanwhile does so for all. CPU counts the whole process, but not who receives the
spans. Each figure is the median of what pairs of rounds say.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.functions import hello5
from benchmarks.hello5 import WARM_UP, many
from benchmarks.hub import open_hub, run
from host.clock import SystemClock
from host.engine.client import HubClient
from host.metrics.host_metrics import HostMetrics
from host.traces.otlp import OtlpExporter
from host.traces.settings import TraceSettings

ROUNDS = 300
COUNT = 60
"""Many short rounds: of two equal hosts a few long ones say that one is some percent dearer."""
_RECEIVER = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Takes(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Takes)
print(server.server_port, flush=True)
server.serve_forever()
"""


@contextmanager
def receiver() -> Iterator[str]:
    """A process that takes spans; its URL."""
    process = subprocess.Popen([sys.executable, "-c", _RECEIVER], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1/traces"
    finally:
        process.kill()
        process.wait()


async def measure() -> dict[str, Any]:
    clock = SystemClock()
    with receiver() as url:
        async with (
            open_hub() as plain,
            open_hub(metrics=HostMetrics(clock)) as measured,
            open_hub(exporter=OtlpExporter(TraceSettings(url=url), clock)) as traced,
        ):
            hosts = {"off": plain, "metrics": measured, "traces": traced}
            for each in hosts.values():
                await many(each, hello5, WARM_UP)
            rounds = [await _round(hosts, number) for number in range(ROUNDS)]
    found: dict[str, Any] = {
        f"cpu_ms_each_{name}": round(statistics.median(each[name] for each in rounds), 3)
        for name in hosts
    }
    for name in ("metrics", "traces"):
        dearer = statistics.median((each[name] / each["off"] - 1) * 100 for each in rounds)
        found[f"{name}_dearer_percent"] = round(dearer, 1)
    return found


async def _round(hosts: dict[str, HubClient], number: int) -> dict[str, float]:
    """Each time another one is the first."""
    names = list(hosts)
    first = number % len(names)
    return {name: await _cpu_ms(hosts[name]) for name in (*names[first:], *names[:first])}


async def _cpu_ms(client: HubClient) -> float:
    before = time.process_time()
    await many(client, hello5, COUNT)
    return (time.process_time() - before) / COUNT * 1000


def main() -> None:
    run("hello5, metrics and traces on and off by turns", measure)


if __name__ == "__main__":
    main()
