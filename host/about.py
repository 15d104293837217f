"""What this program says of itself."""

from __future__ import annotations

import importlib.metadata


def installed_version() -> str:
    """The version of funchost that is installed."""
    try:
        return importlib.metadata.version("funchost")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"  # run from a source tree that was never installed
