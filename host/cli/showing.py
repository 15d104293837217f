"""What commands print: tables for people, JSON for programs, and nothing that steers a terminal.

Tables go to standard output as plain text if it is no terminal: wide, and without colours. Ids are
never cut. What comes from instances may hold anything, so control characters are shown as escapes.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from io import StringIO
from typing import Any, TextIO

import click

from host.log_text import printable

MAX_CELL = 200

_WIDEST = 32
_LEAST = 9
_STYLES: Mapping[str, str] = {
    "Completed": "green",
    "Failed": "red",
    "Terminated": "yellow",
    "Canceled": "yellow",
    "Suspended": "yellow",
    "Pending": "cyan",
    "Running": "cyan",
}


def has_colours(stream: TextIO) -> bool:
    """Whether colours are for somebody who sees them, and wants to."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and is_terminal(stream)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody sits there; a process may begin without the stream."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False


def say(text: str, fg: str | None = None) -> None:
    """Tell people something, on standard error: what programs read stays clean."""
    plain = printable(text)
    click.echo(click.style(plain, fg=fg) if has_colours(sys.stderr) else plain, err=True)


def out(text: str) -> None:
    """Print a text for people."""
    click.echo(printable(text))


def print_json(value: Any) -> None:
    """Print one document, indented."""
    click.echo(json.dumps(value, indent=2))


def print_json_line(value: Any) -> None:
    """Print one document in one line."""
    click.echo(json.dumps(value))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, whole: int = 1) -> None:
    """Print a table. The first `whole` columns are never cut; on a terminal the others may be."""
    GrowingTable(head, whole=whole).add(rows)


class GrowingTable:
    """A table whose rows come some at a time: one heading, and columns that get no narrower."""

    def __init__(self, head: Sequence[str], *, whole: int = 1) -> None:
        self._head = head
        self._whole = whole
        self._needed = [0] * len(head)
        self._has_head = False

    def add(self, rows: Iterable[Sequence[str]]) -> None:
        """Print these rows, and the heading if they are the first."""
        from rich.cells import cell_len  # noqa: PLC0415 - only commands with tables wait for it

        cells = [[one_line(cell) for cell in row] for row in rows]
        lengths = (map(cell_len, each) for each in zip(self._head, *cells, strict=True))
        self._needed = [
            max(before, *each) for before, each in zip(self._needed, lengths, strict=True)
        ]
        _draw(self._head, cells, _widths(self._needed, self._whole), shows_head=not self._has_head)
        self._has_head = True


def _draw(
    head: Sequence[str], cells: list[list[str]], widths: list[int], *, shows_head: bool
) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    drawn = Table(
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="bold",
        show_header=shows_head,
    )
    for name, width in zip(head, widths, strict=True):
        drawn.add_column(name, overflow="ellipsis", no_wrap=True, width=width)
    for row in cells:
        drawn.add_row(*(Text(cell, _STYLES.get(cell, "")) for cell in row))
    colours = has_colours(sys.stdout)
    console = Console(
        file=StringIO(),
        force_terminal=colours,
        color_system="standard" if colours else None,
        width=sum(widths) + 2 * len(widths),
        legacy_windows=False,
    )
    with console.capture() as captured:
        console.print(drawn)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def _widths(needed: list[int], whole: int) -> list[int]:
    """How wide the columns are: on a terminal the last one gets what the others leave.

    What is wider than the terminal all the same, the terminal breaks.
    """
    if not is_terminal(sys.stdout):
        return needed
    first = [
        width if place < whole else min(width, _WIDEST) for place, width in enumerate(needed[:-1])
    ]
    left = shutil.get_terminal_size().columns - sum(first) - 2 * len(needed)
    return [*first, min(needed[-1], max(left, _LEAST))]


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values, a line each; values with several lines are indented."""
    shown = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        indented = printable(value).replace("\n", "\n" + " " * (width + 2))
        click.echo(f"{name:{width}}  {indented}")


def one_line(text: str) -> str:
    """The text as it fits into a cell."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= MAX_CELL else f"{line[: MAX_CELL - 1]}…"


def value_text(value: Any) -> str:
    """A JSON value as people read it; nothing for null."""
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def time_text(time: datetime | None) -> str:
    """A time in UTC, as filters take it, too."""
    return "" if time is None else time.strftime("%Y-%m-%dT%H:%M:%SZ")
