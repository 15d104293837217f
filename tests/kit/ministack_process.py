"""ministack in a process of its own, for tests whose hosts are processes, too.

Run as a module it serves until its standard input is closed, which the end of its parent does.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.kit.aws_servers import ministack_server
from tests.kit.host_process import REPOSITORY


@contextmanager
def ministack_process() -> Iterator[str]:
    """The URL of a ministack that runs meanwhile. It belongs to no event loop."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.kit.ministack_process"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def _serve() -> None:
    with ministack_server() as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    _serve()
