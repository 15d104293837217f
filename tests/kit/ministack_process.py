"""ministack in a process of its own, for tests whose hosts are processes, too.

Run as a module it serves until its standard input is closed, which the end of its parent does.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.kit.aws_servers import ministack_server
from tests.kit.host_process import REPOSITORY


@asynccontextmanager
async def ministack_process() -> AsyncIterator[str]:
    """The URL of a ministack that runs meanwhile."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.kit.ministack_process",
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()


def _serve() -> None:
    with ministack_server() as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    _serve()
