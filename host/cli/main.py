"""The command `funchost`: one group, one file per subcommand."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import click

from host.cli.check import check
from host.cli.hub import hub
from host.cli.keys import keys
from host.cli.redrive import redrive
from host.cli.start import start


def _version() -> str:
    try:
        return version("funchost")
    except PackageNotFoundError:
        return "(not installed)"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_version(), message="funchost %(version)s")
def main() -> None:
    """Host durable functions: orchestrations that survive crashes and months of waiting."""


main.add_command(start)
main.add_command(check)
main.add_command(hub)
main.add_command(keys)
main.add_command(redrive)
