"""`funchost schema`: JSON schemas of the files that authors write, for their editors."""

from __future__ import annotations

import click

from bindings.kinds.registry import KINDS
from host.cli.scaffold.schemas import SCHEMAS, schema_text
from host.cli.showing import out, say


@click.command(
    epilog="""\b
Examples:
  funchost schema function.json > .schemas/function.schema.json
  funchost schema host.json > .schemas/host.schema.json
"""
)
@click.argument("file", type=click.Choice(sorted(SCHEMAS)))
def schema(*, file: str) -> None:
    """Print the JSON schema of FILE, with the binding kinds of all installed packages.

    Editors complete and check a file that names it: "$schema": "../.schemas/function.schema.json".
    `funchost init` and `funchost new --folder` write both; after an upgrade, or when a package with
    binding kinds was installed, write them anew as below.
    """
    out(schema_text(file).rstrip())
    for broken in KINDS.all_broken() if file == "function.json" else ():
        say(f"'{broken.type}' of {broken.source} is not in it: it does not load ({broken.error}).")
