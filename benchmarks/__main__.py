"""Runs every benchmark in a process of its own, so that none warms up or burdens another.

`python -m benchmarks management` runs those that are named.
"""

from __future__ import annotations

import subprocess
import sys

MODULES = (
    "floor",
    "hello5",
    "opcodes",
    "fan_out",
    "sequence",
    "when_any",
    "when_any_host",
    "start_many",
    "management",
    "dashboards",
    "watched",
    "timer",
    "http_hello",
    "queue",
    "entities",
    "processes",
    "aws_client",
    "aws_host",
)


def main() -> None:
    for module in sys.argv[1:] or MODULES:
        subprocess.run([sys.executable, "-m", f"benchmarks.{module}"], check=True)


if __name__ == "__main__":
    main()
