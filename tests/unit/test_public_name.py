"""`funchost` is the name by which authors import the programming model; examples use no other."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

import bindings
import bindings.kinds
import funchost
import funchost.kinds

ROOT = Path(__file__).parents[2]
EXAMPLES = [
    *ROOT.glob("samples/**/*.py"),
    *ROOT.glob("docs/how-to/*.md"),
    *ROOT.glob("docs/reference/*.md"),
    ROOT / "README.md",
]


@pytest.mark.parametrize(
    ("public", "own"), [(funchost, bindings), (funchost.kinds, bindings.kinds)]
)
def test_found_b5_funchost_has_every_public_name(public: ModuleType, own: ModuleType) -> None:
    assert public.__all__ == own.__all__
    for name in public.__all__:
        assert getattr(public, name) is getattr(own, name)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_found_b5_examples_import_the_public_name(path: Path) -> None:
    assert not re.findall(r"^\s*(?:from|import) bindings\b", path.read_text(), re.MULTILINE)
