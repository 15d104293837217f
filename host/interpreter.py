"""What the host sets for its whole process."""

from __future__ import annotations

import ctypes
import gc
import sys
from contextlib import suppress

from host.http.descriptors import raise_descriptor_limit

_M_MMAP_THRESHOLD = -3
_LARGE_BLOCK_BYTES = 1024 * 1024


def tune_interpreter() -> None:
    """Set what the whole process shares, for one busy event loop and a few storage threads."""
    # The store's threads need the interpreter often and for moments only: let them wait less.
    sys.setswitchinterval(0.0005)
    # What a turn makes is freed without the cycle collector, so cycles need looking for less often.
    gc.set_threshold(20_000, 20, 100)
    raise_descriptor_limit()
    _give_large_blocks_back()


def _give_large_blocks_back() -> None:
    """Have glibc map blocks of a megabyte or more apart: grown without a copy, gone when freed.

    By itself it keeps blocks of up to 32 MB in its heap once one was freed, and bodies that grow
    there side by side leave holes as large as themselves.
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)
