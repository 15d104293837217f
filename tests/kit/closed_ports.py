"""A port that nobody serves.

Rules of this file: the port is held meanwhile. One that was only free a moment ago may belong to
the server of another test by the time that it is called.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def closed_port() -> Iterator[str]:
    """The URL of a port of this machine that refuses connections meanwhile."""
    with socket.socket() as bound:  # taken, but it does not listen
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
