"""What type checkers say of an author's code: nothing of right uses, an error of wrong ones."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
USES = Path(__file__).with_name("typed_uses")
FILES = (USES / "right.py", USES / "wrong.py")

Lines = set[tuple[str, int]]


def marked() -> Lines:
    return {
        (file.name, number)
        for file in FILES
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if line.endswith("# wrong")
    }


def run(checker: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a type checker in a process of its own: mypy sets its process's recursion limit."""
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    command = [sys.executable, "-m", checker, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def found_by_mypy(cache: Path) -> Iterator[tuple[str, int]]:
    arguments = ["--strict", "--config-file=", f"--cache-dir={cache}", "--follow-imports=silent"]
    done = run("mypy", *arguments, *map(str, FILES))
    assert not done.stderr
    for line in done.stdout.splitlines():
        if found := re.match(r"(?:.*[/\\])?([^/\\]+\.py):(\d+): error: ", line):
            yield found[1], int(found[2])


def found_by_pyright(folder: Path) -> Iterator[tuple[str, int]]:
    config = folder / "pyrightconfig.json"
    config.write_text(
        json.dumps(
            {
                "include": [str(file) for file in FILES],
                "extraPaths": [str(ROOT)],
                "typeCheckingMode": "strict",
            }
        )
    )
    arguments = ["--outputjson", "--project", str(config), "--pythonpath", sys.executable]
    done = run("basedpyright", *arguments)
    for each in json.loads(done.stdout)["generalDiagnostics"]:
        if each["severity"] == "error":
            yield Path(each["file"]).name, each["range"]["start"]["line"] + 1


def test_found_h7_mypy_takes_right_uses_and_refuses_each_wrong_one(tmp_path: Path) -> None:
    assert set(found_by_mypy(tmp_path)) == marked()


def test_found_h7_pyright_takes_right_uses_and_refuses_each_wrong_one(tmp_path: Path) -> None:
    assert set(found_by_pyright(tmp_path)) == marked()
