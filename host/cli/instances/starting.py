"""`funchost instances start` and `restart`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from bindings.client import ReusePolicy
from bindings.remote.client import RemoteClient
from bindings.remote.starting import start as start_one
from host.cli.asking import EXIT_CODES, orders_host
from host.cli.filters import PAIR
from host.cli.given import GivenPath
from host.cli.instances.starting_many import Common, start_many
from host.cli.instances.states import exit_code, print_state
from host.cli.instances.waiting import wait_for_end
from host.cli.json_input import JSON, JSON_HELP, Given, given_value
from host.cli.showing import out, print_json, say
from host.cli.times import SPAN, START

_REUSE = {
    "whenFinished": ReusePolicy.WHEN_FINISHED,
    "never": ReusePolicy.NEVER,
    "keep": ReusePolicy.KEEP,
    "keepActive": ReusePolicy.KEEP_ACTIVE,
    "replace": ReusePolicy.REPLACE,
}
_THERE = "is there already."
_EXISTING = {
    "kept": "is there already, so nothing is started now.",
    "moved": "waits for its start already: it begins later now, with this input.",
}
"""What is said of an instance that was there."""


@click.command(
    epilog=f"""\b
Examples:
  funchost instances start greet_all --input '["Oslo", "Lima"]' --wait
  id=$(funchost instances start make_report --input @order.json --tag town:Rome)
  funchost instances start make_report --from orders.ndjson --idempotency-key orders-of-may

{EXIT_CODES}"""
)
@click.argument("name")
@click.option("--input", "input_", type=JSON, help=f"The input: {JSON_HELP}")
@click.option("--id", "instance_id", help="The instance's id.  [default: a random one]")
@click.option(
    "--start-at", type=START, help="When to begin: a time, or how long from now: 90s, 30m, 2h, 7d."
)
@click.option("--version", help="The version that it is started with.")
@click.option("--tag", multiple=True, type=PAIR, help="A tag; repeatable.")
@click.option(
    "--reuse",
    type=click.Choice(list(_REUSE), case_sensitive=False),
    default="whenFinished",
    show_default=True,
    help="What to do if the id is taken.",
)
@click.option(
    "--debounce",
    type=SPAN,
    help="Begin when no other such start of the id came for so long, such as 90s, 5m or 1h.",
)
@click.option("--idempotency-key", help="With the id and key of one before it is the same start.")
@click.option(
    "--from",
    "file",
    type=GivenPath(dir_okay=False, allow_dash=True, path_type=Path),
    help='An instance for each line, {"instanceId"?, "input"?, "tags"?}; prints a line each.',
)
@click.option("--wait", is_flag=True, help="Wait for its end, and show it.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@orders_host
async def start(  # noqa: PLR0917 - click gives them by name
    client: RemoteClient,
    name: str,
    input_: Given | None,
    instance_id: str | None,
    start_at: datetime | timedelta | None,
    version: str | None,
    tag: tuple[tuple[str, str], ...],
    reuse: str,
    debounce: timedelta | None,
    idempotency_key: str | None,
    file: Path | None,
    wait: bool,
    as_json: bool,
) -> int:
    """Start the orchestrator NAME, and print the new instance's id.

    With --wait it prints the finished instance, and the exit code is 1 if it did not complete.

    With --from it starts one for each line of a file, in one stream, and prints a line of JSON for
    each: its id, or the error, and the exit code is 1 if there is any. It goes on if the host is
    started again meanwhile. With an idempotency key, a file that is given again starts nothing
    twice: the ids of what was started before are printed again, with "replayed".
    """
    if file is not None:
        if wait or input_ is not None or instance_id is not None:
            raise click.UsageError("With --from, the lines say the ids and inputs, and none waits.")
        common = Common(
            name=name,
            version=version or None,
            tags=dict(tag),
            reuse=_REUSE[reuse],
            debounce=debounce,
            start_at=start_at,
            key=idempotency_key,
        )
        return await start_many(client, file, common)
    started = await start_one(
        client.connection,
        name,
        input=given_value(input_),
        instance_id=instance_id,
        start_at=start_at,
        version=version or None,
        tags=dict(tag),
        reuse=_REUSE[reuse],
        debounce=debounce,
        idempotency_key=idempotency_key,
    )
    is_repeated = started.is_repeated and idempotency_key is not None
    if is_repeated:
        say(f"{started.instance_id} was started before with this key, so nothing is started now.")
    elif started.existing:
        say(f"{started.instance_id} {_EXISTING.get(started.existing, _THERE)}")
    said: dict[str, Any] = {"replayed": True} if is_repeated else {}
    if started.existing:
        said["existing"] = started.existing
    return await _told(client, started.instance_id, wait=wait, as_json=as_json, said=said)


@click.command(epilog=EXIT_CODES)
@click.argument("instance_id")
@click.option("--same-id", is_flag=True, help="Keep the id, and replace the instance.")
@click.option("--wait", is_flag=True, help="Wait for its end, and show it.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@orders_host
async def restart(
    client: RemoteClient, instance_id: str, same_id: bool, wait: bool, as_json: bool
) -> int:
    """Start the function of INSTANCE_ID again with the same input, and print the new id."""
    started = await client.restart_instance(instance_id, restart_with_new_instance_id=not same_id)
    return await _told(client, started, wait=wait, as_json=as_json)


async def _told(
    client: RemoteClient,
    started: str,
    *,
    wait: bool,
    as_json: bool,
    said: Mapping[str, Any] = MappingProxyType({}),
) -> int:
    """Print what was started, or how it ended. `said` is of one that was there before."""
    if wait:
        if not said:
            say(f"Started {started}.")
        state = await wait_for_end(client, started, None)
        print_state(state, as_json=as_json)
        return exit_code(state)
    if as_json:
        print_json({"id": started, **said})
    else:
        out(started)
    return 0
