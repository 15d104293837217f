"""How many requests a second does a hello function answer, and how many a bare aiohttp handler?

Both servers are on one event loop, and asked by turns by one client in a process of its own, so
what else the machine does slows both down. What counts is the CPU time of the server's process: a
request's whole way, from the socket to the function and back. `share` is the function's rate as
part of the bare handler's, the median of the turns.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from benchmarks.hub import run
from host.app import running_host
from host.wiring.options import HostOptions, read_settings

CONNECTIONS = 20
REQUESTS = 2_500
WARM_UP = 4_000
TURNS = 40
"""Many short turns: a machine that others use, too, changes its speed from second to second."""
PATH = "/api/hello"

_APP = """
from funchost import FunctionApp, HttpRequest

app = FunctionApp(http_auth_level="anonymous")


@app.route("hello", methods=["GET"])
async def hello(req: HttpRequest) -> str:
    return "Hello!"


@app.route("plain", methods=["GET"])
def plain(req: HttpRequest) -> str:
    return "Hello!"
"""


async def _hello(_: web.Request) -> web.Response:
    return web.Response(text="Hello!")


@asynccontextmanager
async def _bare() -> AsyncIterator[int]:
    """A bare aiohttp server; gives its port."""
    app = web.Application()
    app.router.add_get(PATH, _hello)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        site = web.SockSite(runner, listener)
        await site.start()
        yield listener.getsockname()[1]
        await runner.cleanup()


@asynccontextmanager
async def _funchost(folder: Path) -> AsyncIterator[int]:
    """A whole host with the functions; gives its port."""
    (folder / "function_app.py").write_text(_APP, encoding="utf-8")
    options = HostOptions(app_dir=folder, port=0, storage="memory")
    async with running_host(options, read_settings(options)) as host:
        yield int(host.url.rpartition(":")[2])


async def _turn(port: int, count: int, path: str = PATH) -> dict[str, float]:
    """What so many requests cost this process, each, and how long they took."""
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.http_hello", str(port), str(count), path),
        stdout=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.PIPE,
    )
    assert client.stdout is not None
    assert client.stdin is not None
    await client.stdout.readline()  # it has connected
    began, cpu = time.perf_counter(), time.process_time()
    client.stdin.write(b"\n")
    await client.stdout.readline()
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    if await client.wait():
        raise RuntimeError("The client failed.")
    return {"cpu_us": cpu / count * 1e6, "per_second": count / wall}


async def measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        async with _bare() as bare, _funchost(Path(folder)) as ours:
            for port in (bare, ours):
                await _turn(port, WARM_UP)
            turns = [
                (await _turn(bare, REQUESTS), await _turn(ours, REQUESTS)) for _ in range(TURNS)
            ]
            in_threads = await _turn(ours, REQUESTS, "/api/plain")
    shares = sorted(bare_turn["cpu_us"] / our_turn["cpu_us"] for bare_turn, our_turn in turns)
    return {
        "bare_per_second": round(statistics.median(each["per_second"] for each, _ in turns)),
        "function_per_second": round(statistics.median(each["per_second"] for _, each in turns)),
        "bare_cpu_us": round(min(each["cpu_us"] for each, _ in turns), 1),
        "function_cpu_us": round(min(each["cpu_us"] for _, each in turns), 1),
        "in_threads_cpu_us": round(in_threads["cpu_us"], 1),
        "share": round(statistics.median(shares), 3),
        "share_quartiles": [round(shares[TURNS // 4], 3), round(shares[TURNS * 3 // 4], 3)],
    }


async def _ask(port: int, count: int, path: str) -> None:
    """Send the requests, over a few connections, when a line comes."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()
    left = iter(range(count))
    streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    print(flush=True)
    sys.stdin.readline()

    async def work(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in left:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head[:20]:
                raise RuntimeError(head.decode())
            await reader.readexactly(len(b"Hello!"))
        writer.close()

    await asyncio.gather(*(work(*each) for each in streams))
    print(flush=True)


def main() -> None:
    if len(sys.argv) > 1:
        asyncio.run(_ask(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
    else:
        run("http hello: a function beside a bare aiohttp handler", measure)


if __name__ == "__main__":
    main()
