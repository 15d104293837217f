"""Reads in groups: what waits is read in one go, and all waiting `get`s are one statement.

Rules of this file: runs in the reader thread. A read that fails fails alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from bindings.errors import InvalidArgumentError, PayloadTooLargeError
from host.core.records import Instance
from host.errors import Conflict, StorageUnavailableError
from host.storage.sqlite import reads
from host.storage.sqlite.trouble import Trouble

Read: TypeAlias = str | Callable[[sqlite3.Connection], object]
"""What is to be read: the row of the instance with this id, or whatever the callable reads."""


class Reader:
    """Does groups of reads on a connection of its own.

    `loss` is the trouble that the file is not there, which others find out.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, *, loss: Trouble) -> None:
        self._connection = connection
        self._loss = loss
        self.trouble = Trouble(path)

    def read(self, group: Sequence[Read]) -> Sequence[object]:
        """The answer of each read: its result, or the exception for its caller."""
        if self._loss.text is not None:
            return [StorageUnavailableError(self._loss.text)] * len(group)
        wanted = {read for read in group if isinstance(read, str)}
        try:
            rows = reads.get_many(self._connection, wanted) if wanted else {}
        except Exception as error:  # noqa: BLE001 - whatever it is, only its cause may fail
            if len(group) == 1:
                return [self.trouble.failure(error)]
            return [answer for read in group for answer in self.read([read])]
        return [self._answer(read, rows) for read in group]

    def _answer(self, read: Read, rows: dict[str, Instance]) -> object:
        if isinstance(read, str):
            return rows.get(read)
        try:
            answer = read(self._connection)
        except (InvalidArgumentError, PayloadTooLargeError, Conflict) as refusal:
            return refusal
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller must hear of it
            return self.trouble.failure(error)
        self.trouble.over()
        return answer
