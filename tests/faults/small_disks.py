"""Disks that fill up when a test wants it, and files that nobody can write.

A disk is a file system of its own where one can be mounted, or a limit on the size of files.
"""

from __future__ import annotations

import os
import resource
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.hosted import Hosted

SIZE = "24m"


class SmallDisk(ABC):
    """Where a host has its data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def fill(self, hub: Hosted) -> None:
        """From now on nothing can grow."""

    @abstractmethod
    def make_room(self, hub: Hosted) -> None:
        """Files can grow again."""


class MountedDisk(SmallDisk):
    """A file system in memory. Only a privileged user may mount one."""

    def fill(self, hub: Hosted) -> None:
        """Put a file there that takes all the room."""
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            try:
                while ballast.write(bytes(4096)):
                    pass
            except OSError:
                return

    def make_room(self, hub: Hosted) -> None:
        """Take the file away."""
        (self.folder / "ballast").unlink()


class LimitedFiles(SmallDisk):
    """No file of the host may grow beyond the largest there is. Works for everybody."""

    def fill(self, hub: Hosted) -> None:
        """Limit the process."""
        largest = max(file.stat().st_size for file in self.folder.iterdir())
        _, hard = resource.prlimit(hub.host.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(hub.host.pid, resource.RLIMIT_FSIZE, (largest, hard))

    def make_room(self, hub: Hosted) -> None:
        """Lift the limit."""
        _, hard = resource.prlimit(hub.host.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(hub.host.pid, resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def mounted_disk(folder: Path) -> Iterator[MountedDisk]:
    """Mount one; skips the test where that is not allowed."""
    with _mounted(folder, "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs"):
        yield MountedDisk(folder)


@contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """Nobody can write the file, or in the folder: for root, who may all, by a read-only mount."""
    if os.geteuid() == 0:
        with _mounted(path, "--bind", str(path)):
            subprocess.run(["mount", "-o", "remount,ro,bind", path], check=True)
            yield
        return
    mode = path.stat().st_mode
    path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        path.chmod(mode)


@contextmanager
def _mounted(path: Path, *arguments: str) -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    done = subprocess.run(["mount", *arguments, path], check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)
