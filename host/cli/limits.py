"""`funchost limits`: how much runs at once, who waits, and other limits than host.json's."""

from __future__ import annotations

import json
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import click

from bindings.function_retry import timespan_text
from bindings.remote import answers
from bindings.remote.client import RemoteClient
from bindings.remote.refusals import refusal
from host.cli.asking import EXIT_CODES, RefusedError, asks_host, orders_host
from host.cli.showing import out, print_json_line, table
from host.cli.times import SPAN

_HEAD = ("NAME", "KEY", "CONCURRENCY", "RATE", "IN USE", "WAITING", "OLDEST", "CHANGED")
_UNKNOWN = "LimitNotFoundError"


@click.group()
def limits() -> None:
    """List the limits of a hub, and change one while hosts run."""


@limits.command("list", epilog=EXIT_CODES)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line each.")
@asks_host
async def list_limits(client: RemoteClient, as_json: bool) -> None:
    """List the limits of host.json: what is in use of each, and how many wait since when."""
    answer = await client.connection.ask("GET", ("limits",), is_repeatable=True)
    if answer.status != HTTPStatus.OK:
        raise refusal(answer)
    rows = answers.read(answer, lambda found: [row for limit in found for row in _rows(limit)])
    if as_json:
        for each in answer.json():
            print_json_line(each)
        return
    table(_HEAD, rows)


@limits.command("set", epilog=EXIT_CODES)
@click.argument("name")
@click.option("--concurrency", type=click.IntRange(min=1), help="How many run at once.")
@click.option("--rate", type=click.IntRange(min=1), help="How many begin in the time of --per.")
@click.option("--per", type=SPAN, help="The time of the rate: 1s, 30s, 5m. 1s by default.")
@orders_host
async def set_limit(
    client: RemoteClient,
    *,
    name: str,
    concurrency: int | None,
    rate: int | None,
    per: timedelta | None,
) -> None:
    """Let the limit NAME be this on all hosts, in place of what host.json says.

    What is not said does not count: without --rate it has none. It stays so until it is reset.
    """
    if concurrency is None and rate is None:
        raise click.UsageError("Say what it is to be: --concurrency, --rate, or both.")
    if per is not None and rate is None:
        raise click.UsageError("--per is the time of a --rate, and there is none.")
    body: dict[str, Any] = {} if concurrency is None else {"concurrency": concurrency}
    if rate is not None:
        body["rate"] = {"count": rate, "per": timespan_text(per or timedelta(seconds=1))}
    await _order(client, "PUT", name, json.dumps(body).encode())
    out(f"The limit '{name}' is changed; all hosts know in ten seconds.")


@limits.command("reset", epilog=EXIT_CODES)
@click.argument("name")
@orders_host
async def reset(client: RemoteClient, name: str) -> None:
    """Let the limit NAME be what host.json says again."""
    await _order(client, "DELETE", name, None)
    out(f"The limit '{name}' is what host.json says; all hosts know in ten seconds.")


async def _order(client: RemoteClient, verb: str, name: str, body: bytes | None) -> None:
    answer = await client.connection.ask(verb, ("limits", name), body=body, is_repeatable=True)
    if answer.status == HTTPStatus.OK:
        return
    refused = refusal(answer)
    if answer.status == HTTPStatus.NOT_FOUND:
        raise RefusedError(str(refused)) from refused
    raise refused


def _rows(limit: dict[str, Any]) -> list[tuple[str, ...]]:
    """A line for the limit, or one for each of its keys."""
    rate = limit.get("rate")
    said = (
        str(limit.get("concurrency", "")),
        f"{rate['count']} per {rate['per']}" if rate else "",
    )
    changed = "yes" if limit["isChanged"] else ""
    parts = limit.get("keys") or [{"key": "", **limit}]
    return [
        (
            limit["name"],
            each["key"],
            *said,
            str(each["inUse"]),
            str(each["waiting"]),
            f"{each['oldest'][:19]}Z" if "oldest" in each else "",
            changed,
        )
        for each in parts
    ]
