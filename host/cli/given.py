"""Options that an empty text cannot be meant for: mostly it is a variable that is not set."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:  # only newer versions of click say what a type gives
    AnyType = click.ParamType[Any]
else:
    AnyType = click.ParamType

_EMPTY = "It is empty."


class GivenPath(click.Path):
    """A path. Empty, it would be the current folder, where nobody looks for a store."""

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """The path as `click.Path` gives it."""
        if value == "":
            self.fail(_EMPTY, param, ctx)
        return super().convert(value, param, ctx)


def check_not_empty(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """A click callback: the text as it is, or an error if it is empty."""
    if value == "":
        raise click.BadParameter(_EMPTY)
    return value
