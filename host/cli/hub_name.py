"""The check of a hub's name on the command line."""

from __future__ import annotations

import click
from pydantic import ValidationError

from host.settings.durable_task import DurableTaskSettings


def check_hub_name(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    """A click callback: the name as it is, or an error that says what a name looks like."""
    if name is None:
        return None
    try:
        return DurableTaskSettings.model_validate({"hubName": name}).hub_name
    except ValidationError as error:
        raise click.BadParameter(error.errors()[0]["msg"].removeprefix("Value error, ")) from error
