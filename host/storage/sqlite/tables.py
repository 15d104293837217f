"""Whose file it is, and whether it has the tables of the migrations.

Rules of this file: the checks only read. The format's version is SQLite's `user_version`, which is
the number of the last migration; `application_id` tells our files from others'. What other tools
add to a file of ours, such as the statistics of ANALYZE, is none of our business.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Any

from host.errors import StorageUnavailableError
from host.os_words import path_in_words
from host.storage.sqlite import listed, records

APPLICATION_ID = 0x66_6E_63_68

_FILLS: Mapping[int, Callable[[sqlite3.Connection], None]] = {4: listed.fill}
"""What SQL cannot do of a migration, by its number: done after its SQL, in its transaction."""
_TABLES = "SELECT type, name, tbl_name, sql FROM sqlite_schema"


def check_origin(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `StorageUnavailableError` for a file of another program, or of a newer version."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and not _is_ours(connection):
        raise StorageUnavailableError(
            f"{path_in_words(path)} is a database of another program. Give this host another file."
        )
    newest = max(_migrations())
    if (version := _version(connection)) > newest:
        raise StorageUnavailableError(
            f"{path_in_words(path)} was written by a newer version of this program (format "
            f"{version}, this one knows {newest}). Upgrade, or give this host another file."
        )


def find_damage(connection: sqlite3.Connection) -> str | None:
    """What tells that the tables are not as the migrations up to the file's version left them."""
    version = _version(connection)
    if version < 1 and _is_ours(connection):
        return f"its format is {version}, which never was"
    with closing(sqlite3.connect(":memory:")) as pristine:
        _run_migrations(pristine, 0, version)
        expected = _tables(pristine)
    missing = expected.items() - _tables(connection).items()
    if not missing:
        return None
    names = ", ".join(sorted(name for (_, name), _ in missing))
    return f"its tables are not those that this program makes: {names}"


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables up to date; the file must be whole and ours."""
    version = _version(connection)
    _run_migrations(connection, version, max(_migrations()))
    if version < 1:
        records.write_made_now(connection)


def _run_migrations(connection: sqlite3.Connection, version: int, target: int) -> None:
    migrations = _migrations()
    for number in sorted(number for number in migrations if version < number <= target):
        try:
            connection.executescript(f"BEGIN IMMEDIATE; {migrations[number]}")
            if number in _FILLS:
                _FILLS[number](connection)
            connection.execute(f"PRAGMA user_version = {number:d}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID:d}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _migrations() -> dict[int, str]:
    folder = resources.files("host.storage.sqlite") / "migrations"
    files = [file for file in folder.iterdir() if file.name.endswith(".sql")]
    return {int(file.name.split("_")[0]): file.read_text(encoding="utf-8") for file in files}


def _tables(connection: sqlite3.Connection) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Tables and indexes: the rest of what defines each, by kind and name."""
    return {(kind, name): tuple(rest) for kind, name, *rest in connection.execute(_TABLES)}


def _is_ours(connection: sqlite3.Connection) -> bool:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    return bool(application_id == APPLICATION_ID)


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
