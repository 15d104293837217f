"""The files of an app that its functions are made of, and what they are like at one moment.

Whether something has changed is seen by looking at all of them: what a system tells of changes says
only when to look. Folders are moved, links are turned to other places, and events are lost.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from host.functions.decorated import SCRIPT_NAME
from host.functions.function_json import FILE_NAME as FUNCTION_JSON
from host.functions.loader import included
from host.settings import HostSettings
from host.settings.loading import FILE_NAME as HOST_JSON
from host.settings.local import FILE_NAME as LOCAL_SETTINGS

Stamp: TypeAlias = tuple[int, int, int]
"""When a file was written, in nanoseconds; its size; which one it is."""

_SUFFIX = Path(SCRIPT_NAME).suffix
_NAMES = frozenset({FUNCTION_JSON, HOST_JSON, LOCAL_SETTINGS})
_LEFT_OUT = frozenset({"__pycache__", "node_modules"})
"""Folders with files that others write, besides those whose names begin with a dot."""
MOST_FOLDERS = 5_000
"""Of more folders nobody is told in time what happens in them."""
_OF_ENVIRONMENT = "pyvenv.cfg"
"""What lies in each virtual environment, whatever its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What to look at. All paths are resolved."""

    folders: tuple[Path, ...]
    """The app's, and others that belong to it; what is looked at whole comes last."""
    whole: tuple[Path, ...] = ()
    """Folders in which any file counts."""
    names: frozenset[str] = frozenset()
    """Files that count by their names, in lower case, besides modules and settings."""
    left_out: frozenset[str] = frozenset()
    """Folders that are not looked at."""

    def may_matter(self, path: str) -> bool:
        """Whether what has happened to this path may change an app."""
        name = os.path.basename(path)  # noqa: PTH119 - of each event
        if _is_hidden(name) or path in self.left_out:
            return False
        if self.counts(name) or any(Path(path).is_relative_to(each) for each in self.whole):
            return True
        return not os.path.isfile(path)  # noqa: PTH113 - a folder, or one that has gone

    def counts(self, name: str) -> bool:
        """Whether a file of this name counts, in whatever folder."""
        return name.endswith(_SUFFIX) or name in _NAMES or name.lower() in self.names


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The files of an app at one moment, and the folders that they are in."""

    files: Mapping[str, Stamp]
    folders: frozenset[str]
    is_all: bool = True
    """Whether there were not too many folders."""

    def changed(self, before: Seen) -> list[str]:
        """The files that are not as they were, with those that have come and gone, in order."""
        both = self.files.keys() | before.files.keys()
        return sorted(each for each in both if self.files.get(each) != before.files.get(each))


def watched_of(app_dir: Path, settings: HostSettings, data_dir: Path) -> Watched:
    """What to look at for an app. `data_dir` is the folder of the store."""
    whole = tuple((app_dir / each).resolve() for each in settings.document.watch_directories)
    return Watched(
        folders=(app_dir, *included(app_dir, settings.funchost.include, is_quiet=True), *whole),
        whole=whole,
        names=frozenset(each.lower() for each in settings.document.watch_files),
        left_out=frozenset({str(data_dir.resolve())}),
    )


def look(watched: Watched) -> Seen:
    """What is there now. Blocks; what cannot be read is not there."""
    files: dict[str, Stamp] = {}
    folders: set[str] = set()
    known: set[tuple[int, int]] = set()
    left = [(str(each), each in watched.whole) for each in watched.folders]
    while left and len(folders) < MOST_FOLDERS:
        folder, is_whole = left.pop()
        with suppress(OSError):
            identity = _identity(folder)
            if identity in known:
                continue  # a link leads around in a circle, or it lies in another one
            known.add(identity)
            folders.add(folder)
            for entry in _entries(folder):
                if entry.is_dir():
                    if not _is_left_out(entry, watched):
                        left.append((entry.path, is_whole))
                elif is_whole or watched.counts(entry.name):
                    files[entry.path] = _stamp(entry)
    return Seen(files=files, folders=frozenset(folders), is_all=not left)


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from (each for each in entries if not _is_hidden(each.name))


def _is_hidden(name: str) -> bool:
    """Whether editors and tools keep their own things there."""
    return name.startswith(".")


def _is_left_out(entry: os.DirEntry[str], watched: Watched) -> bool:
    if entry.name in _LEFT_OUT or entry.path in watched.left_out:
        return True
    return os.path.exists(os.path.join(entry.path, _OF_ENVIRONMENT))  # noqa: PTH110, PTH118


def _stamp(entry: os.DirEntry[str]) -> Stamp:
    try:
        stat = entry.stat()
    except OSError:  # a link that leads nowhere, or it is gone
        return (0, 0, 0)
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)


def _identity(folder: str) -> tuple[int, int]:
    stat = os.stat(folder)  # noqa: PTH116 - of each folder
    return (stat.st_dev, stat.st_ino)
