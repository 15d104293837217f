"""What keeps a part of the store from its work, from its first failure to its next success.

Rules of this file: a thread writes, the event loop reads. Only the store's own failures count, not
refusals of the contract; and only what the disk did counts as success, not a write of nothing. A
state is a line in the log, however much fails in it.
"""

from __future__ import annotations

from pathlib import Path

from host.errors import StorageError, StorageUnavailableError
from host.logs import HostLog
from host.os_words import path_in_words
from host.storage.sqlite.causes import code_of, translate

_logger = HostLog("funchost.storage")


class Trouble:
    """The last failure of one kind."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._code = 0
        self.text: str | None = None
        """What is wrong, in words; None if nothing is."""

    def failure(self, error: Exception) -> StorageError:
        """Something failed; what to tell its caller."""
        code = code_of(error)
        if self.text is not None and code and code == self._code:
            return StorageUnavailableError(self.text)  # to look for the cause again costs the disk
        failure = translate(error, self._path)
        self.note(failure)
        self._code = code
        return failure

    def note(self, error: StorageError) -> None:
        """Something failed."""
        if isinstance(error, StorageUnavailableError):
            if self.text is None:
                _logger.error("%s", error)
            self.text = str(error)

    def over(self) -> None:
        """Something worked."""
        if self.text is not None:
            self.text = None
            _logger.warning("The store %s works again.", path_in_words(self._path))
