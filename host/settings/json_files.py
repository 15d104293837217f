"""Reading the JSON files of an app, with errors that name the place."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic_core

from host.errors import ConfigurationError
from host.user_files import read_user_file

_TEXT_OR_COMMENT = re.compile(r'("(?:\\.|[^"\\])*+")|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/')


def read_json_object(
    path: Path, parse: Callable[[str], Any] = pydantic_core.from_json
) -> dict[str, Any] | None:
    """The object in a JSON file; None if there is no file or it is empty.

    As in Azure, comments are no errors. The usual parser refuses what could not be shown again:
    half characters, nesting without end. Raises `ConfigurationError`.
    """
    try:
        text = read_user_file(path).decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError as error:
        if path.is_symlink():
            raise ConfigurationError(f"{path.name} is a link that leads nowhere.") from error
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path.name} cannot be read: {error}") from error
    if not text.strip():
        return None
    try:
        value = parse(_without_comments(text))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path.name} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise ConfigurationError(f"{path.name} must hold a JSON object ({{...}}).")
    return value


def _without_comments(text: str) -> str:
    """The text with blanks instead of comments, so that places stay the same."""
    return _TEXT_OR_COMMENT.sub(_kept_or_blank, text)


def _kept_or_blank(found: re.Match[str]) -> str:
    return found[1] or re.sub(r"[^\n]", " ", found[0])
