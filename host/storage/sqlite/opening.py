"""The way from a path to a file that is ours, whole and up to date.

Rules of this file: blocks. The order is the point: nobody's file is written before it is known that
nobody else has it and that it is whole. Whoever looks at the log afterwards finds what was unusual.
"""

from __future__ import annotations

from pathlib import Path

from host.logs import HostLog
from host.os_words import path_in_words
from host.storage.sqlite import database, integrity
from host.storage.sqlite.causes import all_files
from host.storage.sqlite.ownership import FileId, OwnedFile
from host.storage.sqlite.room import Room

TOLD_BYTES = 32 * 1024 * 1024
"""To check more than this takes long enough to be told."""

_logger = HostLog("funchost.storage")


def open_file(path: Path, owned: OwnedFile) -> FileId:
    """Take the file, or make it; which one it is.

    Raises `StorageUnavailableError`, `OSError` or what SQLite raises. Then `owned` is to be
    released.
    """
    database.check_limits(path)
    owned.reserve()
    if path.exists():
        file = owned.take()
        is_empty = not any(each.exists() and each.stat().st_size for each in all_files(path))
        Room(path).give_up()  # what a crash on a full disk left needs it
        _bring_up_to_date(path, was_interrupted=owned.was_interrupted)
        if is_empty:
            shown = path_in_words(path)
            _logger.warning("A new store was made: %s. An empty file had that name.", shown)
        return file
    integrity.check(path, was_interrupted=False)  # a log without its file is damage
    others = _others(path)
    database.make(path)
    file = owned.take()
    _tell_of_new(path, others, is_missing=owned.had_store)
    return file


def _bring_up_to_date(path: Path, *, was_interrupted: bool) -> None:
    if database.roll_back(path):
        shown = path_in_words(path)
        _logger.warning("The store %s was left in mid-write; that write was rolled back.", shown)
    _check(path, was_interrupted=was_interrupted)
    database.upgrade(path)


def _check(path: Path, *, was_interrupted: bool) -> None:
    file_bytes, log_bytes, _ = [
        each.stat().st_size if each.exists() else 0 for each in all_files(path)
    ]
    is_long = file_bytes + log_bytes > TOLD_BYTES
    if is_long:
        _logger.info(
            "Checking the store %s: %d MB, and %d MB of a log that was left.",
            path_in_words(path),
            file_bytes // 1_000_000,
            log_bytes // 1_000_000,
        )
    integrity.check(path, was_interrupted=was_interrupted)
    if is_long:
        _logger.info("The store %s is whole.", path_in_words(path))


def _others(path: Path) -> list[str]:
    return sorted(path_in_words(Path(file.name)) for file in path.parent.glob("*.db"))


def _tell_of_new(path: Path, others: list[str], *, is_missing: bool) -> None:
    """Who did not expect a new store should see why nothing is in it."""
    shown = path_in_words(path)
    if is_missing:
        _logger.warning("There was a store %s, and it is gone: a new one was made.", shown)
    elif others:
        _logger.warning(
            "A new store was made: %s. Its folder also has %s: the name is that of the hub.",
            shown,
            ", ".join(others),
        )
    else:
        _logger.info("A new store was made: %s.", shown)
