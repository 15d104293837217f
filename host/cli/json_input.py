"""JSON that a command is given: on the command line, in a file, or on standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from bindings.strict_json import read_json
from host.cli.given import AnyType
from host.os_words import error_in_words

JSON_HELP = "JSON, @FILE, or - for standard input."


class Json(AnyType):
    """A JSON value, written there, in `@FILE`, or given on standard input (`-`)."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value, in a `Given`: null is one, too."""
        if isinstance(value, Given):
            return value
        try:
            text = _bytes(value)
            if not text.strip():
                self.fail("It is empty; null is JSON for nothing.", param, ctx)
            return Given(read_json(text))
        except OSError as error:
            self.fail(f"{value[1:]} cannot be read: {error_in_words(error)}.", param, ctx)
        except ValueError as error:
            hint = "" if value[:1] in "@-" else f" A text has quotes of its own: '\"{value}\"'."
            self.fail(f"That is not JSON: {error}.{hint}", param, ctx)


class Given:
    """A value that was given."""

    def __init__(self, value: Any) -> None:
        self.value = value


JSON = Json()


def given_value(given: Given | None) -> Any:
    """The value, or None if there is none."""
    return None if given is None else given.value


def _bytes(value: str) -> bytes:
    if value == "-":
        return sys.stdin.buffer.read()
    if value.startswith("@"):
        return Path(value[1:]).read_bytes()
    return value.encode("utf-8", "surrogateescape")
