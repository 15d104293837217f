"""Rights of files, for whoever runs the tests: root may do all, unless it lets go of that."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION = 0x20080522
_MAY_READ_ALL = 0b110
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""


@contextmanager
def no_rights_of_root() -> Iterator[None]:
    """On this thread, rights of files hold for root as for others. Linux only."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = ctypes.create_string_buffer(struct.pack("Ii", _VERSION, 0))
    data = ctypes.create_string_buffer(24)
    assert libc.capget(header, data) == 0
    words = list(struct.unpack("6I", data.raw))
    less = struct.pack("6I", words[0] & ~_MAY_READ_ALL, *words[1:])
    assert libc.capset(header, ctypes.create_string_buffer(less)) == 0
    try:
        yield
    finally:
        assert libc.capset(header, data) == 0
