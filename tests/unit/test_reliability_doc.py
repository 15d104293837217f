"""docs/reliability.md and docs/security.md name tests: they exist, and their lists are whole."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "reliability.md").read_text()
COUNT = 54

NODE = re.compile(r"tests/[\w/]+\.py::\w+")
ROW = re.compile(r"^\| (\d+) \|(.*)\|$", re.MULTILINE)
BUG = re.compile(r"test_bug_(\d\d)(?:_and_(\d\d))?_")
PATH = re.compile(r"`((?:tests|docs)/[\w./]+)`")

FOUND_TEXT = TEXT + (ROOT / "docs" / "security.md").read_text()
FOUND_ROW = re.compile(r"^\| ([A-H]\d+) \|(.*)\|$", re.MULTILINE)
FOUND_TEST = re.compile(r"test_found_([a-h]\d+)_")
FOUND_IN_GROUP = {"A": 22, "B": 6, "C": 7, "D": 16, "E": 5, "F": 14, "G": 13, "H": 14}
TRACED = {"A12": "A15"}
"""Rows whose cause is that of others, which have the tests."""

ROWS = ROW.findall(TEXT)
NODES = sorted(set(NODE.findall(TEXT)))


@cache
def names_in(path: Path) -> frozenset[str]:
    """The names of the test functions in a file, which is not imported for it."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = (x.name for x in ast.walk(ast.parse(path.read_text())) if isinstance(x, functions))
    return frozenset(name for name in found if name.startswith("test_"))


def nodes_by_bug() -> dict[int, set[str]]:
    """All tests that have the number of a bug in their names."""
    by_bug = defaultdict[int, set[str]](set)
    for path in ROOT.glob("tests/**/test_*.py"):
        for name in names_in(path):
            match = BUG.match(name)
            for number in match.groups() if match else ():
                if number is not None:
                    by_bug[int(number)].add(f"{path.relative_to(ROOT).as_posix()}::{name}")
    return by_bug


@pytest.mark.parametrize("node", NODES)
def test_a_test_that_is_named_exists(node: str) -> None:
    path, _, name = node.partition("::")
    assert (ROOT / path).is_file()
    assert name in names_in(ROOT / path)


@pytest.mark.parametrize("path", sorted(set(PATH.findall(TEXT))))
def test_a_file_that_is_named_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_every_bug_stands_in_the_list_once_and_in_order() -> None:
    assert [int(number) for number, _ in ROWS] == [*range(1, COUNT + 1)]


@pytest.mark.parametrize(("number", "row"), ROWS)
def test_a_bug_has_a_test_or_says_what_it_waits_for(number: str, row: str) -> None:
    assert NODE.search(row) or "Waits for " in row
    unnamed = nodes_by_bug()[int(number)] - set(NODE.findall(row))
    assert not unnamed, "tests with this number that the list does not name"


@cache
def files_by_found_row() -> dict[str, set[str]]:
    """The files that have a test named for a row, by the row."""
    by_row = defaultdict[str, set[str]](set)
    for path in ROOT.glob("tests/**/test_*.py"):
        for name in names_in(path):
            if (match := FOUND_TEST.match(name)) is not None:
                by_row[match[1].upper()].add(path.relative_to(ROOT).as_posix())
    return by_row


def test_every_kind_that_was_found_stands_in_a_list_once() -> None:
    expected = {
        f"{group}{n}" for group, count in FOUND_IN_GROUP.items() for n in range(1, count + 1)
    }
    listed = [name for name, _ in FOUND_ROW.findall(FOUND_TEXT)]
    assert sorted(listed) == sorted(expected)


@pytest.mark.parametrize(("row", "text"), FOUND_ROW.findall(FOUND_TEXT))
def test_a_kind_that_was_found_names_the_files_of_its_tests(row: str, text: str) -> None:
    has_tests = bool(files_by_found_row()[TRACED.get(row, row)])
    assert has_tests != ("none yet" in text), "its tests, or that there are none, must be said"
    unnamed = files_by_found_row()[row] - set(PATH.findall(text))
    assert not unnamed, "tests with this row's name that the list does not name"
