"""An app folder on disk, and an interpreter that forgets it afterwards."""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent

import pytest


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[Callable[[Mapping[str, str]], Path]]:
    """Writes files, named by their path, into an app folder and gives the folder."""
    path, modules = list(sys.path), dict(sys.modules)

    def write(files: Mapping[str, str]) -> Path:
        app_dir = tmp_path / "app"
        app_dir.mkdir(exist_ok=True)
        for name, text in files.items():
            file = app_dir / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(text), encoding="utf-8")
        return app_dir.resolve()

    yield write
    sys.path[:] = path
    new = {name: sys.modules[name] for name in sys.modules.keys() - modules.keys()}
    for name in [name for name, module in new.items() if _is_below(module, tmp_path)]:
        del sys.modules[name]


def _is_below(module: object, folder: Path) -> bool:
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", [])]
    return any(place and Path(place).is_relative_to(folder) for place in places)
