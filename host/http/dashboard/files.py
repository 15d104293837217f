"""The files of the front end, as they are served.

They are package data, read when the first of them is asked for. A path is looked up among them, and
never on the disk, so no path leads out of their folder.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

_FOLDER: Final = "static"
_INDEX: Final = "index.html"
_TYPES: Mapping[str, str] = {
    "html": "text/html",
    "js": "text/javascript",
    "css": "text/css",
    "svg": "image/svg+xml",
    "txt": "text/plain",
}
_PRELOADED: Final = ("vendor/", "lib/", "parts/", "pages/")
_BASE_MARK: Final = "{base}"
_MODULES_MARK: Final = "<!-- modules -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    """A file: its bytes, their type, and the tag by which a browser asks whether it has them."""

    content: bytes
    content_type: str
    tag: str


class DashboardFiles:
    """The files of a host whose clients see it below the path `base` ("" for all of a site)."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._index: StaticFile | None = None

    def find(self, path: str) -> StaticFile | None:
        """The file at a path below the dashboard; the page itself where none is meant."""
        if path != _INDEX and path in _files():
            return _files()[path]
        return None if self._is_of_a_file(path) else self._page()

    def _is_of_a_file(self, path: str) -> bool:
        """Whether a file is meant: all other paths are for the front end, which reads them."""
        first, slash, _ = path.partition("/")
        return bool(slash) and f"{first}/" in _PRELOADED

    def _page(self) -> StaticFile:
        if self._index is None:
            text = _files()[_INDEX].content.decode()
            modules = (path for path in _files() if path.startswith(_PRELOADED))
            links = "\n".join(
                f'<link rel="modulepreload" href="{_BASE_MARK}/dashboard/{path}">'
                for path in modules
                if path.endswith(".js")
            )
            page = text.replace(_MODULES_MARK, links).replace(_BASE_MARK, html.escape(self._base))
            self._index = _made(page.encode(), _INDEX)
        return self._index


@cache
def _files() -> Mapping[str, StaticFile]:
    """All files by their path."""
    found: dict[str, StaticFile] = {}
    _collect(resources.files(__package__) / _FOLDER, "", found)
    return dict(sorted(found.items()))


def _collect(folder: Traversable, prefix: str, found: dict[str, StaticFile]) -> None:
    for each in folder.iterdir():
        path = prefix + each.name
        if each.is_dir():
            _collect(each, f"{path}/", found)
        elif each.name.rpartition(".")[2] in _TYPES:
            found[path] = _made(each.read_bytes(), each.name)


def _made(content: bytes, name: str) -> StaticFile:
    tag = hashlib.sha256(content).hexdigest()[:32]
    content_type = _TYPES[name.rpartition(".")[2]]
    return StaticFile(content=content, content_type=content_type, tag=tag)
