"""What pyproject.toml allows to be installed is what was tested, and has no known holes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NEEDED = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["aws"]]
SAFE_AIOHTTP = (3, 14, 5)
"""Older ones unpack without bound, or read requests otherwise than the proxy before them."""


@pytest.mark.parametrize("requirement", NEEDED)
def test_found_d9_every_dependency_has_a_floor(requirement: str) -> None:
    assert re.match(r"[a-z0-9-]+>=\d+(\.\d+)*(;|$)", requirement.replace(" ", ""))


def test_found_d9_no_aiohttp_with_known_holes_is_allowed() -> None:
    [floor] = [x.partition(">=")[2] for x in NEEDED if x.startswith("aiohttp")]
    assert tuple(int(part) for part in floor.split(".")) >= SAFE_AIOHTTP


def test_found_d9_ci_runs_the_lowest_versions() -> None:
    assert "make lowest" in (ROOT / ".ci" / "run").read_text()
    assert "--resolution lowest-direct" in (ROOT / "Makefile").read_text()
