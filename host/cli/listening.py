"""Where the host of an app's folder listens: a start says it there, for commands beside it.

It is a hint. A host that was killed leaves it, and another app's host may listen at its port by
now. So it says of which process it is, too, and who reads it looks whether that runs. The hub's
name is for the host that is asked: it refuses what is meant for another.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from host.wiring.data_folder import DATA_FOLDER

_FILE = "listening.json"
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where it listens on all
_PATIENCE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where the host is, and the hub that it serves."""

    url: str
    hub: str


@contextmanager
def said(folder: Path, url: str, hub: str) -> Iterator[None]:
    """Say it as long as the host serves. Where nothing can be written, nothing is said."""
    file = folder / _FILE
    text = json.dumps({"url": url, "hub": hub, "pid": os.getpid()})
    with suppress(OSError):
        if folder.is_dir():  # who stores nothing there leaves nothing
            file.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            if file.read_text(encoding="utf-8") == text:  # else another one serves the folder now
                file.unlink()


def listening_at(app: Path) -> Listening | None:
    """The host that runs for the folder; None if none is there that said so."""
    try:
        said = json.loads((app / DATA_FOLDER / _FILE).read_text(encoding="utf-8"))
        parts, hub = urlsplit(said["url"]), said["hub"]
        if not isinstance(hub, str) or not _is_running(said["pid"]):
            return None
        address = _ANY.get(parts.hostname or "", parts.hostname or "")
        with socket.create_connection((address, parts.port or 0), _PATIENCE_S):
            shown = f"[{address}]" if ":" in address else address
            return Listening(url=f"http://{shown}:{parts.port}", hub=hub)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None


def _is_running(pid: object) -> bool:
    """Whether there is such a process; on Windows nobody can ask without ending it."""
    if type(pid) is not int or pid <= 0:
        return False
    if os.name == "nt":
        return True
    with suppress(PermissionError):  # it is somebody else's
        os.kill(pid, 0)
    return True
