"""Counting what a fuzz was answered, and what it did to the host."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path


class Tally:
    """How many answers there were of each status class; "none" counts closed connections."""

    def __init__(self) -> None:
        self.requests = 0
        self._classes: Counter[str] = Counter()

    def add(self, *statuses: int) -> None:
        """Count one request and its answers."""
        self.requests += 1
        self._classes.update([f"{status // 100}xx" for status in statuses] or ["none"])

    def __getitem__(self, status_class: str) -> int:
        return self._classes[status_class]

    def __str__(self) -> str:
        classes = ", ".join(f"{name}: {count}" for name, count in sorted(self._classes.items()))
        return f"{self.requests} requests, answers {classes}"


def resident_kib(pid: int) -> int:
    """How much memory a process holds, now."""
    return _memory(pid, "VmRSS:")


def peak_kib(pid: int) -> int:
    """The most memory that a process ever held."""
    return _memory(pid, "VmHWM:")


def open_files(pid: int) -> int:
    """How many files and sockets a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def faults(log: str) -> list[str]:
    """The errors with a traceback, but those of functions that are there to fail.

    What a function refuses is a warning: that is its client's fault.
    """
    records = re.split(r"^(?=\d{4}-\d\d-\d\d )", log, flags=re.MULTILINE)
    errors = [each for each in records if "Traceback" in each and "'failing'" not in each]
    return [each for each in errors if " WARNING " not in each.partition("\n")[0]]


def _memory(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    (line,) = (each for each in lines if each.startswith(name))
    return int(line.split()[1])
