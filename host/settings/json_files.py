"""Reading the JSON files of an app, with errors that name the place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic_core

from host.errors import ConfigurationError


def read_json_object(
    path: Path, parse: Callable[[str], Any] = pydantic_core.from_json
) -> dict[str, Any] | None:
    """The object in a JSON file; None if there is no file or it is empty.

    The usual parser refuses what could not be shown again: half characters, nesting without end.
    Raises `ConfigurationError`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path.name} cannot be read: {error}") from error
    if not text.strip():
        return None
    try:
        value = parse(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path.name} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise ConfigurationError(f"{path.name} must hold a JSON object ({{...}}).")
    return value
