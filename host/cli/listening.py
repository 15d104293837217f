"""Where the host of an app's folder listens: a start says it there, for commands beside it.

It is a hint. A host that was killed leaves it, so whoever reads it looks whether anybody is there.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

DATA_FOLDER = ".funchost"
_FILE = "listening.json"
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where it listens on all
_PATIENCE_S = 1.0


@contextmanager
def said(folder: Path, url: str) -> Iterator[None]:
    """Say it as long as the host serves. Where nothing can be written, nothing is said."""
    file, text = folder / _FILE, json.dumps({"url": url})
    with suppress(OSError):
        if folder.is_dir():  # who stores nothing there leaves nothing
            file.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            if file.read_text(encoding="utf-8") == text:  # else another one serves the folder now
                file.unlink()


def listening_at(app: Path) -> str | None:
    """The URL of the host that runs for the folder; None if none is there that said so."""
    try:
        said = json.loads((app / DATA_FOLDER / _FILE).read_text(encoding="utf-8"))
        parts = urlsplit(said["url"])
        address = _ANY.get(parts.hostname or "", parts.hostname or "")
        with socket.create_connection((address, parts.port or 0), _PATIENCE_S):
            shown = f"[{address}]" if ":" in address else address
            return f"http://{shown}:{parts.port}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
