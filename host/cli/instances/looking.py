"""`funchost instances get`, `list`, `count`, `history`, `why` and `wait`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import click

from bindings.client import ListOrder, OrchestrationQuery
from bindings.errors import InstanceNotFoundError
from bindings.remote.client import RemoteClient
from bindings.waiting import waiting_to_json
from host.cli.asking import EXIT_CODES, asks_host
from host.cli.filters import filter_options
from host.cli.history_lines import event_words
from host.cli.instances.states import StateTable, exit_code, print_state, state_json
from host.cli.instances.waiting import wait_for_end
from host.cli.showing import out, print_json, print_json_line, say, table
from host.cli.times import SPAN

DEFAULT_TOP = 100

_PAGE = 1000

JSON_DOCUMENT = click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
JSON_LINES = click.option("--json", "as_json", is_flag=True, help="Print JSON, a line each.")


@click.command(epilog=EXIT_CODES)
@click.argument("instance_id")
@JSON_DOCUMENT
@asks_host
async def get(client: RemoteClient, instance_id: str, as_json: bool) -> None:
    """Show the instance INSTANCE_ID."""
    state = await client.get_instance(instance_id)
    if state is None:
        raise InstanceNotFoundError(instance_id)
    print_state(state, as_json=as_json)


@click.command(
    "list",
    epilog=f"""\b
Examples:
  funchost instances list --status Failed,Suspended --created-from 2h
  funchost instances list --name place_order --tag town:Rome --json | jq -r .instanceId

{EXIT_CODES}""",
)
@filter_options
@click.option(
    "--top",
    type=click.IntRange(min=1),
    help=f"How many at most, the newest first.  [default: {DEFAULT_TOP}]",
)
@click.option(
    "--order",
    type=click.Choice(tuple(order.value for order in ListOrder)),
    default=ListOrder.CREATED.value,
    show_default=True,
    help="The newest first, by when they were created or updated last.",
)
@click.option("--all", "is_all", is_flag=True, help="All of them, in place of --top.")
@JSON_LINES
@asks_host
async def list_instances(  # noqa: PLR0917 - click gives them by name
    client: RemoteClient,
    query: OrchestrationQuery,
    top: int | None,
    order: str,
    is_all: bool,
    as_json: bool,
) -> None:
    """List instances, the newest first."""
    if is_all and top is not None:
        raise click.UsageError("Say --top or --all, not both.")
    left: int | None = None if is_all else top or DEFAULT_TOP
    query = replace(query, order=ListOrder(order))
    show = _lines if as_json else StateTable().show
    while True:
        size = _PAGE if left is None else min(left, _PAGE)
        page = await client.query_instances(replace(query, page_size=size), fetch_payloads=as_json)
        show(page.items)
        if left is not None:
            left -= len(page.items)
        query = replace(query, continuation_token=page.continuation_token)
        if page.continuation_token is None:
            return
        if left is not None and left <= 0:
            say("There are more: ask for --all, or for a larger --top.")
            return


@click.command(epilog=EXIT_CODES)
@filter_options
@JSON_DOCUMENT
@asks_host
async def count(client: RemoteClient, query: OrchestrationQuery, as_json: bool) -> None:
    """Count instances by status."""
    counts = {status.value: n for status, n in (await client.count_instances(query)).items()}
    total = sum(counts.values())
    if as_json:
        print_json({"total": total} | counts)
    else:
        table(
            ("STATUS", "INSTANCES"),
            [*((name, f"{n:,}") for name, n in counts.items()), ("total", f"{total:,}")],
        )


@click.command(epilog=EXIT_CODES)
@click.argument("instance_id")
@JSON_LINES
@asks_host
async def history(client: RemoteClient, instance_id: str, as_json: bool) -> None:
    """Show the history of INSTANCE_ID, event by event, as it is stored; N is an event's place."""
    events = await client.get_instance_history(instance_id)
    if as_json:
        for each in events:
            print_json_line(each)
        return
    names = event_words(events)
    table(
        ("N", "TIME", "EVENT", "TASK", "WHAT"),
        (
            (str(place), *_event_cells(each), words)
            for place, (each, words) in enumerate(zip(events, names, strict=True), 1)
        ),
        whole=3,
    )


@click.command(epilog=EXIT_CODES)
@click.argument("instance_id")
@JSON_LINES
@asks_host
async def why(client: RemoteClient, instance_id: str, as_json: bool) -> None:
    """Say what INSTANCE_ID waits for, a sentence each."""
    for each in await client.why(instance_id):
        if as_json:
            print_json_line(waiting_to_json(each))
        else:
            out(each.in_words())


@click.command(
    epilog="""\b
Exit codes:
  0  it completed, or with --for start it has begun
  1  it ended in another way, there is no such instance, or the time is over
  2  wrong usage, no valid key, or no host answered as it should
"""
)
@click.argument("instance_id")
@click.option(
    "--for",
    "what",
    type=click.Choice(["completion", "start"]),
    default="completion",
    show_default=True,
    help="What to wait for.",
)
@click.option("--timeout", type=SPAN, help="How long: 90s, 30m, 2h, 7d.  [default: for ever]")
@JSON_DOCUMENT
@asks_host
async def wait(
    client: RemoteClient, instance_id: str, what: str, timeout: timedelta | None, as_json: bool
) -> int:
    """Wait for the end of INSTANCE_ID, and show it."""
    state = await wait_for_end(client, instance_id, timeout, start=what == "start")
    print_state(state, as_json=as_json)
    return exit_code(state) if what == "completion" else 0


def _lines(states: Any) -> None:
    for each in states:
        print_json_line(state_json(each))


def _event_cells(event: dict[str, Any]) -> tuple[str, str, str]:
    number = event.get("TaskScheduledId", event.get("TimerId", event["EventId"]))
    return event["Timestamp"], event["EventType"], "" if number < 0 else f"#{number}"
