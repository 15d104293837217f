"""Whether the names of a store's files still lead to the files that it has open.

A file that was deleted or replaced under an open store takes writes as ever, and all of them are
lost with the last descriptor. Nothing but a look at the names can tell.
"""

from __future__ import annotations

from pathlib import Path

from host.errors import StorageUnavailableError
from host.os_words import path_in_words
from host.storage.sqlite.causes import all_files
from host.storage.sqlite.log_file import LogFile
from host.storage.sqlite.ownership import FileId
from host.storage.sqlite.trouble import Trouble


class Presence:
    """The files of one store, from its opening on; `trouble` is that one of them is not there."""

    def __init__(self, path: Path, database: FileId) -> None:
        """The store must be open: its log and the log's index exist."""
        _, *others = all_files(path)
        self._files: dict[Path, FileId | None] = {path: database}
        self._files |= {file: _find(file) for file in others}
        self._log = LogFile(path)
        self._log_name = others[0]
        self.is_log_cut_off = False
        """Whether what was in the log is lost: then nothing may be moved from it any more."""
        self.trouble = Trouble(path)

    def look_at_log(self) -> None:
        """See whether the log holds what was written to it: nothing may be written behind a hole.

        Blocks for three system calls. What was lost does not come back.
        """
        if not self.is_log_cut_off and self._log.is_cut_off():
            self.is_log_cut_off = True
            self.trouble.note(StorageUnavailableError(_cut_off(self._log_name)))

    def close(self) -> None:
        """Let go of the files. All connections of the store must be closed."""
        self._log.close()

    def look(self) -> None:
        """See whether all are there. Blocks for as long as asking for three names takes."""
        self.look_at_log()
        if self.is_log_cut_off:
            return
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


def _cut_off(log: Path) -> str:
    return (
        f"The file {path_in_words(log)} was emptied or cut off while the host had it open: what "
        "was written last is lost, and what is written now would be, too. Stop the host and start "
        "it again, or restore the store from a backup; keep other tools away from its files."
    )


def _loss(file: Path, *, is_gone: bool) -> str:
    what = "is gone" if is_gone else "was replaced by another"
    return (
        f"The file {path_in_words(file)} {what} while the host had it open: what is written now "
        "would be lost. Put it back, or stop the host, restore the store and start it again."
    )
