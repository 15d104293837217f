"""What keeps a thread of the store from its work, from its first failure to its next success.

Rules of this file: a thread writes, the event loop reads. Only the store's own failures count, not
refusals of the contract; and only what the disk did counts as success, not a write of nothing.
"""

from __future__ import annotations

from pathlib import Path

from host.errors import StorageError, StorageUnavailableError
from host.logs import HostLog

_logger = HostLog("funchost.storage")


class Trouble:
    """The last failure of one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.text: str | None = None
        """What is wrong, in words; None if nothing is."""

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
            _logger.warning("The store %s works again.", self._path)
