"""`funchost instances raise-event`, `terminate`, `suspend`, `resume` and the like."""

from __future__ import annotations

from typing import Any

import click

from bindings.errors import InstanceNotFoundError, InstanceStateError
from bindings.remote import asking
from bindings.remote.client import RemoteClient
from host.cli.asking import EXIT_CODES, KEY_VARIABLE, RefusedError, orders_host
from host.cli.instances.many import (
    RESUME,
    REWIND,
    SUSPEND,
    TERMINATE,
    Which,
    do_with_many,
    which_instances,
)
from host.cli.json_input import JSON, JSON_HELP, Given, given_value
from host.cli.showing import out

_REASON = click.option("--reason", help="Why; kept in the history.")
_ALSO_BELOW = click.option("--recursive", is_flag=True, help="Its sub-orchestrations, too.")


@click.command("raise-event", epilog=EXIT_CODES)
@click.argument("instance_id")
@click.argument("event_name")
@click.option("--data", type=JSON, help=f"The event's data: {JSON_HELP}")
@orders_host
async def raise_event(
    client: RemoteClient, instance_id: str, event_name: str, data: Given | None
) -> None:
    """Send the event EVENT_NAME to INSTANCE_ID."""
    await client.raise_event(instance_id, event_name, given_value(data))
    out(f"Sent '{event_name}' to '{instance_id}'.")


@click.command(
    epilog=f"""\b
Examples:
  funchost instances terminate my-report --reason "not needed"
  funchost instances terminate --name make_report --created-to 2h --yes

{EXIT_CODES}"""
)
@which_instances
@click.option("--reason", help="Why; it becomes the output, as a text.")
@click.option("--output", type=JSON, help=f"The output, in place of a reason: {JSON_HELP}")
@click.option(
    "--recursive/--not-recursive",
    default=True,
    show_default=True,
    help="Their sub-orchestrations, too.",
)
@orders_host
async def terminate(
    client: RemoteClient,
    which: Which,
    reason: str | None,
    output: Given | None,
    recursive: bool,
) -> int:
    """End INSTANCE_ID, or all of a filter that are not finished.

    One is accepted when the command ends, and done a moment later. Of many it says how many it
    would end, and asks.
    """
    if reason is not None and output is not None:
        raise click.UsageError("Say --reason or --output, not both.")
    value: Any = reason if output is None else output.value
    if which.instance_id is not None:
        await client.terminate_instance(which.instance_id, value, recursive=recursive)
        out(f"'{which.instance_id}' ends.")
        return 0
    options = {"recursive": str(recursive).lower()}
    body = asking.body_of(value, "The output")
    return await do_with_many(client, TERMINATE, which, options=options, body=body)


@click.command(epilog=EXIT_CODES)
@which_instances
@_REASON
@_ALSO_BELOW
@orders_host
async def suspend(
    client: RemoteClient,
    which: Which,
    reason: str | None,
    recursive: bool,
) -> int:
    """Hold INSTANCE_ID, or all of a filter: events and results wait until it is resumed."""
    if which.instance_id is not None:
        await client.suspend_instance(which.instance_id, reason, recursive=recursive)
        out(f"'{which.instance_id}' is held.")
        return 0
    options = _of_order(reason, recursive)
    return await do_with_many(client, SUSPEND, which, options=options)


@click.command(epilog=EXIT_CODES)
@which_instances
@_REASON
@_ALSO_BELOW
@orders_host
async def resume(
    client: RemoteClient,
    which: Which,
    reason: str | None,
    recursive: bool,
) -> int:
    """Let INSTANCE_ID, which is suspended, go on, or all of a filter."""
    if which.instance_id is not None:
        await client.resume_instance(which.instance_id, reason, recursive=recursive)
        out(f"'{which.instance_id}' goes on.")
        return 0
    options = _of_order(reason, recursive)
    return await do_with_many(client, RESUME, which, options=options)


def _of_order(reason: str | None, recursive: bool) -> dict[str, str]:
    return {"recursive": str(recursive).lower(), **({"reason": reason} if reason else {})}


@click.command("set-status", epilog=EXIT_CODES)
@click.argument("instance_id")
@click.argument("status", type=JSON)
@orders_host
async def set_status(client: RemoteClient, instance_id: str, status: Given) -> None:
    """Show STATUS as the custom status of INSTANCE_ID, until its code sets another one.

    It is JSON, @FILE, or - for standard input; null shows none.
    """
    await client.set_custom_status(instance_id, status.value)
    out(f"The custom status of '{instance_id}' is set.")


@click.command(epilog=EXIT_CODES)
@which_instances
@_REASON
@orders_host
async def rewind(client: RemoteClient, which: Which, reason: str | None) -> int:
    """Let INSTANCE_ID, which failed, go on from before its failure, or all of a filter that failed.

    What failed runs again, in its sub-orchestrations, too; what completed is kept. Mend what was
    wrong first. Of many it says how many it would be, and asks.
    """
    if which.instance_id is not None:
        await client.rewind_instance(which.instance_id, reason)
        out(f"'{which.instance_id}' goes on.")
        return 0
    options = {"reason": reason} if reason else {}
    return await do_with_many(client, REWIND, which, options=options)


@click.command(
    epilog=f"""\b
Examples:
  funchost redrive my-report
  funchost redrive my-report --url https://functions.example.com --key KEY

A key on the command line can be seen by others on the machine; the variable {KEY_VARIABLE} cannot.

\b
Exit codes:
  0  the instance runs again
  1  there is no such instance, or it is not quarantined
  2  wrong usage, no valid key, or the host did not answer as it should
"""
)
@click.argument("instance_id")
@orders_host
async def redrive(client: RemoteClient, instance_id: str) -> None:
    """Run the quarantined instance INSTANCE_ID again, once its function is mended.

    An instance is quarantined when host after host ended while it led the instance, or when its
    turns failed again and again. Its status then has a blockedReason that begins "Quarantined:".
    """
    try:
        await client.redrive_instance(instance_id)
    except InstanceNotFoundError as error:
        hub = f"in the hub of {client.url}"
        raise RefusedError(f"There is no instance '{instance_id}' {hub}.") from error
    except InstanceStateError as error:
        why = "is finished, and so not quarantined" if error.finished else "is not quarantined"
        more = "" if error.finished else f" {error}"
        raise RefusedError(f"'{instance_id}' {why}.{more}") from error
    out(f"'{instance_id}' runs again.")
