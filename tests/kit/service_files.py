"""What botocore knows of AWS's services, read once for all tests.

Each session of its own reads files of some megabytes anew, and the tests make hundreds: that was a
third of the time of those that set hubs up.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from botocore.loaders import JSONFileLoader


def remember_service_files() -> None:
    """Let all sessions of this process have the same content of a file."""
    remembered = lru_cache(maxsize=None)(JSONFileLoader().load_file)

    def load_file(_: JSONFileLoader, path: str) -> Any:
        return remembered(path)

    JSONFileLoader.load_file = load_file
