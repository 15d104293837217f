"""When an app is loaded anew: after its files have changed and come to rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from host.errors import ConfigurationError
from host.watching import files
from host.watching.files import Seen, Watched, look
from host.watching.watch import PATIENCE_S, QUIET_S, Watch, watching
from tests.kit.manual_clock import ManualClock

QUIET = timedelta(seconds=QUIET_S)


class ToldNews:
    """News that a test tells."""

    def __init__(self) -> None:
        self.folders: frozenset[str] = frozenset()
        self.is_closed = False
        self._told = asyncio.Event()

    def tell(self) -> None:
        self._told.set()

    async def wait(self, folders: frozenset[str], may_matter: Callable[[str], bool]) -> None:
        if folders == self.folders:
            await self._told.wait()
        self.folders = folders
        self._told.clear()

    async def close(self) -> None:
        self.is_closed = True


class Watching:
    """A folder that is watched, and what was loaded of it: the contents of its module."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.module = self.folder / "function_app.py"
        self.module.write_text("first")
        self.clock = ManualClock()
        self.news = ToldNews()
        self.loads: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def reload(self) -> None:
        self.loads.append(self.module.read_text() if self.module.exists() else "")
        await self.gate.wait()
        if self.error is not None:
            raise self.error

    async def look(self, watched: Watched) -> Seen:
        return look(watched)

    async def write(self, content: str) -> None:
        self.module.write_text(content)
        await self.happened()

    async def happened(self) -> None:
        self.news.tell()
        await self.clock.until_quiet()

    async def quiet(self, times: int = 1) -> None:
        await self.clock.advance(QUIET, steps=times)


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[Watching]:
    found = Watching(folder)
    what = Watched(folders=(found.folder,))
    watch = Watch(
        found.folder,
        watched=lambda: what,
        look=found.look,
        news=found.news,
        reload=found.reload,
        clock=found.clock,
    )
    async with watching(watch, look(what)):
        await found.clock.until_quiet()
        yield found
    assert found.news.is_closed


async def test_a_change_is_loaded_when_it_has_come_to_rest(tmp_path: Path) -> None:
    async with watched(tmp_path) as it:
        await it.write("second")
        assert it.loads == []
        await it.quiet()
        assert it.loads == ["second"]
        await it.happened()
        await it.quiet(5)
        assert it.loads == ["second"]


async def test_a_file_in_several_steps_is_loaded_once_and_whole(tmp_path: Path) -> None:
    async with watched(tmp_path) as it:
        for part in ("half", "half of", "half of it", "all of it"):
            await it.write(part)
            await it.clock.advance(QUIET / 2)
        await it.quiet(3)
        assert it.loads == ["all of it"]


async def test_what_editors_do_is_one_change(tmp_path: Path) -> None:
    async with watched(tmp_path) as it:
        swap = tmp_path / ".function_app.py.swp"
        swap.write_text("x")
        it.module.rename(tmp_path / "function_app.py~")
        await it.happened()
        await it.clock.advance(QUIET / 2)
        new = tmp_path / "4913"
        new.write_text("second")
        new.rename(it.module)
        swap.unlink()
        await it.happened()
        await it.quiet(3)
        assert it.loads == ["second"]


async def test_what_does_not_come_to_rest_is_loaded_all_the_same(tmp_path: Path) -> None:
    async with watched(tmp_path) as it:
        await it.write("0")
        steps = 0
        while not it.loads:
            steps += 1
            it.module.write_text("x" * steps)
            await it.quiet()
        assert PATIENCE_S / QUIET_S <= steps <= PATIENCE_S / QUIET_S + 2


async def test_a_change_that_is_taken_back_loads_nothing(tmp_path: Path) -> None:
    async with watched(tmp_path) as it:
        (tmp_path / "new.py").write_text("x")
        await it.happened()
        (tmp_path / "new.py").unlink()
        await it.quiet(4)
        assert it.loads == []


async def test_a_change_while_the_app_loads_is_loaded_after_it(tmp_path: Path) -> None:
    async with watched(tmp_path) as it:
        it.gate.clear()
        await it.write("second")
        await it.quiet()
        it.module.write_text("the third one")  # nobody needs to tell
        await it.quiet(3)
        assert it.loads == ["second"]
        it.gate.set()
        await it.quiet(3)
        assert it.loads == ["second", "the third one"]


async def test_a_new_folder_is_listened_to_before_it_is_looked_at(tmp_path: Path) -> None:
    async with watched(tmp_path) as it:
        folder = tmp_path / "Drop"
        folder.mkdir()
        await it.happened()
        assert str(folder.resolve()) in it.news.folders
        (folder / "run.py").write_text("x")
        await it.happened()
        await it.quiet()
        assert it.loads == ["first"]


@pytest.mark.parametrize("error", [ConfigurationError("host.json: no"), ValueError("a defect")])
async def test_a_load_that_fails_is_not_the_last(tmp_path: Path, error: Exception) -> None:
    async with watched(tmp_path) as it:
        it.error = error
        await it.write("second")
        await it.quiet(5)
        assert it.loads == ["second"]  # the same files are not tried again
        it.error = None
        await it.write("third")
        await it.quiet()
        assert it.loads == ["second", "third"]


async def test_a_folder_with_too_many_others_is_not_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(files, "MOST_FOLDERS", 3)
    for number in range(3):
        (tmp_path / f"folder {number}").mkdir()
    async with watched(tmp_path) as it:
        assert "is not watched: it has more than" in caplog.text
        assert it.news.is_closed
        await it.write("second")
        await it.quiet(3)
        assert it.loads == []
