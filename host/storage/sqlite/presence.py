"""Whether the names of a store's files still lead to the files that it has open.

A file that was deleted or replaced under an open store takes writes as ever, and all of them are
lost with the last descriptor. Nothing but a look at the names can tell.
"""

from __future__ import annotations

from pathlib import Path

from host.errors import StorageUnavailableError
from host.os_words import path_in_words
from host.storage.sqlite.causes import all_files
from host.storage.sqlite.ownership import FileId
from host.storage.sqlite.trouble import Trouble


class Presence:
    """The files of one store, from its opening on; `trouble` is that one of them is not there."""

    def __init__(self, path: Path, database: FileId) -> None:
        """The store must be open: its log and the log's index exist."""
        _, *others = all_files(path)
        self._files: dict[Path, FileId | None] = {path: database}
        self._files |= {file: _find(file) for file in others}
        self.trouble = Trouble(path)

    def look(self) -> None:
        """See whether all are there. Blocks for as long as asking for three names takes."""
        for file, known in self._files.items():
            found = _find(file)
            if found != known:
                self.trouble.note(StorageUnavailableError(_loss(file, is_gone=found is None)))
                return
        self.trouble.over()


def _find(file: Path) -> FileId | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return FileId(found.st_dev, found.st_ino)


def _loss(file: Path, *, is_gone: bool) -> str:
    what = "is gone" if is_gone else "was replaced by another"
    return (
        f"The file {path_in_words(file)} {what} while the host had it open: what is written now "
        "would be lost. Put it back, or stop the host, restore the store and start it again."
    )
