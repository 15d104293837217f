"""The socket that the host listens on, and in words why it cannot."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from host.errors import ConfigurationError
from host.os_words import error_in_words

_FIRST_FREE_PORT = 1024
"""Below it systems let only some users listen."""


@contextmanager
def listening_on(address: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens; requests that come before the host serves wait there."""
    try:
        bound = _bound(address, port)
    except OSError as error:
        raise ConfigurationError(_bind_problem(address, port, error)) from error
    with bound:
        yield bound


def _bound(address: str, port: int) -> socket.socket:
    socket.socket().close()  # without a descriptor left a look-up says that there is no such name
    found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, where = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def _bind_problem(address: str, port: int, error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"The address '{address}' cannot be found: {error.strerror}. See --address."
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use. Choose another one with --port, or 0 for any free one."
    if error.errno == errno.EACCES and port < _FIRST_FREE_PORT:
        return (
            f"This user may not listen on port {port}, as on none below {_FIRST_FREE_PORT}. Choose "
            "another one with --port."
        )
    words = error_in_words(error)
    return f"Cannot listen on {address}, port {port}: {words}. See --address and --port."
