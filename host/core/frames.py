"""Whose code a frame runs: this host's, a library's or the author's. Its file tells."""

from __future__ import annotations

import traceback
from types import CodeType, FrameType, TracebackType
from typing import Any

import bindings
import host


def _folder(path: str | None) -> str:
    path = path or ""
    return path[: max(path.rfind("/"), path.rfind("\\")) + 1]


_BINDINGS = _folder(bindings.__file__)
_HOST = (_folder(host.__file__), _BINDINGS)
_LIBRARIES = (_folder(traceback.__file__), "<frozen ")
_WRITTEN = "<string>"
_INSTALLED = ("site-packages", "dist-packages")

_TRACEBACK: Any = BaseException.__dict__["__traceback__"]


def is_hosts(code: CodeType) -> bool:
    """Whether this package brings the code."""
    return code.co_filename.startswith(_HOST)


def is_authors(code: CodeType) -> bool:
    """Whether the code is neither this package's, nor Python's, nor an installed library's."""
    return _is_authors(code.co_filename)


def _is_authors(path: str) -> bool:
    if path.startswith(_HOST) or path.startswith(_LIBRARIES):
        return False
    return not is_installed(path)


def runs_hosts(frame: FrameType) -> bool:
    """Whether a frame runs code of this package, or code that Python wrote for a class of it."""
    return _path_of(frame).startswith(_HOST)


def runs_authors(frame: FrameType) -> bool:
    """Whether a frame runs an author's code, or code that Python wrote for a class of his."""
    return _is_authors(_path_of(frame))


def _path_of(frame: FrameType) -> str:
    """The file that a frame's code is of.

    What Python writes for a class has none: a dataclass's methods are of the class's module. Those
    of a named tuple know not even that, and count as whoever called them.
    """
    path = frame.f_code.co_filename
    if path != _WRITTEN:
        return path
    names = frame.f_globals
    if frame.f_back is not None and str(names.get("__name__")).startswith("namedtuple_"):
        return _path_of(frame.f_back)
    return str(names.get("__file__", path))


def is_installed(path: str) -> bool:
    """Whether a file is of an installed package, wherever that is installed."""
    return any(folder in path for folder in _INSTALLED)


def traceback_of(error: BaseException) -> TracebackType | None:
    """Where an error was raised, as Python keeps it: a class of an author may hide it, or raise."""
    found: TracebackType | None = _TRACEBACK.__get__(error)
    return found


def frames_of(trace: TracebackType | None) -> list[tuple[FrameType, int]]:
    """The frames of a traceback and their lines, the outermost first."""
    found: list[tuple[FrameType, int]] = []
    while trace is not None:
        found.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return found


def without_host(trace: TracebackType | None, *, is_deliberate: bool) -> TracebackType | None:
    """The traceback without the host's frames at its ends, so that the author's line is the last.

    Unless the error `is_deliberate` it may be the host's own defect: then its place stays.
    """
    entries: list[TracebackType] = []
    while trace is not None:
        entries.append(trace)
        trace = trace.tb_next
    ours = _HOST if is_deliberate else (_BINDINGS,)
    kept = list(entries)
    while kept and kept[-1].tb_frame.f_code.co_filename.startswith(ours):
        kept.pop()
    while kept and is_hosts(kept[0].tb_frame.f_code):
        kept.pop(0)
    if not kept and not is_deliberate:
        kept = entries
    rebuilt: TracebackType | None = None
    for each in reversed(kept):
        rebuilt = TracebackType(rebuilt, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return rebuilt


def place_of(trace: TracebackType | None) -> str:
    """The author's innermost line in a traceback, as `file:line in function`; else the last one."""
    frames = frames_of(trace)
    if not frames:
        return ""
    theirs = [each for each in frames if runs_authors(each[0])]
    frame, line = (theirs or frames)[-1]
    return f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_qualname}"
