"""What the how-to says, done by a user: its files, in a folder, under pytest."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.kit_plugin import user_environment

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/test-your-app.md").read_text(encoding="utf-8")


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder / "app",
        env=user_environment(folder / "packages"),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The app of the page, with its tests."""
    app = tmp_path / "app"
    app.mkdir()
    for name, code in re.findall(r"`(\w+\.py)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL):
        (app / name).write_text(code)
    (settings,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (app / "pyproject.toml").write_text(settings)
    return tmp_path


def test_the_tests_of_the_page_pass(folder: Path) -> None:
    done = run(folder, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider")
    assert "7 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_the_files_of_the_page_are_typed(folder: Path) -> None:
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    done = run(folder, "-m", "mypy", "--strict", "--follow-imports=silent", ".")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_plugin_loads_nothing_of_the_host_for_those_who_do_not_ask(folder: Path) -> None:
    (folder / "app" / "test_nothing.py").write_text(
        "import sys\n\n\n"
        "def test_nothing() -> None:\n"
        "    assert 'host.testing.pytest_plugin' in sys.modules\n"
        "    assert not {'bindings', 'host.engine', 'pydantic'} & set(sys.modules)\n"
    )
    done = run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_nothing.py")
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_kit_does_without_pytest(folder: Path) -> None:
    done = run(folder, "-c", "import sys, funchost.testing; assert 'pytest' not in sys.modules")
    assert done.returncode == 0, done.stderr


def test_a_fixture_that_is_used_as_an_environment_is_explained(folder: Path) -> None:
    (folder / "app" / "test_wrong.py").write_text(
        "def test_wrong(funchost_env):\n    funchost_env.client\n"
    )
    done = run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_wrong.py")
    assert "async with funchost_env() as env" in done.stdout
