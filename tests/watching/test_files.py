"""Which files of an app count, and when they have changed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from host.settings import load_settings
from host.watching.files import Seen, look, watched_of


def write(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}" if name.endswith("json") else "")


def seen(app: Path) -> Seen:
    return look(watched_of(app, load_settings(app, {}), app / "data"))


def names(app: Path, found: Seen) -> list[str]:
    return sorted(str(Path(each).relative_to(app)) for each in found.files)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "app"
    write(folder, "function_app.py")
    (folder / "host.json").write_text('{"version": "2.0"}')
    return folder


COUNT = ("Drop/function.json", "Drop/run.py", "local.settings.json", "shared/deep/er/helper.py")
DO_NOT = (
    ".funchost/keys.json/x.py",
    ".git/hooks/x.py",
    ".venv/lib/x.py",
    ".#function_app.py",
    "Drop/__pycache__/run.py",
    "node_modules/x/x.py",
    "venv2/pyvenv.cfg",
    "venv2/lib/x.py",
    "data/x.py",
    "Drop/sample.dat",
    "package.json",
    "function_app.py~",
)


def test_modules_and_settings_count_and_what_tools_write_does_not(app: Path) -> None:
    write(app, *COUNT, *DO_NOT)
    assert names(app, seen(app)) == sorted(["function_app.py", "host.json", *COUNT])


def test_folders_without_a_file_that_counts_are_watched_too(app: Path) -> None:
    (app / "empty" / "below").mkdir(parents=True)
    write(app, ".git/x", "node_modules/y")
    below = {str(Path(each).relative_to(app)) for each in seen(app).folders}
    assert below == {".", "empty", "empty/below"}


@pytest.mark.parametrize("change", ["write", "touch", "replace", "remove", "move", "add"])
def test_each_kind_of_change_is_seen(app: Path, change: str) -> None:
    write(app, "Drop/run.py", "new.txt")
    before = seen(app)
    file = app / "Drop" / "run.py"
    match change:
        case "write":
            file.write_text("x")
        case "touch":
            os.utime(file, ns=(1, 1))
        case "replace":
            stat = file.stat()
            file.rename(app / "old")
            write(app, "Drop/run.py")
            os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        case "remove":
            file.unlink()
        case "move":
            (app / "Drop").rename(app.parent / "Elsewhere")
        case "add":
            (app / "new.txt").rename(app / "Drop" / "new.py")
    changed = seen(app).changed(before)
    assert [Path(each).name for each in changed] == ["new.py" if change == "add" else "run.py"]
    assert seen(app).changed(seen(app)) == []


def test_links_are_followed_and_circles_end(app: Path) -> None:
    write(app.parent, "elsewhere/helper.py")
    (app / "linked").symlink_to(app.parent / "elsewhere")
    (app / "around").symlink_to(app)
    (app / "nowhere.py").symlink_to(app / "gone.py")
    found = ["function_app.py", "host.json", "linked/helper.py", "nowhere.py"]
    before = seen(app)
    assert names(app, before) == found
    (app / "linked").unlink()
    assert len(seen(app).changed(before)) == 1


def test_host_json_names_what_else_counts(app: Path) -> None:
    content = {
        "version": "2.0",
        "watchDirectories": ["Texts"],
        "watchFiles": ["Rules.YML"],
        "funchost": {"include": ["../team"]},
    }
    (app / "host.json").write_text(json.dumps(content))
    write(app, "Texts/a.txt", "Texts/deep/b.txt", "Drop/rules.yml", "other.yml")
    write(app.parent, "team/function_app.py", "team/x.txt")
    found = {os.path.relpath(each, app) for each in seen(app).files}
    assert found == {
        "function_app.py",
        "host.json",
        "Texts/a.txt",
        "Texts/deep/b.txt",
        "Drop/rules.yml",
        "../team/function_app.py",
    }
    watched = watched_of(app, load_settings(app, {}), app / "data")
    assert watched.may_matter(str(app / "Texts" / "a.txt"))
    assert not watched.may_matter(str(app / "other.yml"))


def test_what_happens_to_other_files_is_no_reason_to_look(app: Path) -> None:
    write(app, "out.txt", "Drop/run.py")
    watched = watched_of(app, load_settings(app, {}), app / "data")
    for name in ("out.txt", ".function_app.py.swp", "data", ".funchost"):
        assert not watched.may_matter(str(app / name)), name
    for name in ("Drop", "Drop/run.py", "gone", "function.json", "local.settings.json"):
        assert watched.may_matter(str(app / name)), name
