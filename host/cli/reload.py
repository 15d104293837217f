"""`funchost reload`: have a running host take the app that is in its folder now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import click

from bindings.remote import answers
from bindings.remote.client import RemoteClient
from bindings.remote.refusals import refusal
from host.cli.asking import RefusedError, orders_host
from host.cli.showing import out, print_json_line
from host.watching.reloading import counted_functions

_BROKEN = 1
_NAMED = 3
_LOADING_S = 600.0
"""How long an app may take to load: it may import much."""

_EPILOG = """\b
Exit codes:
  0  done: all of the app loads
  1  something does not load, or the settings cannot be read
  2  wrong usage, no valid key, or no host answered as it should
"""


@click.command(epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@orders_host
async def reload(client: RemoteClient, as_json: bool) -> int:
    """Have a running host load its app anew, without a stop.

    Requests and activities that run end on the version that they began with. Of what does not load
    any more the former version goes on. A host that needs keys wants its master key.
    """
    answer = await client.connection.ask(
        "POST", ("host", "reload"), base="/admin", wait_s=_LOADING_S
    )
    if answer.status == HTTPStatus.CONFLICT:
        raise RefusedError(str(answer.json().get("Message")))
    if answer.status != HTTPStatus.OK:
        raise refusal(answer)
    lines = answers.read(answer, lambda found: list(_lines(found)))
    found = answer.json()
    if as_json:
        print_json_line(found)
    else:
        for line in lines:
            out(line)
    return _BROKEN if found["broken"] else 0


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"The host has loaded its app anew: {counted_functions(found['functions'])}."
    for what in ("added", "removed"):
        if found[what]:
            yield f"{what.capitalize()}: {', '.join(found[what])}"
    for each in found["broken"]:
        rest = f" (its former version goes on: {', '.join(each['goesOn'])})"
        yield f"{each['name']} does not load: {each['error']}{rest if each['goesOn'] else ''}"
    yield from found["remarks"]
    for each in found.get("onFormerVersion", ()):
        ids = each["instanceIds"][:_NAMED]
        more = each["instances"] - len(ids)
        yield (
            f"{each['orchestrator']}: {each['instances']} go on with the former version until the "
            f"end, since the new one does not fit their history. A restart of the host would break "
            f"this: {', '.join(ids)}{f' and {more} more' if more else ''}"
        )
