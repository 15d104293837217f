"""`funchost entities`: the entities of a hub."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import click

from bindings.entities import EntityQuery, EntityState
from bindings.entity_ids import EntityId
from bindings.remote.client import RemoteClient
from host.cli.asking import EXIT_CODES, RefusedError, asks_host, orders_host
from host.cli.entity_locks import locks, unlock
from host.cli.entity_pages import found_entities, in_utc
from host.cli.filters import PAIR
from host.cli.json_input import JSON, JSON_HELP, Given, given_value
from host.cli.showing import out, print_json_line, say, table
from host.cli.times import SPAN, START

_SHOWN = 60
"""How many characters of a state are shown in a list."""
_DELETE = "delete"


@click.group()
def entities() -> None:
    """List the entities of a hub, show one, and have it do something.

    An entity is named by the NAME of its function, in any case, and a KEY.
    """


@entities.command("list", epilog=EXIT_CODES)
@click.argument("name", required=False)
@click.option("--prefix", default="", help="Only keys that begin with this; needs NAME.")
@click.option("--tag", multiple=True, type=PAIR, help="Only with this tag; repeatable.")
@click.option("--all", "shows_all", is_flag=True, help="Those without a state, too.")
@click.option(
    "--top", type=click.IntRange(min=1), default=100, show_default=True, help="How many at most."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line each.")
@asks_host
async def list_entities(
    client: RemoteClient,
    *,
    name: str | None,
    prefix: str,
    tag: tuple[tuple[str, str], ...],
    shows_all: bool,
    top: int,
    as_json: bool,
) -> None:
    """List entities, the newest first: all of them, or those of NAME."""
    query = EntityQuery(
        name=name,
        key_prefix=prefix,
        tags=dict(tag),
        include_without_state=shows_all,
        page_size=min(top, 1000),
    )
    found = await found_entities(client, query, at_most=top)
    if as_json:
        for each in found:
            print_json_line(_json(each))
        return
    has_tags = any(each.tags for each in found)
    head = ("NAME", "KEY", "LAST OPERATION", *(["TAGS"] if has_tags else []), "STATE")
    table(head, [_row(each, has_tags=has_tags) for each in found])
    for each in found:
        if each.waiting_reason is not None:
            out(f"{each.entity_id} waits: {each.waiting_reason}")


@entities.command(epilog=EXIT_CODES)
@click.argument("name")
@click.argument("entity_key", metavar="[KEY]", default="")
@asks_host
async def get(client: RemoteClient, name: str, entity_key: str) -> None:
    """Print the state of an entity, as JSON; its tags, if it has any, on standard error."""
    entity_id = EntityId(name, entity_key)
    found = await client.get_entity(entity_id)
    if found is None or not found.has_state:
        raise RefusedError(f"There is no entity '{entity_id}', or it has no state.")
    if found.tags:
        say(f"Tags: {_in_words(found)}")
    print_json_line(found.state)


@entities.command(epilog=EXIT_CODES)
@click.argument("name")
@click.argument("entity_key", metavar="KEY")
@click.argument("operation")
@click.option("--input", "input_", type=JSON, help=f"The input: {JSON_HELP}")
@click.option(
    "--at", type=START, help="Not before then: a time, or how long from now: 90s, 30m, 2h, 7d."
)
@orders_host
async def signal(
    client: RemoteClient,
    *,
    name: str,
    entity_key: str,
    operation: str,
    input_: Given | None,
    at: datetime | timedelta | None,
) -> None:
    """Have an entity do OPERATION. It is stored when this returns, and done soon."""
    entity_id = EntityId(name, entity_key)
    await client.signal_entity(entity_id, operation, given_value(input_), signal_time=at)
    out(f"'{entity_id}' will do '{operation}'.")


@entities.command(epilog=EXIT_CODES)
@click.argument("name")
@click.argument("entity_key", metavar="KEY")
@orders_host
async def delete(client: RemoteClient, name: str, entity_key: str) -> None:
    """Have an entity delete its state, by its operation 'delete'."""
    entity_id = EntityId(name, entity_key)
    await client.signal_entity(entity_id, _DELETE)
    out(f"'{entity_id}' will delete its state.")


@entities.command(epilog=EXIT_CODES)
@click.option(
    "--idle-for",
    type=SPAN,
    default="30m",
    show_default=True,
    help="Only those that have done nothing for so long.",
)
@orders_host
async def clean(client: RemoteClient, idle_for: timedelta) -> None:
    """Remove what is stored of entities without a state or tags, which have nothing to do.

    Entities are unlocked whose lock is orphaned: nobody is in the section that had locked them.

    Nothing is lost: who asks for an operation of one makes it anew. On AWS it takes half a minute
    at least. When it is broken off, all that was said to be removed is.
    """
    removed, marked, released, token = 0, 0, 0, None
    while True:
        page = await client.clean_entity_storage(
            idle_for=idle_for, continuation_token=token, continue_until_complete=False
        )
        removed += page.empty_entities_removed
        marked += page.entities_marked
        released += page.orphaned_locks_released
        token = page.continuation_token
        if token is None:
            break
        say(f"Removed {removed} so far.")
        if page.wait:
            wait_s = page.wait.total_seconds()
            say(f"{marked} are to go; in {wait_s:.0f} s nobody can be about to send to them.")
            marked = 0
            await asyncio.sleep(wait_s)
    out(f"Removed {removed} entities without a state.")
    if released:
        out(f"Unlocked {released} entities whose lock was orphaned.")
    if not removed:
        say("Those that did something lately stay: --idle-for says how long ago is enough.")


def _json(entity: EntityState) -> dict[str, Any]:
    return {
        "entityId": {"name": entity.entity_id.name, "key": entity.entity_id.key},
        "lastOperationTime": in_utc(entity.last_operation_time),
        "hasState": entity.has_state,
        "state": entity.state,
        "tags": dict(entity.tags),
        "lockedBy": entity.locked_by,
    } | ({} if entity.waiting_reason is None else {"waitingReason": entity.waiting_reason})


def _row(entity: EntityState, *, has_tags: bool) -> tuple[str, ...]:
    state = json.dumps(entity.state, ensure_ascii=False) if entity.has_state else ""
    shown = state if len(state) <= _SHOWN else f"{state[: _SHOWN - 1]}…"
    moment = in_utc(entity.last_operation_time)
    tags = [_in_words(entity)] if has_tags else []
    return entity.entity_id.name, entity.entity_id.key, f"{moment[:19]}Z", *tags, shown


def _in_words(entity: EntityState) -> str:
    """Its tags, as they are asked for."""
    return ", ".join(f"{name}:{value}" for name, value in entity.tags.items())


entities.add_command(locks)
entities.add_command(unlock)
