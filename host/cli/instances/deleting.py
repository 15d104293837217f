"""`funchost instances purge`."""

from __future__ import annotations

import click

from bindings.remote.client import RemoteClient
from host.cli.asking import EXIT_CODES, orders_host
from host.cli.instances.many import PURGE, Which, do_with_many, which_instances
from host.cli.showing import out


@click.command(
    epilog=f"""\b
Examples:
  funchost instances purge my-report
  funchost instances purge --status Completed --created-to 30d --yes

{EXIT_CODES}"""
)
@which_instances
@click.option(
    "--recursive/--not-recursive",
    default=None,
    help="Their finished sub-orchestrations, too.  [default: of INSTANCE_ID, not of a filter]",
)
@orders_host
async def purge(client: RemoteClient, which: Which, *, recursive: bool | None) -> int:
    """Delete INSTANCE_ID and all that is stored of it, or all of a filter that are finished.

    Of many it says how many it would delete, and asks. A sub-orchestration is an instance as others
    are: a filter finds it by itself, and leaves it if it does not fit, unless --recursive is given.
    """
    if which.instance_id is not None:
        deleted = await client.purge_instance(which.instance_id, recursive=recursive is not False)
        below = f", with {deleted - 1:,} sub-orchestrations" if deleted > 1 else ""
        out(f"'{which.instance_id}' is deleted{below}.")
        return 0
    active = [each for each in which.query.runtime_status if not each.is_finished]
    if active:
        raise click.UsageError(f"Only finished instances can be deleted, not {active[0]} ones.")
    options = {"recursive": "true"} if recursive else {}
    return await do_with_many(client, PURGE, which, options=options)
