"""The test kit's pytest plugin, as an installed funchost has it."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from tests.kit.other_package import install_package

ROOT = Path(__file__).parents[2]


def installed(folder: Path) -> Path:
    """Let pytest find what pyproject.toml declares, whether funchost is installed or not."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [f"{name} = {place}" for name, place in project["entry-points"]["pytest11"].items()]
    return install_package(folder, "kit_plugin", "", "\n".join(["[pytest11]", *lines]))


def user_environment(packages: Path) -> dict[str, str]:
    """The environment of a user who has funchost installed."""
    path = os.pathsep.join([str(ROOT), str(installed(packages))])
    return {**os.environ, "PYTHONPATH": path, "PYTEST_ADDOPTS": ""}
