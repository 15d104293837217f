"""`funchost schedules`: the timers of an app."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import click

from bindings.remote import answers
from bindings.remote.client import RemoteClient
from bindings.remote.refusals import refusal
from host.cli.asking import EXIT_CODES, RefusedError, asks_host, orders_host
from host.cli.showing import out, print_json_line, table

_ADMIN = "/admin"
_HEAD = ("NAME", "SCHEDULE", "TIME ZONE", "NEXT", "LAST", "STATE")


@click.group()
def schedules() -> None:
    """List the timers of an app, run one now, pause and resume it."""


@schedules.command("list", epilog=EXIT_CODES)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line each.")
@asks_host
async def list_schedules(client: RemoteClient, as_json: bool) -> None:
    """List the timers: the schedule of each, and when it is due."""
    answer = await client.connection.ask("GET", ("schedules",), base=_ADMIN, is_repeatable=True)
    if answer.status != HTTPStatus.OK:
        raise refusal(answer)
    rows = answers.read(answer, lambda found: [_row(each) for each in found])
    if as_json:
        for each in answer.json():
            print_json_line(each)
        return
    table(_HEAD, rows)


@schedules.command("run", epilog=EXIT_CODES)
@click.argument("name")
@orders_host
async def run(client: RemoteClient, name: str) -> None:
    """Run the timer NAME once, now, also if it is paused. Its due times stay as they are."""
    await _order(client, name, "run", HTTPStatus.ACCEPTED)
    out(f"The timer '{name}' is to run now.")


@schedules.command("pause", epilog=EXIT_CODES)
@click.argument("name")
@orders_host
async def pause(client: RemoteClient, name: str) -> None:
    """Begin no run of the timer NAME any more, on any host of the hub, until it is resumed."""
    await _order(client, name, "pause", HTTPStatus.OK)
    out(f"The timer '{name}' is paused.")


@schedules.command("resume", epilog=EXIT_CODES)
@click.argument("name")
@orders_host
async def resume(client: RemoteClient, name: str) -> None:
    """Run the timer NAME again, from its next due time on. What was due meanwhile is left out."""
    await _order(client, name, "resume", HTTPStatus.OK)
    out(f"The timer '{name}' runs again.")


async def _order(client: RemoteClient, name: str, verb: str, expected: HTTPStatus) -> None:
    if not name:  # the host would not take it for a name
        raise RefusedError("A timer has a name, and '' is none.")
    answer = await client.connection.ask(
        "POST", ("schedules", name, verb), base=_ADMIN, is_repeatable=True
    )
    if answer.status == expected:
        return
    refused = refusal(answer)
    if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
        raise RefusedError(str(refused)) from refused
    raise refused


def _row(schedule: dict[str, Any]) -> tuple[str, ...]:
    return (
        schedule["name"],
        schedule["schedule"],
        schedule["timeZone"],
        _time(schedule["next"]),
        _time(schedule["last"]),
        _state(schedule),
    )


def _time(text: str | None) -> str:
    return f"{text[:19]}Z" if text else ""


def _state(schedule: dict[str, Any]) -> str:
    if schedule["isDisabled"]:
        return "disabled"
    running = "running" if schedule["isRunning"] else ""
    paused = "paused" if schedule["isPaused"] else ""
    return ", ".join(filter(None, (paused, running)))
