"""`funchost queues`: the queues in a hub's own store."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import click

from bindings.remote import answers
from bindings.remote.client import RemoteClient
from bindings.remote.refusals import refusal
from host.cli.asking import EXIT_CODES, RefusedError, asks_host, orders_host
from host.cli.showing import out, print_json_line, table

_ADMIN = "/admin"
_SHOWN = 60
"""How many characters of a body and a reason are shown."""


@click.group()
def queues() -> None:
    """Look at the queues of a hub, put messages into them, and try poisoned ones again."""


@queues.command("list", epilog=EXIT_CODES)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line each.")
@asks_host
async def list_queues(client: RemoteClient, as_json: bool) -> None:
    """List the queues in the hub's own store, each with what is in its poison queue."""
    found = await _asked(client, "GET", ("queues",))
    if as_json:
        for each in found:
            print_json_line(each)
        return
    head = ("NAME", "MESSAGES", "IN WORK", "DELAYED", "OLDEST", "POISONED")
    table(head, [_row(each) for each in found])


@queues.command(epilog=EXIT_CODES)
@click.argument("name")
@click.argument("body")
@click.option("--group", help="Of a FIFO queue: the group of the message.")
@click.option("--deduplication-id", help="What was sent by the same id is not sent again.")
@click.option("--delay", type=float, help="In how many seconds it can be received.")
@orders_host
async def put(
    client: RemoteClient,
    *,
    name: str,
    body: str,
    group: str | None,
    deduplication_id: str | None,
    delay: float | None,
) -> None:
    """Put a message into the queue NAME: BODY as it is; "-" is standard input."""
    said = {"groupId": group, "deduplicationId": deduplication_id, "delay": delay}
    query = [(key, str(value)) for key, value in said.items() if value is not None]
    sent = sys.stdin.buffer.read() if body == "-" else body.encode()
    found = await _asked(client, "POST", _path(name), query, body=sent)
    out(f"Message {found['id']} is in the queue '{name}'.")


@queues.command(epilog=EXIT_CODES)
@click.argument("name")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line each.")
@asks_host
async def peek(client: RemoteClient, name: str, top: int, as_json: bool) -> None:
    """Show some messages of the queue NAME; those of NAME-poison say why they are there."""
    found = await _asked(client, "GET", _path(name, "messages"), [("top", str(top))])
    if as_json:
        for each in found:
            print_json_line(each)
        return
    table(("ID", "TRIES", "SENT", "BODY", "REASON"), [_message(each) for each in found])


@queues.command(epilog=EXIT_CODES)
@click.argument("name")
@orders_host
async def purge(client: RemoteClient, name: str) -> None:
    """Remove all messages of the queue NAME that no function has in work."""
    found = await _asked(client, "DELETE", _path(name, "messages"))
    out(f"{found['messages']} messages are gone.")


@queues.command(epilog=EXIT_CODES)
@click.argument("name")
@orders_host
async def redrive(client: RemoteClient, name: str) -> None:
    """Put what lies in NAME-poison back into the queue NAME, to be tried anew."""
    found = await _asked(client, "POST", _path(name, "redrive"))
    out(f"{found['messages']} messages are in the queue '{name}' again.")


def _path(name: str, *more: str) -> tuple[str, ...]:
    if not name:  # the host would take it for the list of all queues
        raise RefusedError("A queue has a name, and '' is none.")
    return ("queues", name, *more)


async def _asked(
    client: RemoteClient,
    verb: str,
    path: tuple[str, ...],
    query: Sequence[tuple[str, str]] = (),
    body: bytes | None = None,
) -> Any:
    answer = await client.connection.ask(
        verb, path, query, base=_ADMIN, body=body, is_repeatable=verb == "GET"
    )
    if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
        raise refusal(answer)
    return answers.read(answer, lambda found: found)


def _row(queue: dict[str, Any]) -> tuple[str, ...]:
    age = queue.get("oldestAgeSeconds")
    return (
        queue["name"],
        str(queue["messages"]),
        str(queue["held"]),
        str(queue["delayed"]),
        "" if age is None else f"{age:.0f} s",
        str(queue["poisoned"] or ""),
    )


def _message(message: dict[str, Any]) -> tuple[str, ...]:
    said = message["attributes"]
    reason = said.get("funchost-error", "")
    return (
        message["id"],
        said.get("funchost-tries", str(message["dequeueCount"])),
        f"{message['insertedAt'][:19]}Z",
        _short(message["body"]),
        _short(reason),
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
