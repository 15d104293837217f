"""Output that nobody reads keeps nobody waiting: what is too much is dropped, and counted."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from host.cli.log_lines import IndentingFormatter
from host.cli.logs import OutletHandler
from host.cli.output import MAX_LINE_CHARS, MAX_WAITING, Outlet


@dataclass
class Pipe:
    """A pipe, with an outlet into it."""

    reads: int
    outlet: Outlet

    def read_all(self) -> list[str]:
        """All lines that were put so far."""
        read = bytearray()
        while not self.outlet.flush(0.05):  # the pipe is full
            read += os.read(self.reads, 65536)
        self.outlet.put("the end")
        while not read.endswith(b"the end\n"):
            read += os.read(self.reads, 65536)
        return bytes(read).decode().splitlines()[:-1]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reads, writes = os.pipe()
    yield Pipe(reads, Outlet(writes))
    os.close(writes)
    os.close(reads)


def test_found_g3_who_writes_waits_for_nobody_and_what_is_dropped_is_counted(pipe: Pipe) -> None:
    line = "x" * 1_000
    count = MAX_WAITING + 500
    for _ in range(count):
        pipe.outlet.put(line)
    assert not pipe.outlet.flush(0.01)

    shown = pipe.read_all()
    written = shown.count(line)
    assert MAX_WAITING <= written < count
    assert f"{count - written} lines of this output were dropped: nobody read it." in shown


def test_lines_come_in_order_and_whole(pipe: Pipe) -> None:
    for number in range(100):
        pipe.outlet.put(f"line {number}")
    assert pipe.read_all() == [f"line {number}" for number in range(100)]


def test_a_line_that_is_far_too_long_loses_its_middle(pipe: Pipe) -> None:
    pipe.outlet.put("a" + "m" * 1_000_000 + "z")
    (line,) = pipe.read_all()
    assert len(line) < MAX_LINE_CHARS + 100
    assert line.startswith("am")
    assert line.endswith("mz")
    assert "characters left out" in line


def test_a_reader_that_has_gone_harms_nobody() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    outlet = Outlet(writes)
    outlet.put("for nobody")
    assert outlet.flush(10)
    os.close(writes)


def test_what_cannot_be_encoded_is_shown_all_the_same(pipe: Pipe) -> None:
    pipe.outlet.put("half a character: \ud800")
    assert pipe.read_all() == ["half a character: \\ud800"]


class Unspeakable:
    def __str__(self) -> str:
        raise RecursionError


def test_found_h1_a_record_that_cannot_be_formatted_still_says_where_it_is_from(
    pipe: Pipe,
) -> None:
    handler = OutletHandler(pipe.outlet)
    handler.setFormatter(IndentingFormatter("%(message)s"))
    record = logging.LogRecord("app", logging.ERROR, "app.py", 7, "%s", (Unspeakable(),), None)
    handler.handle(record)
    assert pipe.read_all() == ["ERROR app: (a RecursionError hides it; app.py:7)"]


def test_a_child_process_writes_with_a_thread_of_its_own(pipe: Pipe) -> None:
    pipe.outlet.put("from the parent")
    assert pipe.outlet.flush(10)
    child = os.fork()
    if child == 0:
        pipe.outlet.put("from the child")
        os._exit(0 if pipe.outlet.flush(10) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert pipe.read_all() == ["from the parent", "from the child"]
