"""What a child that an app forks must let go of: the host's sockets, locks and signal handlers.

A forked child has copies of everything that is open. While it lives, the port would stay in use and
the store would stay locked after the host has ended; and a signal that is to end the child would
only be noted for the host. Programs that a child executes inherit nothing of this.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn, TypeVar

A = TypeVar("A")
R = TypeVar("R")

_FAMILIES = (socket.AF_INET, socket.AF_INET6)

_held: dict[object, Callable[[], None]] = {}


@contextmanager
def let_go_in_children(let_go: Callable[[], None]) -> Iterator[None]:
    """While this lasts, call `let_go` in each child right after it is forked.

    It must not wait for other threads: there are none in the child.
    """
    key = object()
    _held[key] = let_go
    try:
        yield
    finally:
        del _held[key]


def call_without_children(function: Callable[[A], R], argument: A) -> R:
    """Call a function of the app. A child that it forked ends where the function ends in it.

    Such a child has a copy of this thread alone, and would go on as a worker of a host that is not
    there. As any program it ends with the code of `sys.exit`, or 1 for an error nobody caught.
    """
    process = os.getpid()
    try:
        result = function(argument)
    except BaseException as error:
        if os.getpid() != process:
            _end_child(_exit_code(error))
        raise
    if os.getpid() != process:
        _end_child(0)
    return result


def _exit_code(error: BaseException) -> int:
    code = error.code if isinstance(error, SystemExit) else 1
    if code is None:
        return 0
    return code & 0xFF if isinstance(code, int) else 1


def _end_child(code: int) -> NoReturn:
    with suppress(Exception):  # what it printed would be lost
        sys.stdout.flush()
    os._exit(code)


def close_sockets_at(port: int) -> None:
    """Close all of the process's sockets at this local port, accepted ones included."""
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - numbers, not paths
        with suppress(OSError):
            descriptor = int(name)
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode) and _port_of(descriptor) == port:
                os.close(descriptor)


def _port_of(descriptor: int) -> int | None:
    found = socket.socket(fileno=descriptor)
    try:
        return int(found.getsockname()[1]) if found.family in _FAMILIES else None
    finally:
        found.detach()


def _let_go_of_all() -> None:
    for let_go in list(_held.values()):
        with suppress(Exception):  # a child that keeps something is better than one that ends
            let_go()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_let_go_of_all)
