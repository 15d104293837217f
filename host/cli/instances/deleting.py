"""`funchost instances purge`."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from bindings.client import OrchestrationQuery, RuntimeStatus
from bindings.remote.client import RemoteClient
from host.cli.asking import EXIT_CODES, asks_host
from host.cli.filters import filter_options, restricts
from host.cli.showing import is_terminal, out

_FINISHED = tuple(status for status in RuntimeStatus if status.is_finished)


@click.command(
    epilog=f"""\b
Examples:
  funchost instances purge my-report
  funchost instances purge --status Completed --created-to 30d --yes

{EXIT_CODES}"""
)
@click.argument("instance_id", required=False)
@filter_options
@click.option("--all", "is_all", is_flag=True, help="All that are finished, without a filter.")
@click.option("--yes", is_flag=True, help="Do not ask before.")
@asks_host
async def purge(
    client: RemoteClient,
    query: OrchestrationQuery,
    instance_id: str | None,
    is_all: bool,
    yes: bool,
) -> None:
    """Delete the finished instance INSTANCE_ID and all that is stored of it; or all of a filter.

    With filters it says how many it would delete, and asks.
    """
    if instance_id is not None:
        if restricts(query) or is_all:
            raise click.UsageError("Give an id or filters, not both.")
        await client.purge_instance(instance_id)
        out(f"'{instance_id}' is deleted.")
        return
    if not (restricts(query) or is_all):
        raise click.UsageError("Give an id, filters, or --all.")
    active = [each for each in query.runtime_status if not each.is_finished]
    if active:
        raise click.UsageError(f"Only finished instances can be deleted, not {active[0]} ones.")
    query = replace(query, runtime_status=query.runtime_status or _FINISHED)
    await _confirm(client, query, yes=yes)
    out(f"{await client.purge_instances(query):,} instances are deleted.")


async def _confirm(client: RemoteClient, query: OrchestrationQuery, *, yes: bool) -> None:
    if yes:
        return
    if not is_terminal(sys.stdin):
        raise click.UsageError("It deletes without asking only with --yes.")
    found = sum((await client.count_instances(query)).values())
    click.confirm(f"Delete {found:,} instances for good?", abort=True, err=True)
