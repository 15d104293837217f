"""Paths that callers name stay below one folder: `SAMPLES_ROOT`, by default where the host was
started.

They are relative, and lead nowhere hidden and nowhere else, be it by `..` or by a link. What is
written or removed is below its folder `build`: no caller changes an app's code or the host's store.
Each sample has this same file, so that it can be copied alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from funchost import RequestBodyError

WRITABLE = "build"


def root() -> Path:
    """The folder that all paths are below."""
    return Path(os.environ.get("SAMPLES_ROOT") or Path.cwd()).resolve()


def readable(path: str) -> Path:
    """The absolute path to read from. Raises `RequestBodyError` for one that leads elsewhere."""
    given, base = PurePosixPath(path), root()
    if given.is_absolute() or PureWindowsPath(path).anchor or ".." in given.parts or "\0" in path:
        raise _refused(path, "is not a relative path without '..'")
    try:
        found = (base / given).resolve()
    except (OSError, RuntimeError) as error:
        raise _refused(path, "cannot be followed") from error
    if not is_inside(found):
        raise _refused(path, "leads to something hidden, or out of the samples' folder")
    return found


def writable(path: str) -> Path:
    """The absolute path to write to, or to remove from; below `build`. Raises as `readable`."""
    found = readable(path)
    if not found.is_relative_to(root() / WRITABLE):
        raise _refused(path, f"is not below '{WRITABLE}', where the samples write")
    return found


def is_inside(path: Path) -> bool:
    """Whether the path, all links followed, is below the root, and nothing on it is hidden."""
    base, found = root(), path.resolve()
    return found.is_relative_to(base) and not any(
        part.startswith(".") for part in found.relative_to(base).parts
    )


def shown(path: Path) -> str:
    """The path as callers name it."""
    return path.relative_to(root()).as_posix()


def check_paths(body: Any, *, reads: Sequence[str] = (), writes: Sequence[str] = ()) -> None:
    """Raise `RequestBodyError`, which is answered 400, for a path that would be refused later."""
    if not isinstance(body, dict):
        raise RequestBodyError("Send a JSON object.")
    for name in (*reads, *writes):
        path = body.get(name)
        if path is not None and not isinstance(path, str):
            raise RequestBodyError(f"'{name}' must be a path.")
        if path is not None:
            (writable if name in writes else readable)(path)


def _refused(path: str, why: str) -> RequestBodyError:
    return RequestBodyError(f"The path '{path[:200]}' {why}.")
