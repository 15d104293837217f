"""The limit of open files: raised at the start, and how many connections it has room for.

A host without a free descriptor can accept nobody, and could not even open its store.
"""

from __future__ import annotations

import os
import sys

from host.logs import HostLog

if sys.platform != "win32":
    import resource

_WANTED = 65_536
"""More than a host can use; some systems allow so many that what loops over all takes minutes."""
_KEPT = 200
"""Descriptors for the store, for other servers that functions speak to, and for files."""

_log = HostLog(__name__)


def raise_descriptor_limit() -> None:
    """Let the process open as many files as the system allows it."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError) as error:
        _log.warning("The limit of open files stays at %d: %s", soft, error)


def has_free_descriptor() -> bool:
    """Whether one file more can be opened."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return False
    return True


def room_for_connections(wanted: int) -> int:
    """How many connections there may be: as many as are wanted, or as the limit has room for."""
    if sys.platform == "win32":
        return wanted
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    room = max(soft - _KEPT, soft // 2)
    if room >= wanted:
        return wanted
    _log.warning(
        "At most %d files may be open, so at most %d connections are served, not %d.",
        soft,
        room,
        wanted,
    )
    return room
