"""`funchost audit`: who changed what."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

import click

from bindings.remote import answers
from bindings.remote.client import RemoteClient
from bindings.remote.refusals import refusal
from host.cli.asking import EXIT_CODES, asks_host
from host.cli.showing import print_json_line, table
from host.cli.times import MOMENT

_HEAD = ("AT", "WHO", "FROM", "WHAT", "TARGET", "DETAIL", "OUTCOME")
_TOKEN = "x-ms-continuation-token"  # noqa: S105 - a header's name
_PAGE = 1000


@click.command(epilog=EXIT_CODES)
@click.option("--who", metavar="TEXT", help="Only what keys with this in their name did.")
@click.option(
    "--what", metavar="TEXT", help="Only operations with this in their id, such as purge."
)
@click.option("--target", metavar="TEXT", help="Only what was done to a target with this in it.")
@click.option("--since", type=MOMENT, help="Then or later.")
@click.option("--until", type=MOMENT, help="Then or before.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--all", "is_all", is_flag=True, help="All that there is, instead of --limit.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line each.")
@asks_host
async def audit(
    client: RemoteClient,
    *,
    who: str | None,
    what: str | None,
    target: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    is_all: bool,
    as_json: bool,
) -> None:
    """List who changed what over HTTP, the newest first.

    What is everyday business is not in it: starts, events, signals and messages.
    """
    said = {"who": who, "what": what, "target": target, "since": since, "until": until}
    query = [(name, _text(value)) for name, value in said.items() if value is not None]
    left: int | None = None if is_all else limit
    token: str | None = ""
    rows: list[tuple[str, ...]] = []
    while token is not None and left != 0:
        found, token = await _page(client, query, left, token)
        left = None if left is None else left - len(found)
        for each in found:
            if as_json:
                print_json_line(each)
            else:
                rows.append(_row(each))
    if not as_json:
        table(_HEAD, rows)


async def _page(
    client: RemoteClient, query: Sequence[tuple[str, str]], left: int | None, token: str
) -> tuple[list[dict[str, Any]], str | None]:
    size = _PAGE if left is None else min(left, _PAGE)
    answer = await client.connection.ask(
        "GET",
        ("audit",),
        [*query, ("top", str(size))],
        headers={_TOKEN: token} if token else {},
        is_repeatable=True,
    )
    if answer.status != HTTPStatus.OK:
        raise refusal(answer)
    return answers.read(answer, lambda found: found["entries"]), answer.headers.get(_TOKEN) or None


def _text(value: str | datetime) -> str:
    return value if isinstance(value, str) else value.isoformat()


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{entry['at'][:19]}Z",
        entry["who"],
        entry["from"],
        entry["what"],
        entry["target"],
        entry["detail"],
        f"{entry['outcome']} ({entry['status']})",
    )
