"""The check of a storage's name on the command line."""

from __future__ import annotations

import click

from host.storage.opening import STORES


def check_storage_name(
    context: click.Context, parameter: click.Parameter, name: str | None
) -> str | None:
    """A click callback: the name as it is, or an error that says which names there are."""
    if name is None or STORES.knows(name):
        return name
    return click.Choice(STORES.names()).convert(name, parameter, context)


def complete_storage_name(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    """What a shell offers for a name that was begun."""
    return [name for name in STORES.names() if name.startswith(begun)]
