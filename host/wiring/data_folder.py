"""The folder that a host keeps its own files in: by default one within the app.

Rules of this file: it is quick to import, for commands that only look for a running host.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from host.os_words import make_folder

if TYPE_CHECKING:
    from host.wiring.options import HostOptions

DATA_FOLDER = ".funchost"
KEY_FILE = "keys.json"
BLOB_FOLDER = "blobs"


def data_folder(options: HostOptions) -> Path:
    """The folder of the store, the keys and the blobs; it may not be there yet."""
    return options.data_dir or options.app_dir / DATA_FOLDER


def keep_out_of_git(options: HostOptions) -> None:
    """Let the data folder within an app ignore itself: it holds keys and what instances know."""
    if options.data_dir is None:
        marker = data_folder(options) / ".gitignore"
        with suppress(OSError):  # whoever writes there next says what is wrong
            make_folder(marker.parent, 0o700)
            if not marker.exists():
                marker.write_text("*\n", encoding="utf-8")
