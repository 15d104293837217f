"""The tables of docs/reference/http-api.md, made of the records of operations.

`python -m tests.kit.reference_tables` writes them into the page, between their marks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from host.http import figures, own_pages
from host.http.admin.operations import OPERATIONS as OF_ADMIN
from host.http.dashboard.operations import OPERATIONS as OF_DASHBOARD
from host.http.management.links import WEBHOOKS
from host.http.management.operations import OPERATIONS as OF_WEBHOOKS
from host.http.operations import Answer, Operation
from host.http.parameters import Parameter, Place

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "http-api.md"

_MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def written(page: str) -> str:
    """The page with the tables that belong between its marks."""
    return _MARKED.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}\n{found[3]}", page)


def _operations(operations: Iterable[Operation[Any]], base: str = "") -> str:
    head = ("operation", "request", "needs", "does", "success", "else")
    rows = (
        (
            f"`{each.id}`",
            f"`{each.verb} {each.path.removeprefix(base)}`",
            f"`{each.access.role}`" if each.access.role else "",
            each.summary,
            _answers(each.answers, lambda status: status < 300),
            _answers(each.answers, lambda status: status >= 300),
        )
        for each in operations
    )
    return _table(head, rows)


def _answers(answers: Mapping[int, Answer], is_meant: Callable[[int], bool]) -> str:
    meant = (status for status in sorted(answers) if is_meant(status))
    return "<br>".join(f"{int(status)} {answers[status].text}" for status in meant)


def _parameters(operations: Iterable[Operation[Any]]) -> str:
    users: dict[Parameter[Any], list[str]] = {}
    operations = tuple(operations)
    for operation in operations:
        for each in operation.parameters:
            if each.place is not Place.PATH:
                users.setdefault(each, []).append(f"`{operation.id}`")
    rows = (
        (
            f"`{each.name}`" + (" (header)" if each.place is Place.HEADER else ""),
            "all" if len(of) == len(operations) else ", ".join(of),
            each.text,
        )
        for each, of in users.items()
    )
    return _table(("parameter", "of", "meaning"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(_lines(head, rows))


def _lines(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"


TABLES: Mapping[str, Callable[[], str]] = {
    "webhooks": lambda: _operations(OF_WEBHOOKS, WEBHOOKS),
    "parameters": lambda: _parameters(OF_WEBHOOKS),
    "host": lambda: _operations(
        (*own_pages.OPERATIONS, *OF_DASHBOARD, *figures.OPERATIONS, *OF_ADMIN)
    ),
}
"""By the name in the mark."""


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
