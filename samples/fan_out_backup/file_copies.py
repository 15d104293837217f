"""The file work of the backup: plain functions that know nothing of orchestrations."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from confined_paths import readable, shown, writable


@dataclass(frozen=True, kw_only=True)
class CopiedFile:
    """One copy whose content was read back and compared."""

    path: str
    bytes: int
    sha256: str


def checked_folders(source: str, target: str) -> tuple[Path, Path]:
    """Both folders as absolute paths. Raises ValueError if the backup could not be right."""
    source_path, target_path = readable(source), writable(target)
    writable(shown(_checksums_of(target_path)))
    if not source_path.is_dir():
        raise ValueError(f"The source '{source}' is not a folder.")
    if target_path.exists() and not target_path.is_dir():
        raise ValueError(f"The target '{target}' exists and is not a folder.")
    if target_path.is_relative_to(source_path):
        raise ValueError(f"The target '{target}' must not be inside the source.")
    if source_path.is_relative_to(target_path):
        raise ValueError(f"The source '{source}' must not be inside the target.")
    return source_path, target_path


def files_below(folder: Path) -> list[str]:
    """The regular files of the tree, as sorted paths relative to it. Raises OSError."""
    found: list[str] = []
    for directory, _, names in os.walk(folder, onerror=_raise):
        paths = [Path(directory, name) for name in names]
        files = [path for path in paths if path.is_file() and not path.is_symlink()]
        found += [path.relative_to(folder).as_posix() for path in files]
    return sorted(found)


def copy_verified(source: Path, target: Path, path: str) -> CopiedFile:
    """Copy one file with its times, and compare both contents. Raises OSError."""
    original, copy = source / path, target / path
    if not (original.resolve() == original and copy.resolve() == copy):
        raise OSError(f"'{path}' has become a link.")
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(original, copy)
    digest = sha256(copy)
    if digest != sha256(original):
        raise OSError(f"'{path}' changed while it was copied.")
    return CopiedFile(path=path, bytes=copy.stat().st_size, sha256=digest)


def write_checksums(target: Path, copied: list[CopiedFile]) -> Path:
    """Write the checksums beside the target, in the form that `sha256sum --check` reads."""
    target.mkdir(parents=True, exist_ok=True)
    checksums = _checksums_of(target)
    lines = [f"{file.sha256}  {file.path}\n" for file in copied]
    checksums.write_text("".join(lines), encoding="utf-8")
    return checksums


def _checksums_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.sha256")


def sha256(path: Path) -> str:
    """The file's SHA-256 digest in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _raise(error: OSError) -> None:
    raise error
