"""Another client of a host under attack: asks for its health again and again, each time anew.

It is a process of its own, so that what it waits for is the host and not the attackers.
"""

from __future__ import annotations

import asyncio
import json
import select
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import asdict, dataclass, field

_HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_PATIENCE_S = 30.0
_PAUSE_S = 0.02


@dataclass(slots=True)
class Served:
    """What the client met."""

    times: int = 0
    slowest_s: float = 0.0
    failures: list[str] = field(default_factory=list)


@asynccontextmanager
async def bystander(port: int) -> AsyncIterator[Served]:
    """Another client, meanwhile; at the end it says what it met."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, str(port),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    await process.stdout.readline()  # it has been served once
    served = Served()
    try:
        yield served
    finally:
        output, _ = await process.communicate(b"")
        found = json.loads(output)
        served.times, served.slowest_s = found["times"], found["slowest_s"]
        served.failures = found["failures"]


def main(port: int) -> None:
    """Ask until standard input ends."""
    served = Served()
    while True:
        begun = time.perf_counter()
        try:
            answer = _ask(port)
        except OSError as error:
            answer = repr(error)
        served.slowest_s = max(served.slowest_s, time.perf_counter() - begun)
        served.times += 1
        if not answer.startswith("HTTP/1.1 200"):
            served.failures.append(answer[:100])
        if served.times == 1:
            sys.stdout.write("begun\n")
            sys.stdout.flush()
        if _has_ended():
            break
    sys.stdout.write(json.dumps(asdict(served)))


def _ask(port: int) -> str:
    with closing(socket.create_connection(("127.0.0.1", port), _PATIENCE_S)) as connection:
        connection.sendall(_HEALTH)
        return connection.recv(4096).decode(errors="replace")


def _has_ended() -> bool:
    readable, _, _ = select.select([sys.stdin], [], [], _PAUSE_S)
    return bool(readable)


if __name__ == "__main__":
    main(int(sys.argv[1]))
