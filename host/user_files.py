"""Reading a file that a user names: it may be a pipe that nobody writes to, or have no end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

MAX_FILE_BYTES = 16 * 1024 * 1024


def read_user_file(path: Path) -> bytes:
    """The content of a regular file.

    Raises `OSError`: also for what is no file but a pipe or device, and for one of over 16 MiB.
    """
    with open(path, "rb", buffering=0, opener=_open) as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError("it is no file but a pipe or a device")
        content = bytearray()
        while len(content) <= MAX_FILE_BYTES and (part := stream.read(1 << 20)):
            content += part
    if len(content) > MAX_FILE_BYTES:
        raise OSError(f"it has more than {MAX_FILE_BYTES} bytes")
    return bytes(content)


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe would keep who opens it
