"""No message holds an address of an object, and none is made in a way that could."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bindings.shown_values import shown_value

ROOT = Path(__file__).parents[2]
OF_AUTHORS = ("bindings", "host/core/replay", "host/engine", "host/functions", "host/testing")
"""What is given there comes from an author's code, and may be any object."""


class Account:
    """An object without words of its own."""


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a", "'a'"),
        (timedelta(seconds=1), "datetime.timedelta(seconds=1)"),
        (Account(), "an Account"),
        (Broken(), "a Broken"),
        (Account, "the class Account"),
        (shown_value, "the function shown_value"),
        ([Account()], "[<tests.unit.test_shown_values.Account object>]"),
        ("x" * 500, "'" + "x" * 199),
    ],
    ids=lambda each: each if isinstance(each, str) else "value",
)
def test_a_value_is_said_without_its_address(value: Any, said: str) -> None:
    assert shown_value(value) == said


def written_as_python_does(path: Path) -> Iterator[str]:
    """Where a message has the `repr` of what need not be a text; a part of a text is one."""
    for node in in_messages(ast.parse(path.read_text())):
        if isinstance(node, ast.FormattedValue) and node.conversion == ord("r"):
            of = node.value
            if not (isinstance(of, ast.Subscript) and isinstance(of.slice, ast.Slice)):
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(of)}"


def in_messages(node: ast.AST) -> Iterator[ast.AST]:
    """All of it but for what `repr` itself gives."""
    yield node
    for each in ast.iter_child_nodes(node):
        if not (isinstance(each, ast.FunctionDef) and each.name == "__repr__"):
            yield from in_messages(each)


def test_messages_about_what_authors_give_use_it() -> None:
    files = [path for folder in OF_AUTHORS for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) > 100
    found = [each for path in files for each in written_as_python_does(path)]
    assert found == [], "write {shown_value(x)}, not {x!r}"
