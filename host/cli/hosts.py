"""`funchost hosts`: the hosts of a hub."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import click

from bindings.remote import answers
from bindings.remote.client import RemoteClient
from bindings.remote.refusals import refusal
from host.cli.asking import EXIT_CODES, asks_host
from host.cli.showing import print_json_line, table

_HEAD = ("ID", "VERSION", "APP", "STARTED", "SESSIONS", "ACTIVITIES", "AS OF", "FUNCTIONS")
_SHOWN_FUNCTIONS = 5


@click.command(epilog=EXIT_CODES)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line each.")
@asks_host
async def hosts(client: RemoteClient, as_json: bool) -> None:
    """List the hosts of the hub, and what each has in work.

    The host that answers says what it has now, the others what they had when they were seen last:
    AS OF tells when that was.
    """
    answer = await client.connection.ask("GET", ("hosts",), is_repeatable=True)
    if answer.status != HTTPStatus.OK:
        raise refusal(answer)
    rows = answers.read(answer, lambda found: [_row(each) for each in found])
    if as_json:
        for each in answer.json():
            print_json_line(each)
        return
    table(_HEAD, rows)


def _row(host: dict[str, Any]) -> tuple[str, ...]:
    names = list(host["functions"])
    more = len(names[_SHOWN_FUNCTIONS:]) + host["moreFunctions"]
    functions = ", ".join(names[:_SHOWN_FUNCTIONS]) + (f" and {more} more" if more else "")
    return (
        host["id"],
        host["version"],
        host["appVersion"] or "",
        f"{host['startedTime'][:19]}Z",
        str(host["sessions"]),
        str(host["activities"]),
        f"{host['lastSeenTime'][:19]}Z",
        functions,
    )
